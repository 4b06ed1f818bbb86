# shellcheck shell=bash
# ./learn replay CHAPTER [CHAPTER] [--frame K] [--record [--session NAME]] [--plain]
# Play a recorded session with a chapter's server, call by call; with two chapters, side by side.
#
# Each frame has the line of code at which every process, thread or coroutine stands, the descriptors, the kernel's
# queues, the TCP states of both ends, what epoll or poll watches, the io_uring, and the packets; what has changed is
# marked. On a terminal the keys are: right and left, p to predict (the next frame is hidden until you have said what it
# is), q to leave. Elsewhere all frames are printed.
#
#   --frame K        print this frame alone; of two chapters, the moment in which the later one is at it
#   --record         record the session anew on this machine, and play that. Where that is not possible (ptrace, ss, and
#                    tcpdump with the right to capture are needed), it says what is missing and plays what is there
#   --session NAME   record this one: one (a client), two (one of them silent), reset (it ends with a reset), or, from
#                    chapter 55 on, upgrade (SIGHUP between two clients). Without it: upgrade where a server can have
#                    it, and two elsewhere
#   --plain          as text without colours
#
#   ./learn replay 13
#   ./learn replay 11 13      poll beside epoll
#   ./learn replay 13 --frame 23
#   ./learn replay 56 57      an upgrade: what becomes of a client that has been there before
#   sudo ./learn replay 3 --record
#   sudo ./learn replay 21 22 --record --session reset

main() {
  local words=() chapters=() chapter fresh=
  while (($#)); do
    case $1 in
      --plain) words+=("$1") ;;
      --record) fresh=1 ;;
      --frame=* | --session=*) words+=("$1") ;;
      --frame | --session)
        (($# > 1)) || die_of_usage replay "$1 needs a value"
        words+=("$1=$2")
        shift
        ;;
      -*) die_of_usage replay "replay has no option $1" ;;
      *)
        chapter=$(find_chapter "$1")
        chapters+=("$chapter")
        ;;
    esac
    shift
  done
  ((${#chapters[@]} > 0)) || die_of_usage replay "say which chapter: ./learn replay 13"
  ((${#chapters[@]} < 3)) || die_of_usage replay "replay plays one chapter, or two side by side"
  [[ -f tools/replay/show.mjs ]] || die 1 "tools/replay/show.mjs is missing: this copy of the project is not complete"
  [[ ${PATIENCE:-} || ${CI:-} ]] || export PATIENCE=5  # seconds: a learner sits and waits, too
  LEARN_USAGE=$(print_usage replay)
  export LEARN_USAGE
  need watch  # node
  if [[ $fresh ]]; then
    need build replay
    build replay replay-tracer "${chapters[@]}"
    words+=(--record)
  fi
  exec node tools/replay/show.mjs "${words[@]}" "${chapters[@]}"
}
