# shellcheck shell=bash
# ./learn predict [CHAPTER] [--against CHAPTER] [--packets] [--session NAME] [--seed N] [--questions N] [--plain]
# Say what the kernel will show of a chapter, then see: questions from what has changed since the one before.
#
# Two chapters are recorded, and the questions are about what differs: who acts, which call comes next, what it
# returns, who sleeps and in what, how many. You answer, and say how sure you are. Then a fresh recording grades
# you, and beside each miss stand its lines, the line of the code, and the place in the text. What you were
# sure of and had wrong comes first next time.
#
#   --against CHAPTER  compare with this chapter, not with the one before (side roads passed over)
#   --packets          ask about packets and TCP states (who may capture: ./learn doctor)
#   --session NAME     one (a client, the default), two (one of them silent), or reset (it ends with a reset);
#                      where you name none and "one" shows no difference, another is taken
#   --seed N           the same number asks the same questions, whatever you have answered before
#   --questions N      how many, 5 unless you say it
#   --plain            without colours
#
#   ./learn predict 3
#   ./learn predict 13 --against 11
#   ./learn predict 2 --packets --session reset

# shellcheck source-path=SCRIPTDIR source=loop.sh
source tools/learn/loop.sh

main() {
  exec_loop predict "$@"
}
