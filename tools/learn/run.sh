# shellcheck shell=bash
# ./learn run [CHAPTER] [--] [SERVER OPTION...]
# Build a chapter's server and start it.
#
# The options after the chapter are the server's: ./learn run 3 --help lists them. Ctrl-C ends the server.
#
#   ./learn run 3
#   ./learn run fork --port 0
#   ./learn run -- --port 8000      the last chapter

main() {
  local chapter
  if (($#)) && [[ $1 != -* ]]; then
    chapter=$(find_chapter "$1")
    shift
  else
    chapter=$(find_last_chapter)
  fi
  [[ ${1:-} != -- ]] || shift

  need build
  build default "$chapter"
  print_how_to_talk "$@"
  exec "build/bin/$chapter" "$@"
}

# Says how a client reaches the server that these options start; nothing where they will not start one.
print_how_to_talk() { # SERVER-OPTION...
  local host=127.0.0.1 port=9877 hint
  while (($#)); do
    case $1 in
      --help) return ;;
      --host | --port) (($# > 1)) || return 0 ;;&
      --host) host=${2:-} ;;
      --host=*) host=${1#*=} ;;
      --port) port=${2:-} ;;
      --port=*) port=${1#*=} ;;
    esac
    shift
  done
  if [[ ! $host || ! $port =~ ^[0-9]{1,5}$ ]] || ((10#$port > 65535)); then
    return
  fi
  case $host in
    0.0.0.0) host=127.0.0.1 ;;
    ::) host=::1 ;;
  esac
  hint="nc -N $host $port"
  if ((10#$port == 0)); then
    hint="nc -N $host PORT, with the port from the server's first line"
  fi
  has_any nc || hint+=" (nc is in the package netcat-openbsd)"
  say "in another terminal: $hint"
  say "Ctrl-C ends the server"
}
