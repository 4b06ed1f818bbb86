# shellcheck shell=bash
# ./learn test [CHAPTER] [WORD...] [-R REGEX] [--server PATH [--all] | --practice] [--preset NAME]
# Build what is needed and run a chapter's tests: its contract, promises, limits and why. All chapters by default.
#
#   WORD...          only the tests whose names have these words, in this order
#   -R REGEX         only the tests whose names fit the regular expression
#   --server PATH    test a server of your own: a program, or a script that begins with #!
#   --all            with --server: all kinds of tests, and not only what is on the wire
#   --practice       test your copy of ./learn practice, with all kinds of tests
#   --preset NAME    default, asan (address and undefined-behaviour sanitizers) or tsan (threads)
#
# A chapter has three kinds of tests: what an echo server does on the wire; how the chapters' servers speak
# (options, messages, exit codes) and what they are made of (processes, threads, calls); and what the chapter
# cannot do, its limits. Of a server of your own only the first kind is asked. For the others it would have to be
# the chapter's server, or a copy of that with a change of yours: then say --all.
#
# A server of your own is started with the two words `--port 0`, which it may ignore. It listens on 127.0.0.1, on
# a free port that the kernel chooses (bind to port 0), and says where: its first line on stdout is
# `listening on 127.0.0.1:PORT`, and it is flushed.
#
# A test waits 5 seconds for what does not come. On a slow machine: PATIENCE=30 ./learn test
#
#   ./learn test 3
#   ./learn test 3 zombie
#   ./learn test 3 --server ~/my-server.py
#   ./learn test 3 --server build/bin/02-robust --all
#   ./learn test --preset asan

main() {
  local chapter="" preset=default regex="" server="" kinds="" practice="" words=() typed="./learn test"
  (($# == 0)) || typed+=$(printf ' %q' "$@")
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
      --all) kinds=all ;;
      --practice | --mine) practice=1 ;;
      --) ;;
      -*) die_of_usage test "test has no option $1" ;;
      *)
        if [[ $chapter ]]; then
          ! is_chapter "$1" || die_of_usage test "test takes one chapter; or all, without a number"
          words+=("$1")
        elif [[ $practice ]] && ! is_chapter "$1"; then
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
    : "${kinds:=wire}"
  fi
  [[ ! $kinds || $server || $practice ]] || die_of_usage test "--all is for --server; without it all tests run"
  if [[ $practice ]]; then
    [[ ! $server ]] || die_of_usage test "--practice names a server: give it alone, without --server"
    [[ $preset == default ]] || die_of_usage test "your copy is built without a sanitizer: --practice takes no --preset"
    kinds=all
  fi

  # What is going to fail is waited for: not for long where a learner sits and waits, too.
  if [[ ! ${PATIENCE:-} && ! ${CI:-} && $preset == default ]]; then
    export PATIENCE=5
  fi
  need test
  [[ ! $regex ]] || demand_regex "$regex"
  if [[ $practice ]]; then
    find_practice_copy "$chapter"
    chapter=${LEARN_COPY[chapter]}
    server=${LEARN_COPY[server]}
    export SERVER_WORDS=--practice  # how the tests' advice names the server
  elif [[ $server ]]; then
    demand_ready_line "$server"
  fi
  if [[ $chapter ]]; then
    build "$preset" "$chapter-tests"
  else
    build "$preset" all
  fi
  run_tests "$chapter" "$preset" "$regex" "$server" "$kinds"
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

# Ends the command when a server does not say where it listens: every test would fail, and say the same. A machine
# without io_uring is the tests' own affair: they are skipped.
demand_ready_line() { # SERVER
  local line="" words="" errors server
  errors=$(mktemp)
  # In a session of its own, so that it can be ended with all that it has started.
  exec {out}< <(exec setsid "$1" --port 0 2>"$errors" </dev/null)
  server=$!
  # shellcheck disable=SC2064  # this server, whatever the variable holds then
  trap "kill -KILL -- -$server $server 2>/dev/null || true" EXIT
  IFS= read -r -t "${PATIENCE:-30}" line <&"$out" || true
  kill -KILL -- "-$server" "$server" 2>/dev/null || true
  trap - EXIT
  exec {out}<&-
  words=$(head -c 2000 "$errors")
  rm -f "$errors"
  [[ ! $line =~ ^listening\ on\ .+:[0-9]+$ && $words != "error: io_uring"* ]] || return 0
  if [[ $line ]]; then
    warn "the first line that $1 --port 0 prints is: $line"
  else
    warn "$1 --port 0 has printed no line within ${PATIENCE:-30} seconds"
  fi
  [[ ! $words ]] || say "on stderr it says: $words"
  die 1 "the tests find a server by its first line on stdout, flushed: listening on 127.0.0.1:PORT" \
    "(more: ./learn help test)"
}

# Runs the tests, sums them up and returns ctest's exit status.
run_tests() { # CHAPTER PRESET REGEX SERVER KINDS
  local chapter=$1 preset=$2 regex=$3 server=$4 kinds=$5 selection=() status=0
  local report=build/.learn/report.$$ started=build/.learn/started.$$
  [[ ! $chapter ]] || selection+=(-L "^$chapter\$")
  if [[ $kinds == wire ]]; then
    selection+=(-L '^wire$')  # and the chapter's: ctest runs what has both labels
    say "asked of $server: what an echo server does on the wire."
    say "left out: how the chapters' servers speak and what they are made of; what ${chapter} cannot do." \
      "These too: --all"
  fi
  [[ ! $regex ]] || selection+=(-R "$regex")
  # shellcheck disable=SC2064  # these two files, whatever the variables hold then
  trap "rm -f '$report' '$started'; give_build_back" EXIT
  touch "$started"

  unset SERVER
  [[ $server && ${SERVER_WORDS:-} ]] || unset SERVER_WORDS
  if [[ $server ]]; then
    export SERVER=$server
  fi
  # ctest writes into a pipe: where colours are wanted it must be told.
  [[ ! $LEARN_COLOUR ]] || export CLICOLOR_FORCE=1
  # Two for each processor: most of a test is waiting.
  run_shown pass_on ctest --preset "$preset" --parallel "$((2 * $(nproc)))" --output-on-failure \
    --no-tests=error --output-junit "$LEARN_ROOT/$report" "${selection[@]}" || status=$?

  if ! grep -qs '<testcase ' "$report"; then
    echo
    warn "there is no test of ${chapter:-any chapter}${regex:+ whose name fits: $regex}$(
      [[ $kinds != wire ]] || printf ' (among those on the wire; all kinds: --all)')"
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

# Keeps each chapter's counts, dated back to the start of the tests: what was edited since is newer. That they ran
# goes into the journal, too, unless the machine lets none of them run.
record_results() { # REPORT STARTED
  local name passed failed skipped time lines=""
  time=$(date -u +%Y-%m-%dT%H:%M:%S.%3NZ)
  while read -r name passed failed skipped; do
    [[ -d chapters/$name ]] || continue  # the tests of common/ belong to no chapter
    printf '%s\n' "$passed $failed $skipped" >"build/.learn/$name"
    touch -r "$2" "build/.learn/$name"
    ((passed + failed == 0)) || lines+=$(print_entry "$time" "$name" "$failed")$'\n'
  done < <(count_results "$1")
  [[ ! $lines ]] || append_to_journal "$lines"
}

# Prints a line of the journal, whose form is in tools/loop/progress.mjs.
print_entry() { # TIME CHAPTER FAILED
  local result=passed
  (($3 == 0)) || result=failed
  printf '%s\t%s\ttest\tall\t-\t%s\t%s' "$1" "${2#*-}" "$result" "$3"
}

# Adds lines to .learn/progress.tsv, in one write: another command may be adding its own. A last line that was torn is
# ended first.
append_to_journal() { # LINES
  local journal=.learn/progress.tsv before="" complaint
  if [[ -s $journal ]]; then
    [[ ! $(tail -c 1 "$journal" 2>/dev/null) ]] || before=$'\n'
  else
    before="# What you have done, for ./learn: a line each. time, chapter, kind, id, hash, result, number;"
    before+=$' lines are only ever added.\n'
  fi
  complaint=$({ mkdir -p .learn && printf '%s%s' "$before" "$1" >>"$journal"; } 2>&1) ||
    warn "that the tests ran cannot be written down in $journal: ${complaint##*: }"
}

# Prints the name of the first test in a report of ctest that has failed.
find_first_failed() { # REPORT
  sed -En 's,.*<testcase name="([^"]*)".* status="fail".*,\1,p' "$1" | head -n 1 |
    sed "s/&apos;/'/g; s/&quot;/\"/g; s/&lt;/</g; s/&gt;/>/g; s/&amp;/\&/g"
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
    printf '\nbegin with the first, others may follow from it: %s' "$(find_first_failed "$1")"
    if [[ ${PATIENCE:-} == 5 ]] && grep -qs "waited 5 s" "$1"; then
      printf '\na test has waited 5 s in vain; if this machine is slow or busy: PATIENCE=30 %s' "$typed"
    fi
  fi
  echo
}
