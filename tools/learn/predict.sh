# shellcheck shell=bash
# ./learn predict [CHAPTER] [--against CHAPTER] [--packets] [--seed N] [--questions N] [--plain]
# Say what the kernel will show of a chapter, then see: questions from what has changed since the one before.
#

# shellcheck source-path=SCRIPTDIR source=loop.sh
source tools/learn/loop.sh

main() {
  exec_loop predict "$@"
}
