#!/bin/sh
# `docker run image --version` and `docker run image app.js` both mean node: an option, a word that
# is no command, or a plain file that cannot be executed is handed to it.
set -e

is_for_node() {
  case "$1" in
    -*) return 0 ;;
  esac
  [ -z "$(command -v -- "$1")" ] || { [ -f "$1" ] && [ ! -x "$1" ]; }
}

if is_for_node "${1:-}"; then
  set -- node "$@"
fi
exec "$@"
