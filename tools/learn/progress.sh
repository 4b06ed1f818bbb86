# shellcheck shell=bash
# ./learn progress [--export FILE | --import FILE]
# Show what you have done, chapter by chapter; take it elsewhere and bring it back.
#

# shellcheck source-path=SCRIPTDIR source=loop.sh
source tools/learn/loop.sh

main() {
  exec_loop progress "$@"
}
