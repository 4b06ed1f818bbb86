# shellcheck shell=bash
# ./learn client [CHAPTER | --practice | --port P] [--host H] [--half-close | --reset | --slow | --stall | --many N | --line TEXT] [-- SERVER-OPTION...]
# Be a difficult client of a server, and see what both sides do.
#
# It starts the chapter's server, or connects to one that runs in another terminal. After each of the client's steps it
# tells the TCP state of both ends, the bytes that wait in their queues, and what the server's processes are asleep in.
# Without a mode it sends what you type, a line at a time, and Ctrl-D closes the sending side.
#
#   --half-close     send a line and have its echo; send another, close the sending side, and then read what is left
#   --reset          send a line, have its echo, and end the connection with RST
#   --slow           send a line a byte at a time, and then read its echo a byte at a time
#   --stall          send without reading, until nothing moves; say in which queue the bytes are stuck. Enter: read them
#   --many N         connect N clients, up to 10,000: each sends a line, and stays. Enter ends them all at once; a line
#                    that you type is sent by each of them. With --reset they all reset
#   --line TEXT      send this line, and close when its echo has come. With a mode: the line that this one sends
#   --port P         connect to a server that runs already, such as that of ./learn run 3
#   --practice       the server is your copy of ./learn practice
#   --host H         where that server is, or where the chapter's server shall listen (127.0.0.1 by default)
#
#   ./learn client 1 --reset
#   ./learn client 3 --half-close --line "how are you?"
#   ./learn client 8 --stall
#   ./learn client 5 --many 4 -- --workers 3
#   ./learn client --port 9877 --many 100
#   printf 'one\ntwo\n' | ./learn client 3

# shellcheck source-path=SCRIPTDIR source=loop.sh
source tools/learn/loop.sh

main() {
  exec_loop client "$@"
}
