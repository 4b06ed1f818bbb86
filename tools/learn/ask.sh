# shellcheck shell=bash
# ./learn ask MODE CHAPTER [--test NAME | --trace | --question TEXT] [--budget TOKENS] [--copy | --out FILE] | --check REPLY
# Write a prompt for a language model of your own: a tutor that keeps to the chapter.
#

# shellcheck source-path=SCRIPTDIR source=loop.sh
source tools/learn/loop.sh

main() {
  exec_loop ask "$@"
}
