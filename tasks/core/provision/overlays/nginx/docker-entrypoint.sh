#!/bin/sh
# Runs every script of /docker-entrypoint.d in order before nginx starts: `.envsh` files are read
# into this shell so that they can export variables, executable `.sh` files are run.
set -e

say() {
  [ -n "${NGINX_ENTRYPOINT_QUIET_LOGS:-}" ] || echo "docker-entrypoint: $*"
}

prepare() {
  for script in /docker-entrypoint.d/*; do
    case "$script" in
      *.envsh)
        if [ -x "$script" ]; then say "reading $script"; . "$script"; else say "not executable: $script"; fi ;;
      *.sh)
        if [ -x "$script" ]; then say "running $script"; "$script"; else say "not executable: $script"; fi ;;
    esac
  done
}

case "${1:-}" in
  nginx | nginx-debug) prepare ;;
esac
exec "$@"
