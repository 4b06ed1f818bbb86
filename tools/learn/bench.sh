# shellcheck shell=bash
# ./learn bench [SERVER...] [--quick] [--only WHAT] [--plan] [--report] [--fresh] [--core N]
# Measure what an echo costs each chapter, and servers made with well-known libraries, on this machine.
#
# All are measured against the chapter epoll, in short slices in turn. It says what it will do and how long that takes:
# about an hour for everything. Ctrl-C ends it and keeps what has been measured; the same command goes on later.
# A SERVER is a chapter, or one of the peers: peer-asio peer-libuv ... All by default.
#
#   --quick        one look in under three minutes: 50 connections, fewer and shorter slices
#   --only WHAT    a part of it; may be given several times: 64B-1 64B-50 64B-1000 64B-many 1K-50 16K-50 64K-50
#                  rate-1 visits-8 counted memory idle coroutine knobs
#   --plan         say what would be measured, and for how long
#   --report       show what has been measured so far, and measure nothing
#   --fresh        forget what has been measured
#   --core N       the processor for the servers and their load; the last one by default
#
#   ./learn bench --quick
#   ./learn bench 16 28 --only 64B-50
#   ./learn bench

main() {
  local options=() measures=1
  while (($#)); do
    case $1 in
      --only | --core)
        (($# > 1)) || die_of_usage bench "$1 needs a value"
        options+=("$1" "$2")
        shift
        ;;
      --only=* | --core=* | --quick | --fresh) options+=("$1") ;;
      --plan | --report | --publish)
        options+=("$1")
        measures=""
        ;;
      -*) die_of_usage bench "bench has no option $1" ;;
      peer-*) options+=("$1") ;;
      *) options+=("$(find_chapter "$1")") ;;
    esac
    shift
  done

  LEARN_USAGE=$(print_usage bench)  # what the tool prints when it refuses a value
  export LEARN_USAGE
  if [[ $measures ]]; then
    need build bench
    local targets=(compare idle-clients coroutine-cost count-per-message peers)
    mapfile -t -O "${#targets[@]}" targets < <(list_chapters)
    # A peer whose library has been installed since the last time is found when CMake looks again.
    mkdir -p build/.learn
    [[ ! -f build/CMakeCache.txt ]] || run_quietly cmake --preset default || true
    build default "${targets[@]}"
  else
    need bench
  fi
  exec node tools/bench/bench.mjs "${options[@]}"
}
