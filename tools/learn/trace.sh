# shellcheck shell=bash
# ./learn trace [CHAPTER] [--session NAME] [--server PATH | --practice] [--plain] [-- SERVER-OPTION...]
# Show the system calls of a short session with a chapter's server, both sides labelled.
#
#   --session NAME   one (a client, the default), two (one of them silent), or reset (it ends with a reset)
#   --server PATH    look at this server instead: a copy of the chapter's, or your own (./learn help test)
#   --practice       look at your copy of ./learn practice
#   --plain          as text without colours, the form in which the chapters' texts keep it
#
#   ./learn trace 3
#   ./learn trace 2 --session two
#   ./learn trace 5 -- --workers 2

main() {
  exec_tool trace "--plain --session= --server=" "$@"
}
