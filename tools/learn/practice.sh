# shellcheck shell=bash
# ./learn practice [CHAPTER [BUG | EXERCISE]] | guess FILE:LINE WORDS | hint | check | give-up | reset | list [CHAPTER] | --mix
# Find a planted bug in a copy of a chapter, and mend it; or do an exercise of a chapter's text that a test can check.
#
# A chapter alone: its next bug. The copy lies in practice/; chapters/ stays as it is. Without a word: how the one stands
# that is current, which all of these are about:
#
#   guess FILE:LINE WORDS   say which line it is, and what is wrong there, before you mend it; you hear how near you are
#   hint                    1 a question, 2 the function, 3 the test that finds it
#   check                   is it mended? The test that finds it is asked first, then all tests of the chapter
#   give-up                 see the patch; it comes back later (--yes: without a question)
#   reset                   begin anew; what you have is kept beside it (--yes: without a question)
#
#   list [CHAPTER]          what there is to practise, and how far you are
#   --mix                   what is due, of any chapter; else a bug of one of the chapters whose tests have passed
#
# Other commands take the copy instead of the chapter with --practice: run, test, trace, capture, watch, diff.
#
#   ./learn practice 3
#   ./learn practice guess FILE:LINE "what is wrong there"
#   ./learn watch --practice
#   ./learn practice check
#   ./learn practice 3 2                bug 2 of chapter 03
#   ./learn practice 3 say-goodbye      an exercise, by its title or the beginning of it

# shellcheck source-path=SCRIPTDIR source=loop.sh
source tools/learn/loop.sh

main() {
  export LEARN_YES=${LEARN_YES:-}
  exec_loop practice "$@"
}
