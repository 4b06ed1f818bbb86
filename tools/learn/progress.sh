# shellcheck shell=bash
# ./learn progress [CHAPTER | --export FILE | --import FILE]
# Show what you have done, chapter by chapter, and what is due; take it elsewhere and bring it back.
#
# Without CHAPTER a line for each: its tests, your predictions, questions, bugs and exercises, and how many of these
# are due. With it, each question and each bug that you have begun, and the day on which it comes back.
#
# All of it is in .learn/progress.tsv, a line for each thing that you did; lines are only ever added.
#
#   --export FILE    write these lines, sorted, to FILE; `-` is stdout. A FILE that is there is written over only when
#                    it has no line that is not in your journal
#   --import FILE    add the lines of FILE (`-`: of stdin) that are not here yet; the same lines twice are one
#
#   ./learn progress 3
#   ./learn progress --export ~/progress.tsv
#   ./learn progress --import ~/progress.tsv

# shellcheck source-path=SCRIPTDIR source=loop.sh
source tools/learn/loop.sh
# shellcheck source-path=SCRIPTDIR source=state.sh
source tools/learn/state.sh

main() {
  [[ " $* " == *" --export"* || " $* " == *" --import"* ]] || export_states
  exec_loop progress:overview "$@"
}
