# shellcheck shell=bash
# ./learn watch [CHAPTER]
# Show the processes, threads, descriptors and sockets of a chapter's running server, live.
#
#   ./learn watch 3

main() {
  exec_tool watch "" "$@"
}
