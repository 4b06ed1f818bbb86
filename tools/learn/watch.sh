# shellcheck shell=bash
# ./learn watch [CHAPTER | --pid PID | --practice] [--once] [--clients N] [--interval MS] [--port P] [-- SERVER-OPTION...]
# Show the processes, threads, descriptors and sockets of a chapter's running server, live.
#
# It says how to connect: talk to the server with nc -N in another terminal, and see the picture change.
#
#   --clients N      connect N clients of its own, up to 10,000: each sends a line, has its echo and stays (with --once: 2);
#                    where the server lets them wait or has no room, the picture says so. Ten thousand take some ten
#                    seconds, and this shell's hard limit of descriptors must allow them, twice over (ulimit -Hn)
#   --once           one picture as text, and end
#   --interval MS    how often to look, in milliseconds
#   --port P         where the server listens; any free port by default
#   --pid PID        watch a server that runs already; nothing is built or started
#   --practice       watch your copy of ./learn practice
#
#   ./learn watch 3
#   ./learn watch 3 --clients 5
#   ./learn watch 13 --clients 10000
#   ./learn watch --pid 4711
#   ./learn watch --pid 4711 --clients 100      a hundred more clients for a server that runs

main() {
  exec_tool watch "--once --clients= --interval= --port= --pid=" "$@"
}
