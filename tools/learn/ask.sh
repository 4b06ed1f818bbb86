# shellcheck shell=bash
# ./learn ask MODE CHAPTER [--question TEXT] [--test NAME] [--trace] [--budget TOKENS] [--copy | --out FILE] | --check REPLY [MODE]
# Write a prompt for a language model of your own: a tutor that keeps to the chapter. Or check what it has replied.
#
# The modes:
#   explain     asks what you know, then an example before each term; you explain it back
#   socratic    one question at a time, and no code
#   quiz        new questions, other than the text's; you commit first
#   diagnose    what you see, two hypotheses, and the command that tells them apart
#   practice    new exercises: a symptom, never the patch
#
# What the tutor starts from; these go together:
#   --question TEXT    what you want to know, or what you see
#   --test NAME        runs this test of the chapter (its name, or words of it) and takes what it says
#   --trace            records the system calls of a session now, and takes them
# Both are about the chapter, not about your copy of ./learn practice: what its tests say is in ./learn practice check.
#
# Where the prompt goes; stdout, unless you say otherwise:
#   --out FILE         into a new file
#   --copy             onto the clipboard, with wl-copy, xclip, xsel, pbcopy, or by the terminal
#   --budget TOKENS    as long as this at most: the rules, your question and the evidence stay; of the chapter's text, diff,
#                      code, trace and confusions so much is dropped from the end as must be, and the prompt says what
#
# A token is taken for 4 characters (a character that is not ASCII for one). Some models count a quarter more in code.
#
# Keep the model's reply in a file; several replies may follow each other in it. Or paste it: --check -, and Ctrl-D at its end.
#   --check REPLY      says where it breaks the rules of its mode: no place cited, or one that does not exist, a command
#                      that does not exist, code where none may be, two questions, a planted bug given away
#
# There is no model in this command, and it sends nothing anywhere. No model was tried with these prompts, either. How well
# yours keeps the rules, --check can tell in part. What it says of a server may be wrong: run the command that it names.
#
#   ./learn ask explain 3 --question "why does the parent close the client?" --copy
#   ./learn ask diagnose 3 --test zombie --out ask.md
#   ./learn ask socratic 12 --budget 8000
#   ./learn ask --check reply.md

# shellcheck source-path=SCRIPTDIR source=loop.sh
source tools/learn/loop.sh

main() {
  # Node opens /dev/null in the place of a closed stdout, and could not tell.
  [[ -e /dev/fd/1 ]] || export LEARN_STDOUT=closed
  exec_loop ask "$@"
}
