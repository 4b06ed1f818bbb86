# shellcheck shell=bash
# ./learn
# List the chapters, which of them are built and pass their tests, and what to do next.
#
# The results are those of the last ./learn test, kept in build/.learn/. A result is stale when
# the chapter, its tests, or what they share has changed since.

main() {
  (($# == 0)) || die_of_usage list "list takes no arguments"
  local chapter chapters=()
  find_last_chapter >/dev/null
  mapfile -t chapters < <(list_chapters)
  for chapter in "${chapters[@]}"; do
    print_chapter "$chapter"
  done
  echo
  print_next_step "${chapters[@]}"
}

print_chapter() { # CHAPTER
  local state style
  state=$(find_state "$1")
  case $state in
    passed) style=green ;;
    failed*) style=red ;;
    stale*) style=yellow ;;
    *) style=faint ;;
  esac
  printf '%-20s  %s  %s\n' "$1" "$(paint $style "$(printf '%-14s' "$state")")" "$(print_idea "$1")"
}

# The idea is the first comment of the server: `// Chapter 03: a process for every client.` A chapter whose
# server is that of the chapter before has it in its CMakeLists.txt.
print_idea() { # CHAPTER
  local idea
  idea=$(sed -n '1{s,^# Chapter [0-9]*: *,,p;q}' "chapters/$1/CMakeLists.txt")
  if [[ ! $idea ]]; then
    idea=$(sed -n '1{s,^// Chapters* [0-9 and]*: *,,;p;q}' "chapters/$1/server.cpp")
  fi
  printf '%s\n' "${idea%.}"
}

find_state() { # CHAPTER
  local passed failed result
  if [[ ! -f build/.learn/$1 ]]; then
    if [[ -x build/bin/$1 ]]; then
      echo "not tested"
    else
      echo "not built"
    fi
    return
  fi
  read -r passed failed _ <"build/.learn/$1"
  result=passed
  ((failed == 0)) || result="failed $failed of $((passed + failed))"
  if has_changed_since_test "$1"; then
    result="stale: ${result%% *}"
  fi
  printf '%s\n' "$result"
}

has_changed_since_test() { # CHAPTER
  local path paths=()
  mapfile -t paths < <(list_chapter_files "$1" | sed "s,^,chapters/$1/,")
  for path in "tests/chapters/$1.cpp" common tests/contract tests/support; do
    [[ ! -e $path ]] || paths+=("$path")
  done
  # Only what a compiler reads: an editor that leaves a backup beside it changes the folder, and no source.
  [[ $(find "${paths[@]}" \( -name '*.?pp' -o -name CMakeLists.txt \) -newer "build/.learn/$1" -print -quit) ]]
}

# What has failed or changed comes first; then the chapter after the last one that passed.
print_next_step() { # CHAPTER...
  local chapter next="" number step
  for chapter in "$@"; do
    case $(find_state "$chapter") in
      failed* | stale*)
        printf 'next: %s\n' "$(paint bold "./learn test $((10#${chapter%%-*}))")"
        return
        ;;
      passed) next= ;;
      *) next=${next:-$chapter} ;;
    esac
  done
  if [[ ! $next ]]; then
    echo "next: nothing is left to test. ./learn diff shows what the last chapter changed"
    return
  fi
  number=$((10#${next%%-*}))
  step=$(paint bold "./learn run $number")
  step+=", then $(paint bold "./learn test $number")"
  if [[ -f docs/$next.md ]]; then
    step="read docs/$next.md, $step"
  fi
  printf 'next: %s\n' "$step"
  if [[ $(list_missing_parts build) ]]; then
    echo "      (the compiler or a library is not here yet: you will be asked before anything is installed)"
  fi
}
