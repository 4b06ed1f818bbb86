# shellcheck shell=bash
# ./learn diff [CHAPTER | FROM TO | --practice] [--side] [--file NAME]
# Show what changed in a chapter since the one before it, or between any two.
#
# A side road is passed over: no later chapter builds on its code, so the chapter after it is compared with the one from
# which the road was left. The other diff is there when both chapters are named.
#
# It begins with the files: which are new, which have changed, and which are as they were. Lines that have only moved,
# within a file or into another, are marked < where they stood and > where they stand now. A CMakeLists.txt in which
# only the chapter's name differs is left out, and so is what it declares for the tests.
#
#   --side         both versions side by side; lines marked | changed, < went, > came, m moved
#   --file NAME    this file alone
#   --practice     your change in your copy of ./learn practice; when the bug is found or given up, also what is
#                  different from the chapter
#
#   ./learn diff 3
#   ./learn diff 1 3
#   ./learn diff fork --side
#   ./learn diff 20 --file runtime/reactor.hpp

# shellcheck source-path=SCRIPTDIR source=side-by-side.sh
source tools/learn/side-by-side.sh

side_by_side_minimum=123  # columns: twice 60, and the mark between them

main() {
  local chapter chapters=() side="" wanted="" from to practice="" passed=""
  while (($#)); do
    case $1 in
      --side) side=1 ;;
      --practice) practice=1 ;;
      --file)
        [[ ${2:-} ]] || die_of_usage diff "--file needs the name of a file"
        wanted=$2
        shift
        ;;
      --file=*)
        wanted=${1#*=}
        [[ $wanted ]] || die_of_usage diff "--file needs the name of a file"
        ;;
      -*) die_of_usage diff "diff has no option $1" ;;
      *)
        chapter=$(find_chapter "$1")
        chapters+=("$chapter")
        ;;
    esac
    shift
  done
  if [[ $practice ]]; then
    ((${#chapters[@]} < 2)) ||
      die_of_usage diff "--practice compares your copy with what was given: name its chapter, or none"
    [[ ! $wanted ]] || die_of_usage diff "--practice shows all that you have changed, without --file"
    find_practice_copy "${chapters[0]:-}" --no-build
    prepare_columns
    show_practice_diff | page
    return
  fi
  case ${#chapters[@]} in
    0 | 1)
      to=${chapters[0]:-}
      [[ $to ]] || to=$(find_last_chapter)
      from=$(find_chapter_before "$to")
      passed=$(list_passed_over "$to")
      ;;
    2)
      from=${chapters[0]}
      to=${chapters[1]}
      [[ $from != "$to" ]] || die 2 "$from and $to are the same chapter"
      ;;
    *) die_of_usage diff "diff compares two chapters" ;;
  esac

  [[ ! $wanted ]] || wanted=$(find_file "$wanted" "$from" "$to")
  if [[ ! $from ]]; then
    show_first_chapter "$to" "${wanted:-server.cpp}" | page
    return
  fi
  prepare_columns
  compare_chapters "$from" "$to"
  {
    print_passed "$from" "$to" "$passed"
    show_diff "$from" "$to" "$side" "$wanted"
  } | page
}

# Says which side road the diff passes over, and how to see the other diff.
print_passed() { # FROM TO CHAPTERS
  local last=${3##*$'\n'}
  [[ $3 ]] || return 0
  if [[ $last == "$3" ]]; then
    printf '%s is a side road' "$last"
  else
    printf '%s are side roads' "${3//$'\n'/ and }"
  fi
  printf ': this is the difference from %s; ./learn diff %d %d shows the other\n' "$1" "$((10#${last%%-*}))" "$((10#${2%%-*}))"
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

# Prints the name, in a chapter's folder, of the file that is meant by WORD: that name, or the path of the file.
find_file() { # WORD FROM TO
  local chapter files=() file name nearest
  mapfile -t files < <(for chapter in "${@:2}"; do [[ ! $chapter ]] || list_chapter_files "$chapter"; done | awk '!seen[$0]++')
  name=${1#"${1%%[!./]*}"}
  name=${name#chapters/}
  for chapter in "${@:2}"; do
    [[ ! $chapter ]] || name=${name#"$chapter/"}
  done
  for file in "${files[@]}"; do
    if [[ $name == "$file" ]]; then
      printf '%s\n' "$file"
      return
    fi
  done
  nearest=$(printf '%s\n' "${files[@]}" | find_nearest "$name")
  die 2 "there is no file '$1' in ${3}${2:+ or $2}${nearest:+; did you mean $nearest?} (all of them: ${files[*]})"
}

show_first_chapter() { # CHAPTER FILE
  paint bold "$1 is the first chapter: there is none before it to compare with. Here it is, whole."
  printf '\n\n'
  cat "chapters/$1/$2"
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

# Writes into the new folder LEARN_DIFF what has changed: "numbers" has a line "ADDED REMOVED MOVED FILE" for each file
# that differs, "text" the diff of all of them, plain and without what only git needs to know.
compare_chapters() { # FROM TO
  local from=$1 to=$2 file
  LEARN_DIFF=$(mktemp -d) || die 1 "cannot make a temporary folder; the reason is above"
  trap 'rm -rf "$LEARN_DIFF"' EXIT
  # Only what belongs to the chapters, in one comparison: a line that goes into another file is to be seen as moved.
  mkdir "$LEARN_DIFF/$from" "$LEARN_DIFF/$to"
  while read -r file; do
    copy_file "$from" "$file"
    copy_file "$to" "$file"
  done < <(list_files "$from" "$to" | drop_unchanged "$from" "$to")
  printf '%s\n' '*/server.cpp' '*' >"$LEARN_DIFF/order"
  run_git_diff "$LEARN_DIFF" "$from" "$to" -Oorder >"$LEARN_DIFF/text"
  awk -v to="$to" -v from="$from" '
    /^--- / { old = $2; inside = 0 }
    /^\+\+\+ / && !inside { file = $2 == "/dev/null" ? substr(old, length(from) + 2) : substr($2, length(to) + 2); files[++count] = file }
    /^@@/ { inside = 1 }
    inside && /^[+>]/ { added[file]++ }
    inside && /^[-<]/ { removed[file]++ }
    inside && /^>/ { moved[file]++ }
    END { for (i = 1; i <= count; i++) print added[files[i]] + 0, removed[files[i]] + 0, moved[files[i]] + 0, files[i] }
  ' "$LEARN_DIFF/text" >"$LEARN_DIFF/numbers"
}

copy_file() { # CHAPTER FILE
  if [[ -f chapters/$1/$2 ]]; then
    mkdir -p "$LEARN_DIFF/$1/$(dirname "$2")"
    if [[ $2 == CMakeLists.txt ]]; then
      print_build "chapters/$1/$2" >"$LEARN_DIFF/$1/$2"
    else
      cp "chapters/$1/$2" "$LEARN_DIFF/$1/$2"
    fi
  fi
}

show_diff() { # FROM TO SIDE WANTED-FILE
  local from=$1 to=$2 side=$3 wanted=$4 file added removed moved
  if [[ $wanted ]]; then
    if is_unchanged "$from" "$to" "$wanted"; then
      paint bold "$from → $to: $wanted is as it was"
      echo
      return
    fi
    print_sum "$from → $to, $wanted" < <(grep " $wanted\$" "$LEARN_DIFF/numbers")
  else
    print_sum "$from → $to" <"$LEARN_DIFF/numbers"
    print_files "$from" "$to"
  fi
  while read -r added removed moved file; do
    [[ ! $wanted || $file == "$wanted" ]] || continue
    echo
    if [[ ! $wanted ]] && (($(wc -l <"$LEARN_DIFF/numbers") > 1)); then
      paint bold "$file ($(print_counts "$from" "$to" "$file" "$added" "$removed"))"
      echo
    fi
    print_diff_of "$from" "$to" "$file" | show_file_diff
  done <"$LEARN_DIFF/numbers"
}

show_file_diff() { # the diff on stdin
  if [[ $side ]]; then
    print_side_by_side "$LEARN_COLUMNS"
  else
    paint_diff
  fi
}

# What the learner has changed in the copy that find_practice_copy has found. What the bug was is shown once the learner
# knows it.
show_practice_diff() {
  show_folder_diff "your change in ${LEARN_COPY[folder]}" "${LEARN_COPY[folder]}" .practice/given
  [[ ${LEARN_COPY[result]} != begun ]] || return 0
  echo
  show_folder_diff "what is different from the chapter, comments left out" "${LEARN_COPY[folder]}" .practice/bare
}

show_folder_diff() { # HEADING COPY FOLDER-IN-IT
  local file shown
  paint bold "$1:"
  echo
  {
    list_code "$2"
    list_code "$2/$3"
  } | LC_ALL=C sort -u | while read -r file; do
    if cmp -s "$2/$3/$file" "$2/$file"; then
      continue
    fi
    paint bold "$file"
    echo
    run_git_diff "$2" "$3/$file" "./$file" | show_file_diff
  done | {
    IFS= read -r shown || { echo "nothing"; return 0; }
    printf '%s\n' "$shown"
    cat
  }
}

# Prints the code below a folder, by its names there; a folder whose name begins with a dot is left out.
list_code() { # FOLDER
  (cd "$1" && find . -path './.*' -prune -o -type f \( -name CMakeLists.txt -o -name '*.[ch]pp' \) -printf '%P\n')
}

# Prints the first lines: how many lines have come and gone, and how many of them have only moved.
print_sum() { # WHAT, the numbers on stdin
  local added moved removed
  read -r added removed moved < <(awk '{ added += $1; removed += $2; moved += $3 } END { print added + 0, removed + 0, moved + 0 }')
  paint bold "$1: +$added -$removed lines"
  echo
  case $moved in
    0) ;;
    1) echo "1 line of these has moved: < where it stood, > where it stands now" ;;
    *) echo "$moved lines of these have moved: < where they stood, > where they stand now" ;;
  esac
}

# Prints all files of both chapters, a line each, and what has become of it.
print_files() { # FROM TO
  local file added removed moved
  while read -r file; do
    if is_unchanged "$1" "$2" "$file"; then
      [[ $file == CMakeLists.txt ]] || printf '  %-24s unchanged\n' "$file"
    else
      read -r added removed moved _ < <(grep " $file\$" "$LEARN_DIFF/numbers")
      printf '  %-24s %s%s\n' "$file" "$(print_fate "$1" "$2" "$file") +$added -$removed" \
        "$( ((moved == 0)) || echo ", $moved moved here")"
    fi
  done < <(list_files "$1" "$2")
}

print_fate() { # FROM TO FILE
  if [[ ! -e chapters/$1/$3 ]]; then
    echo new
  elif [[ ! -e chapters/$2/$3 ]]; then
    echo gone
  else
    echo changed
  fi
}

print_counts() { # FROM TO FILE ADDED REMOVED
  local fate
  fate=$(print_fate "$1" "$2" "$3")
  [[ $fate != changed ]] || fate=
  printf '%s' "+$4 -$5${fate:+, $fate}"
}

# Prints the files of two chapters, the server first.
list_files() { # FROM TO
  {
    echo server.cpp
    {
      list_chapter_files "$1"
      list_chapter_files "$2"
    } | LC_ALL=C sort
  } | awk '!seen[$0]++'
}

drop_unchanged() { # FROM TO, files on stdin
  local file
  while read -r file; do
    if ! is_unchanged "$1" "$2" "$file"; then
      printf '%s\n' "$file"
    fi
  done
}

is_unchanged() { # FROM TO FILE
  local old=chapters/$1/$3 new=chapters/$2/$3
  [[ -f $old && -f $new ]] || return 1
  if [[ $3 == CMakeLists.txt ]]; then
    print_build "$old" | sed "s/$1/$2/g" | cmp -s - <(print_build "$new")
  else
    cmp -s "$old" "$new"
  fi
}

# Prints how two files or folders in FOLDER differ, as git says it on a machine where nobody has configured anything: it
# stands there and may not look above that, so it finds no repository, and reads no one's settings. Its colours say what
# has moved; they become marks.
run_git_diff() { # FOLDER OLD NEW OPTION...
  local folder=$1 old=$2 new=$3 status=0
  shift 3
  (
    cd "$folder"
    [[ -e $old ]] || old=/dev/null
    [[ -e $new ]] || new=/dev/null
    unset GIT_DIR GIT_WORK_TREE GIT_EXTERNAL_DIFF GIT_DIFF_OPTS GIT_CONFIG_PARAMETERS GIT_CONFIG_COUNT
    export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1 GIT_CEILING_DIRECTORIES=${PWD%/*}
    git --no-pager -c core.pager= -c core.quotePath=false \
      -c color.diff.old=red -c color.diff.new=green -c color.diff.oldMoved=magenta -c color.diff.newMoved=cyan \
      -c color.diff.oldMovedAlternative=magenta -c color.diff.newMovedAlternative=cyan \
      diff --no-index --no-ext-diff --no-prefix --no-renames --histogram --ws-error-highlight=none \
      --color=always --color-moved=zebra --color-moved-ws=allow-indentation-change "$@" -- "$old" "$new"
  ) | mark_moved || status=$?
  ((status <= 1))  # 1 means that the files differ
}

# Takes git's colours away, and with them what only git needs to know; where the colour is that of a moved line, the
# line begins with < or >.
mark_moved() {
  awk '{
    mark = /^\033\[35m-/ ? "<" : /^\033\[36m\+/ ? ">" : ""
    gsub(/\033\[[0-9;]*m/, "")
    if (mark != "") $0 = mark substr($0, 2)
    if ($0 !~ /^(diff --git|index|new file mode|deleted file mode|old mode|new mode) /) print
  }'
}

# Prints one file's part of the diff.
print_diff_of() { # FROM TO FILE
  awk -v old="$1/$3" -v new="$2/$3" '
    /^--- / { head = $0; inside = 0; next }
    /^\+\+\+ / && head != "" { inside = ($2 == new || ($2 == "/dev/null" && head == "--- " old)); if (inside) { print head; } head = "" }
    inside' "$LEARN_DIFF/text"
}

# Paints a diff on stdin, where there are colours.
paint_diff() {
  awk -v colour="$LEARN_COLOUR" '
    function paint(code) { return "\033[" code "m" $0 "\033[m" }
    !colour { print; next }
    /^(--- |\+\+\+ )/ && !inside { print paint(1); next }
    /^@@/ { inside = 1; at = index(substr($0, 3), "@@") + 3; print "\033[36m" substr($0, 1, at) "\033[m" substr($0, at + 1); next }
    /^-/ { print paint(31); next }
    /^\+/ { print paint(32); next }
    /^</ { print paint(35); next }
    /^>/ { print paint(36); next }
    { print }'
}
