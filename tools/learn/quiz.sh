# shellcheck shell=bash
# ./learn quiz [CHAPTER] [--again] [--mix] [--overview] [--plain]
# The questions of a chapter's text, one at a time; each wrong answer has its own reason.
#

# shellcheck source-path=SCRIPTDIR source=loop.sh
source tools/learn/loop.sh

main() {
  exec_loop quiz "$@"
}
