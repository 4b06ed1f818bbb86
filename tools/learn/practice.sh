# shellcheck shell=bash
# ./learn practice [CHAPTER [BUG]] | guess FILE:LINE WORDS | hint | check | give-up | reset | list | --mix
# Find a planted bug in a copy of a chapter, and mend it.
#

# shellcheck source-path=SCRIPTDIR source=loop.sh
source tools/learn/loop.sh

main() {
  exec_loop practice "$@"
}
