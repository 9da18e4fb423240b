#!/bin/sh
# Completes /health.json with the processor that this nginx was made for, in Node's words. What the kernel says (uname)
# would be another answer: it names the machine, and a 64-bit one also runs 32-bit containers.
set -e

nginx="$(command -v nginx)"
machine="$(od -An -tx1 -j18 -N2 "$nginx" | tr -d ' ')" # e_machine of the ELF header, low byte first
case "$machine" in
  3e00) arch=x64 ;;
  b700) arch=arm64 ;;
  2800) arch=arm ;;
  *) echo "19-health: $nginx is for no processor that is known here (ELF machine \"$machine\")" >&2; exit 1 ;;
esac

mkdir -p /tmp/www
sed "s/}\$/,\"arch\":\"$arch\"}/" /srv/www/health.json > /tmp/www/health.json
