# shellcheck shell=bash
# ./learn
# List the chapters and what you have done of each, what is due, and one thing to do next.
#
#   tests      passed, or how many failed, by the last ./learn test; skipped where this machine lets none of them run;
#              stale when the chapter, its tests, or what they share has changed since
#   predict    how many of your predictions were right, of how many (./learn predict)
#   quiz       how many questions of the text were right at the first try, of how many (./learn quiz)
#   bugs       how many planted bugs you have found, of how many (./learn practice)
#
# What to do next is the first step that you have not done, in the first chapter that you have begun: predict, quiz,
# test, practice; then the next chapter. It comes after a chapter that you have changed, and whose tests have failed
# or not run since. Tests alone begin no chapter: they pass before you have read a line. Reading leaves no trace, so
# it is never said to be done.

# shellcheck source-path=SCRIPTDIR source=state.sh
source tools/learn/state.sh

LEARN_COLUMNS=  # none where stdout is no terminal: then no line is cut
[[ ! -t 1 ]] || LEARN_COLUMNS=$(find_width)
export LEARN_COLUMNS

main() {
  (($# == 0)) || die_of_usage list "list takes no arguments"
  find_last_chapter >/dev/null
  export_states
  # The program prints all or nothing; when it has failed it has said why, and the tests can be shown all the same.
  if ! has_any node || ! node tools/loop/list.mjs; then
    list_tests
  fi
  if [[ $(list_missing_parts build) ]]; then
    echo "      (the compiler or a library is not here yet: you will be asked before anything is installed)"
  fi
}

# Without node: the tests, which need none.
list_tests() {
  local chapter state changed idea style next=""
  while IFS=$'\t' read -r chapter state changed idea; do
    case $state in
      passed) style=green ;;
      failed*) style=red ;;
      stale* | skipped) style=yellow ;;
      *) style=faint ;;
    esac
    printf '%-20s  %s  %s\n' "$chapter" "$(paint $style "$(printf '%-14s' "$state")")" "$idea"
  done <<<"$LEARN_TESTS"
  echo
  next=$(find_next_test)
  if [[ $next ]]; then
    printf 'next: %s\n' "$next"
  else
    echo "next: the tests of all chapters have passed. Which texts you have read is not noted"
  fi
  say "(what you have predicted, answered and found is shown where there is node: ./learn doctor)"
}

# What has failed or changed comes first; then the chapter after the last one that passed.
find_next_test() {
  local chapter state changed next="" number
  while IFS=$'\t' read -r chapter state changed _; do
    number=$((10#${chapter%%-*}))
    if [[ $changed == changed ]]; then
      paint bold "./learn test $number"
      return
    fi
    case $state in
      passed | skipped) next= ;;
      *) next=${next:-$chapter} ;;
    esac
  done <<<"$LEARN_TESTS"
  [[ $next ]] || return 0
  number=$((10#${next%%-*}))
  [[ ! -f docs/$next.md ]] || printf 'read docs/%s.md, ' "$next"
  printf '%s, then %s' "$(paint bold "./learn run $number")" "$(paint bold "./learn test $number")"
}
