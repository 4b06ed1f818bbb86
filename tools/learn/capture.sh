# shellcheck shell=bash
# ./learn capture [CHAPTER] [--session NAME] [--server PATH | --practice] [--plain] [-- SERVER-OPTION...]
# Show the packets of a short session with a chapter's server, as tcpdump sees them.
#
# Only root, or a tcpdump with the capability cap_net_raw, may capture: ./learn doctor says whether you may.
#
#   --session NAME   one (a client that ends in good order, the default) or reset
#   --server PATH    look at this server instead: a copy of the chapter's, or your own (./learn help test)
#   --practice       look at your copy of ./learn practice
#   --plain          as text without colours, the form in which the chapters' texts keep it
#
#   ./learn capture 3
#   ./learn capture 2 --session reset

main() {
  exec_tool capture "--plain --session= --server=" "$@"
}
