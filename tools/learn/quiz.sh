# shellcheck shell=bash
# ./learn quiz [CHAPTER] [--again] [--mix] [--overview] [--plain]
# Answer the questions of a chapter's text, one at a time; each wrong answer has its own reason.
#
# Type the letter of the option that you mean, or its first words. After a wrong answer you read why it is wrong, and
# try again; ? says that you do not know, counts as wrong, and tells the answer. Ctrl-D leaves at any time, and so does
# Ctrl-C; what you have answered is kept in .learn/.
# Without CHAPTER it is the first one of which not every question has been answered right.
#
# Your first answer counts: a question is right when that was, and wrong when you needed another one. What was right
# is left out from then on, and is due again after 1 day, then after 3, 7 and 21. What was wrong is due at once. A
# question whose words have changed is a new one.
#
#   --again       all questions of the chapter, also those that were right; with --mix, also what is not due yet
#   --mix         what is due, of all chapters: first what was wrong
#   --overview    ask nothing; a line for each chapter: how many were asked, right at the first try, and are due
#   --plain       no colours
#
#   ./learn quiz 3
#   ./learn quiz --mix

# shellcheck source-path=SCRIPTDIR source=loop.sh
source tools/learn/loop.sh

main() {
  exec_loop quiz "$@"
}
