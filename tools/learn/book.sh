# shellcheck shell=bash
# ./learn book [--port N | --build DIR] [--fresh]
# Build the book as web pages and serve it on this machine: texts, code, the difference of any two chapters, search.
#
# The pages are made of docs/ and chapters/ as they are. The first time takes about a minute; after that only what has
# changed is built, and nothing where nothing has. It prints the address; Ctrl-C ends it. Nothing is fetched from
# elsewhere when you read.
#
#   --port N       serve it on this port; a free one by default
#   --build DIR    only build it, into DIR: for any server of files, at any address, such as a code host's pages
#   --fresh        build all of it anew
#
#   ./learn book
#   ./learn book --build ~/book

main() {
  local options=()
  while (($#)); do
    case $1 in
      --port | --build)
        [[ ${2:-} ]] || die_of_usage book "$1 needs a value"
        options+=("$1=$2")
        shift
        ;;
      --port=* | --build=* | --fresh) options+=("$1") ;;
      -*) die_of_usage book "book has no option $1" ;;
      *) die_of_usage book "book is all chapters: name none" ;;
    esac
    shift
  done
  [[ -f tools/book/book.mjs ]] || die 1 "tools/book/book.mjs is missing: this copy of the project is not complete"
  need book
  # shellcheck source-path=SCRIPTDIR source=../book/install.sh
  source tools/book/install.sh
  demand_writable build
  install tools/docs
  install tools/book
  LEARN_USAGE=$(print_usage book)  # what the tool prints when it refuses a value
  export LEARN_USAGE
  exec node tools/book/book.mjs "${options[@]}"
}
