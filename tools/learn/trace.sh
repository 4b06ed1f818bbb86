# shellcheck shell=bash
# ./learn trace [CHAPTER] [--session NAME] [--server PATH | --practice] [--plain] [-- SERVER-OPTION...]
# Show the system calls of a short session with a chapter's server, both sides labelled.
#
#   --session NAME   one (a client, the default), two (one of them silent), or reset (it ends with a reset);
#                    from chapter 55 on also upgrade (SIGHUP between two clients: the server starts its next version)
#   --server PATH    look at this server instead: a copy of the chapter's, or your own (./learn help test)
#   --practice       look at your copy of ./learn practice
#   --plain          as text without colours, the form in which the chapters' texts keep it
#
#   ./learn trace 3
#   ./learn trace 2 --session two
#   ./learn trace 5 -- --workers 2
#   ./learn trace 57 --session upgrade -- --workers 1

main() {
  exec_tool trace "--plain --session= --server=" "$@"
}
