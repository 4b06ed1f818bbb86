# shellcheck shell=bash
# ./learn trace [CHAPTER] [--plain]
# Show the system calls of a short session with a chapter's server, both sides labelled.
#
#   --plain    as text without colours, the form in which the chapters' texts keep it
#
#   ./learn trace 3

main() {
  exec_tool trace "--plain" "$@"
}
