# shellcheck shell=bash
# How the chapters' tests stand, by the records that ./learn test leaves in build/.learn/.

# Prints passed, failed F of N, skipped (all of them), stale: with one of these words, not tested or not built.
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
  ((passed)) || result=skipped
  ((failed == 0)) || result="failed $failed of $((passed + failed))"
  if has_changed_since_test "$1"; then
    result="stale: ${result%% *}"
  fi
  printf '%s\n' "$result"
}

has_changed_since_test() { # CHAPTER
  local path paths=()
  mapfile -t paths < <(list_sources "$1")
  for path in "tests/chapters/$1.cpp" common tests/contract tests/support; do
    [[ ! -e $path ]] || paths+=("$path")
  done
  is_any_newer "build/.learn/$1" "${paths[@]}"
}

list_sources() { # CHAPTER
  list_chapter_files "$1" | sed "s,^,chapters/$1/,"
}

# Only what a compiler reads: an editor that leaves a backup beside it changes the folder, and no source.
is_any_newer() { # FILE PATH...
  [[ $(find "${@:2}" \( -name '*.?pp' -o -name CMakeLists.txt \) -newer "$1" -print -quit) ]]
}

# Prints a line for each chapter, with tabs in it: its name, the state of its tests, whether the learner has changed it
# where that is asked (changed, or -), and its idea.
list_states() {
  local chapter state changed uncommitted="" knows_git=""
  while read -r chapter; do
    state=$(find_state "$chapter")
    changed=-
    if [[ $state == failed* || $state == stale* ]]; then
      if [[ ! $knows_git ]]; then
        knows_git=no
        ! uncommitted=$(list_uncommitted_chapters) || knows_git=yes
      fi
      if [[ $knows_git == yes ]]; then
        [[ $'\n'$uncommitted$'\n' != *$'\n'$chapter$'\n'* ]] || changed=changed
      elif [[ $state == failed* ]] || is_changed_itself "$chapter"; then
        changed=changed
      fi
    fi
    printf '%s\t%s\t%s\t%s\n' "$chapter" "$state" "$changed" "$(print_idea "$chapter")"
  done < <(list_chapters)
}

is_changed_itself() { # CHAPTER
  local paths=()
  mapfile -t paths < <(list_sources "$1")
  is_any_newer "build/.learn/$1" "${paths[@]}"
}

# Prints the chapters that differ from the last commit; fails where git is not here or does not know them.
list_uncommitted_chapters() {
  has_any git || return 1
  (
    unset GIT_DIR GIT_WORK_TREE GIT_EXTERNAL_DIFF
    git ls-files --error-unmatch learn &>/dev/null || return 1
    git --no-pager diff --no-ext-diff --relative --name-only HEAD -- chapters 2>/dev/null | cut -d / -f 2 | uniq
  )
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

# What a program of tools/loop/ has to know of the machine and of the tests, in its environment.
export_states() {
  LEARN_TESTS=$(list_states)
  LEARN_CANNOT=
  # Where strace may not trace, there is nothing to predict.
  if has_part strace && ! strace -o /dev/null true 2>/dev/null; then
    LEARN_CANNOT=predict
  fi
  export LEARN_TESTS LEARN_CANNOT
}
