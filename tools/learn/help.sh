# shellcheck shell=bash
# ./learn help [COMMAND]
# Say what the commands do, or one of them, with its options and examples.
#
# What is printed is the comment at the head of the command's file in tools/learn/.
#
#   ./learn help diff

main() {
  local command
  case $# in
    0) print_overview ;;
    1)
      command=$(find_command "$1")
      print_command_help "$command"
      ;;
    *) die_of_usage help "help explains one command at a time" ;;
  esac
}

print_overview() {
  local command
  echo "./learn [--yes] [--verbose] COMMAND ..."
  echo
  for command in $LEARN_COMMANDS; do
    printf '  %s\n      %s\n' "$(paint bold "$(print_usage "$command")")" "$(print_purpose "$command")"
  done
  cat <<'END'

A chapter is named by its number or its name: 3, 03, fork, 03-fork, or an unambiguous beginning.
Where a chapter may be left out, the last one is meant.

  --yes            install what is missing without asking first
  -v, --verbose    show the whole output of the build

Exit status: 0 all is well, 1 it is not, 2 the command line is wrong; `test` has that of its tests.
More about a command: ./learn help COMMAND
END
}

print_command_help() { # COMMAND
  sed -n '2,/^[^#]*$/{s/^# \{0,1\}//p}' "tools/learn/$1.sh"
}
