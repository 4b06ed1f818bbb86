# shellcheck shell=bash
# ./learn test [CHAPTER] [WORD...] [-R REGEX] [--server PATH] [--preset NAME]
# Build what is needed and run a chapter's tests: its contract, promises, limits and why. All chapters by default.
#
#   WORD...          only the tests whose names have these words, in this order
#   -R REGEX         only the tests whose names fit the regular expression
#   --server PATH    test another executable against the chapter's tests
#   --preset NAME    default, asan (address and undefined-behaviour sanitizers) or tsan (threads)
#
#   ./learn test 3
#   ./learn test 3 zombie
#   ./learn test 3 --server build/bin/02-robust
#   ./learn test --preset asan

main() {
  local chapter="" preset=default regex="" server="" words=()
  while (($#)); do
    case $1 in
      --server=* | --preset=*)
        set -- "${1%%=*}" "${1#*=}" "${@:2}"  # as two words
        continue
        ;;
      -R | --server | --preset)
        [[ ${2:-} ]] || die_of_usage test "$1 needs a value"
        case $1 in
          -R) regex=$2 ;;
          --server) server=$2 ;;
          --preset) preset=$2 ;;
        esac
        shift
        ;;
      --) ;;
      -*) die_of_usage test "test has no option $1" ;;
      *)
        if [[ $chapter ]]; then
          ! is_chapter "$1" || die_of_usage test "test takes one chapter; or all, without a number"
          words+=("$1")
        else
          chapter=$(find_chapter "$1")
        fi
        ;;
    esac
    shift
  done
  find_build_folder "$preset" >/dev/null
  if ((${#words[@]})); then
    [[ ! $regex ]] || die_of_usage test "give -R or words, not both"
    regex=$(print_regex_of_words "${words[@]}")
  fi
  if [[ $server ]]; then
    [[ $chapter ]] || die_of_usage test "--server needs a chapter, whose tests it is to pass"
    server=$(find_executable "$server")
  fi

  need test
  [[ ! $regex ]] || demand_regex "$regex"
  if [[ $chapter ]]; then
    build "$preset" "$chapter-tests"
  else
    build "$preset" all
  fi
  run_tests "$chapter" "$preset" "$regex" "$server"
}

# Is WORD the number or the whole name of a chapter? A part of a name, such as fork, may well be a test's word.
is_chapter() { # WORD
  # By the environment: awk would look for escape sequences in the value of -v.
  list_chapters | word=$1 awk '
    BEGIN { word = ENVIRON["word"] }
    $0 == word || (word ~ /^[0-9]+$/ && $0 + 0 == word + 0) { found = 1 }
    END { exit !found }'
}

# ctest complains of a regular expression that it cannot read, and then finds no test. It is asked before the
# build, in an empty folder, for it leaves a folder of its own behind.
demand_regex() { # REGEX
  local folder complaint
  folder=$(mktemp -d)
  complaint=$(cd "$folder" && ctest -N -R "$1" 2>&1 | sed -n 's/^RegularExpression::[a-z]*(): //p')
  rm -rf "$folder"
  complaint=${complaint%%$'\n'*}
  [[ ! $complaint ]] || die 2 "ctest cannot read the regular expression '$1': ${complaint%.}"
}

print_regex_of_words() { # WORD...
  local words
  words=$(printf '%s\n' "$@" | sed 's/[][().*+?^$|\\]/\\&/g')
  printf '%s\n' "${words//$'\n'/.*}"
}

# Prints the absolute path of a program that the user named from where he stands.
find_executable() { # PATH
  local path
  path=$(cd "$LEARN_FROM" && realpath -m -- "$1")
  [[ -e $path ]] || die 2 "there is no file $path"
  [[ -f $path && -x $path ]] || die 2 "$path is not an executable file"
  printf '%s\n' "$path"
}

# Runs the tests, sums them up and returns ctest's exit status.
run_tests() { # CHAPTER PRESET REGEX SERVER
  local chapter=$1 preset=$2 regex=$3 server=$4 selection=() status=0
  local report=build/.learn/report.$$ started=build/.learn/started.$$
  [[ ! $chapter ]] || selection+=(-L "^$chapter\$")
  [[ ! $regex ]] || selection+=(-R "$regex")
  # shellcheck disable=SC2064  # these two files, whatever the variables hold then
  trap "rm -f '$report' '$started'; give_build_back" EXIT
  touch "$started"

  unset SERVER
  if [[ $server ]]; then
    export SERVER=$server
  fi
  # ctest writes into a pipe: where colours are wanted it must be told.
  [[ ! $LEARN_COLOUR ]] || export CLICOLOR_FORCE=1
  run_shown pass_on ctest --preset "$preset" --parallel "$(nproc)" --output-on-failure \
    --no-tests=error --output-junit "$LEARN_ROOT/$report" "${selection[@]}" || status=$?

  if ! grep -qs '<testcase ' "$report"; then
    echo
    warn "there is no test of ${chapter:-any chapter}${regex:+ whose name fits: $regex}"
    return "$status"
  fi
  # A part of the tests, or another server, says nothing about the chapter as a whole.
  if [[ $preset == default && ! $regex && ! $server ]]; then
    record_results "$report" "$started"
  fi
  print_summary "$report" "$status" | pass_on
  return "$status"
}

# Prints a line for each chapter in a report of ctest: its name, and how many tests passed, failed and were
# skipped. The name of a test opens with its chapter: `03-fork/a second client is served`.
count_results() { # REPORT
  sed -En 's,.*<testcase name="([^"/]*)/.* status="([a-z]*)".*,\1 \2,p' "$1" |
    awk '{ seen[$1]; count[$1, $2]++ }
      END { for (name in seen)
              print name, count[name, "run"] + 0, count[name, "fail"] + 0,
                    count[name, "notrun"] + count[name, "disabled"] + 0 }' | sort
}

# Keeps each chapter's counts, dated back to the start of the tests: what was edited since is newer.
record_results() { # REPORT STARTED
  local name counts
  while read -r name counts; do
    [[ -d chapters/$name ]] || continue  # the tests of common/ belong to no chapter
    printf '%s\n' "$counts" >"build/.learn/$name"
    touch -r "$2" "build/.learn/$name"
  done < <(count_results "$1")
}

print_summary() { # REPORT STATUS
  local name passed failed skipped
  echo
  while read -r name passed failed skipped; do
    printf '%-20s  %s passed' "$name" "$passed"
    ((failed == 0)) || printf ', %s' "$(paint red "$failed failed")"
    ((skipped == 0)) || printf ', %s' "$(paint yellow "$skipped skipped")"
    echo
  done < <(count_results "$1")
  if (($2 == 0)); then
    paint green "every test that ran passed"
  else
    paint red "not every test passed: what the failed ones say is above"
  fi
  echo
}
