# shellcheck shell=bash
# How the commands of the learner's loop begin: practice, predict, quiz, ask, client, progress.

# Becomes the program tools/loop/COMMAND.mjs, which reads the command line itself; or TOOL.mjs, where that is named.
exec_loop() { # COMMAND[:TOOL] ARGUMENT...
  local command=${1%%:*} tool=tools/loop/${1##*:}.mjs
  shift
  [[ -f $tool ]] || die 1 "$tool is missing: this copy of the project is not complete"
  [[ ${PATIENCE:-} || ${CI:-} ]] || export PATIENCE=5  # seconds: a learner sits and waits, too
  need watch  # node
  LEARN_USAGE=$(print_usage "$command")  # what the tool prints when it refuses a value
  export LEARN_USAGE
  exec node "$tool" "$@"
}
