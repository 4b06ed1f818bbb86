# shellcheck shell=bash
# ./learn run [CHAPTER] [--practice] [--] [SERVER OPTION...]
# Build a chapter's server and start it.
#
# The options after the chapter are the server's: ./learn run 3 --help lists them. Ctrl-C ends the server.
#
#   --practice    start your copy of ./learn practice; it stands before the server's options
#
#   ./learn run 3
#   ./learn run fork --port 0
#   ./learn run -- --port 8000      the last chapter

main() {
  local chapter="" practice="" server
  while (($#)); do
    case $1 in
      --practice) practice=1 ;;
      -*) break ;;
      *)
        [[ ! $chapter ]] || break
        chapter=$(find_chapter "$1")
        ;;
    esac
    shift
  done
  [[ ${1:-} != -- ]] || shift

  if [[ $practice ]]; then
    find_practice_copy "$chapter"
    server=${LEARN_COPY[server]}
    say "your copy, ${LEARN_COPY[folder]}:"
  else
    [[ $chapter ]] || chapter=$(find_last_chapter)
    need build
    build default "$chapter"
    server=build/bin/$chapter
  fi
  print_how_to_talk "$@"
  (($$ != 1)) || run_under_us "$server" "$@"
  exec "$server" "$@"
}

# As the first process of a container, with process id 1, a server would not end on Ctrl-C: to that process the kernel
# delivers no signal for which it has no handler. So it runs as a child of ours, and we pass the signals on. (A group
# of its own: else Ctrl-C would reach it twice, from the terminal and from us.)
run_under_us() { # COMMAND...
  local status signal server="" signalled=""
  for signal in HUP INT QUIT TERM; do
    # shellcheck disable=SC2064  # this signal
    trap "signalled=1; [[ ! \$server ]] || kill -$signal \$server 2>/dev/null || true" "$signal"
  done
  set -m
  "$@" </dev/null &
  server=$!
  set +m
  while true; do
    status=0
    signalled=
    wait "$server" || status=$?
    [[ $signalled ]] || break  # a trap has ended the wait, and not the server
  done
  exit "$status"
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
