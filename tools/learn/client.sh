# shellcheck shell=bash
# ./learn client [CHAPTER | --port P] [--half-close | --reset | --slow | --stall | --many N | --line TEXT]
# Be a difficult client of a server, and see what both sides do.
#

# shellcheck source-path=SCRIPTDIR source=loop.sh
source tools/learn/loop.sh

main() {
  exec_loop client "$@"
}
