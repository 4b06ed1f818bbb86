# shellcheck shell=bash
# ./learn diff [CHAPTER | FROM TO | --practice] [--side]
# Show what changed in a chapter since the one before it, or between any two.
#
# A CMakeLists.txt in which only the chapter's name differs is left out.
#
#   --side        both versions side by side; lines marked | changed, < went, > came
#   --practice    your change in your copy of ./learn practice; when the bug is found or given up, also what is
#                 different from the chapter
#
#   ./learn diff 3
#   ./learn diff 1 3
#   ./learn diff fork --side

# shellcheck source-path=SCRIPTDIR source=side-by-side.sh
source tools/learn/side-by-side.sh

side_by_side_minimum=123  # columns: twice 60, and the mark between them

main() {
  local argument chapter chapters=() side="" from to practice=""
  for argument in "$@"; do
    case $argument in
      --side) side=1 ;;
      --practice) practice=1 ;;
      -*) die_of_usage diff "diff has no option $argument" ;;
      *)
        chapter=$(find_chapter "$argument")
        chapters+=("$chapter")
        ;;
    esac
  done
  if [[ $practice ]]; then
    ((${#chapters[@]} < 2)) ||
      die_of_usage diff "--practice compares your copy with what was given: name its chapter, or none"
    find_practice_copy "${chapters[0]:-}" --no-build
    prepare_columns
    show_practice_diff | page
    return
  fi
  case ${#chapters[@]} in
    0)
      to=$(find_last_chapter)
      from=$(find_chapter_before "$to")
      ;;
    1)
      to=${chapters[0]}
      from=$(find_chapter_before "$to")
      ;;
    2)
      from=${chapters[0]}
      to=${chapters[1]}
      [[ $from != "$to" ]] || die 2 "$from and $to are the same chapter"
      ;;
    *) die_of_usage diff "diff compares two chapters" ;;
  esac

  if [[ ! $from ]]; then
    show_first_chapter "$to" | page
    return
  fi
  prepare_columns
  show_diff "$from" "$to" "$side" | page
}

# Makes sure that there is a program that compares, and room for two columns where `side` asks for them.
prepare_columns() {
  need diff
  [[ $side ]] || return 0
  LEARN_COLUMNS=$(find_width)
  if ((LEARN_COLUMNS < side_by_side_minimum)); then
    warn "side by side needs a terminal of $side_by_side_minimum columns, and this one has $LEARN_COLUMNS:" \
      "here is the plain diff"
    side=
  fi
}

show_first_chapter() { # CHAPTER
  paint bold "$1 is the first chapter: there is none before it to compare with. Here it is, whole."
  printf '\n\n'
  cat "chapters/$1/server.cpp"
}

# On a terminal, a page at a time; less leaves at once when everything fits. Whoever quits it early has seen
# enough: that is no failure of the command that was still writing.
page() {
  if [[ -t 1 ]] && is_capable && has_any less; then
    less -RF
    cat >/dev/null
  else
    pass_on
  fi
}

show_diff() { # FROM TO SIDE
  local from=$1 to=$2 side=$3 file files=() added removed counts
  mapfile -t files < <(list_changed_files "$from" "$to")
  read -r added removed < <(count_changes "$from" "$to" "${files[@]}")
  paint bold "$from → $to: +$added -$removed lines"
  echo
  for file in "${files[@]}"; do
    echo
    if ((${#files[@]} > 1)); then
      read -r added removed < <(count_changes "$from" "$to" "$file")
      counts="+$added -$removed"
      [[ -e chapters/$from/$file ]] || counts+=", new"
      [[ -e chapters/$to/$file ]] || counts+=", gone"
      paint bold "$file ($counts)"
      echo
    fi
    show_file_diff "$from" "$to" "$file"
  done
}

show_file_diff() { # FROM TO FILE
  if [[ $side ]]; then
    run_git_diff "$1" "$2" "$3" --color=never | print_side_by_side "$LEARN_COLUMNS"
  else
    run_git_diff "$1" "$2" "$3" --color="$([[ $LEARN_COLOUR ]] && echo always || echo never)" |
      drop_git_headers
  fi
}

# What the learner has changed in the copy that find_practice_copy has found. What the bug was is shown once the learner
# knows it.
show_practice_diff() {
  LEARN_DIFF_FOLDER=${LEARN_COPY[folder]}
  show_folder_diff "your change in $LEARN_DIFF_FOLDER" .practice/given
  [[ ${LEARN_COPY[result]} != begun ]] || return 0
  echo
  show_folder_diff "what is different from the chapter, comments left out" .practice/bare
}

show_folder_diff() { # HEADING FOLDER
  local file path shown
  paint bold "$1:"
  echo
  for path in "$LEARN_DIFF_FOLDER/"{.,"$2"}/{CMakeLists.txt,*.[ch]pp}; do
    [[ ! -f $path ]] || printf '%s\n' "${path##*/}"
  done | LC_ALL=C sort -u | while read -r file; do
    if cmp -s "$LEARN_DIFF_FOLDER/$2/$file" "$LEARN_DIFF_FOLDER/$file"; then
      continue
    fi
    paint bold "$file"
    echo
    show_file_diff "$2" . "$file"
  done | {
    IFS= read -r shown || { echo "nothing"; return 0; }
    printf '%s\n' "$shown"
    cat
  }
}

# Prints the files that differ, the server first.
list_changed_files() { # FROM TO
  local file
  {
    echo server.cpp
    {
      list_chapter_files "$1"
      list_chapter_files "$2"
    } | LC_ALL=C sort
  } | awk '!seen[$0]++' | while read -r file; do
    if ! is_unchanged "$1" "$2" "$file"; then
      printf '%s\n' "$file"
    fi
  done
}

is_unchanged() { # FROM TO FILE
  local old=chapters/$1/$3 new=chapters/$2/$3
  [[ -f $old && -f $new ]] || return 1
  if [[ $3 == CMakeLists.txt ]]; then
    sed "s/$1/$2/g" "$old" | cmp -s - "$new"
  else
    cmp -s "$old" "$new"
  fi
}

count_changes() { # FROM TO FILE...
  local from=$1 to=$2 file
  shift 2
  for file in "$@"; do
    run_git_diff "$from" "$to" "$file" --numstat
  done | awk '{ added += $1; removed += $2 } END { print added + 0, removed + 0 }'
}

# Compares one file of two chapters as git does on a machine where nobody has configured anything: it stands in
# chapters/ (or LEARN_DIFF_FOLDER) and may not look above that, so it finds no repository, and reads no one's settings.
run_git_diff() { # FROM TO FILE OPTION...
  local old=$1/$3 new=$2/$3 status=0
  shift 3
  (
    cd "${LEARN_DIFF_FOLDER:-chapters}"
    [[ -e $old ]] || old=/dev/null
    [[ -e $new ]] || new=/dev/null
    unset GIT_DIR GIT_WORK_TREE GIT_EXTERNAL_DIFF GIT_DIFF_OPTS GIT_CONFIG_PARAMETERS GIT_CONFIG_COUNT
    export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1 GIT_CEILING_DIRECTORIES=$LEARN_ROOT:$LEARN_ROOT/practice
    git --no-pager -c core.pager= diff --no-index --no-ext-diff --no-prefix --histogram "$@" -- "$old" "$new"
  ) || status=$?
  ((status <= 1))  # 1 means that the files differ
}

# Leaves out what only git needs to know.
drop_git_headers() {
  awk '{ text = $0; gsub(/\033\[[0-9;]*m/, "", text) }
    text !~ /^(diff --git|index|new file mode|deleted file mode|old mode|new mode) /'
}
