# shellcheck shell=bash
# What the chapters declare of themselves in their CMakeLists.txt, for the commands of ./learn and the author's tools:
#
#   add_chapter(SOURCE... [SIDE_ROAD] [BEGINS THING...] [ENDS THING...])
#
# (cmake/chapters.cmake says what a thing and what a side road is. The sources stand on the line of the bracket.) ROOT is the project's folder.

# Prints the names of the chapters. A chapter is a folder that declares itself: it is called NN-name, its
# CMakeLists.txt calls add_chapter, and tests/chapters/NN-name.cpp has its tests. A backup, a note, a reader's own
# folder beside the chapters is none. (cmake/chapters.cmake and tools/chapters.mjs hold the same rule.)
list_chapters() { # [ROOT]
  local root=${1:-.} path name
  { grep -ls '^add_chapter(' "$root"/chapters/*/CMakeLists.txt || true; } | while read -r path; do
    path=${path%/CMakeLists.txt}
    name=${path##*/}
    if [[ $name =~ ^[0-9][0-9]-[a-z0-9-]+$ && -e $root/tests/chapters/$name.cpp ]]; then
      printf '%s\n' "$name"
    fi
  done
}

# Prints the folder's name of the chapter that is called so without its number: 03-fork of fork. Nothing where there is
# none.
full_name() { # ROOT NAME
  list_chapters "$1" | name=$2 awk '{ bare = $0; sub(/^[0-9]+-/, "", bare) } bare == ENVIRON["name"]'
}

# Prints the chapters that are side roads: no later one builds on their code.
list_side_roads() { # [ROOT]
  local chapter root=${1:-.}
  list_chapters "$root" | while read -r chapter; do
    ! grep -qzE '(^|\n)add_chapter\([^)]*[[:space:]]SIDE_ROAD[[:space:])]' "$root/chapters/$chapter/CMakeLists.txt" ||
      printf '%s\n' "$chapter"
  done
}

is_side_road() { # CHAPTER [ROOT]
  list_side_roads "${2:-.}" | grep -xF -e "$1" >/dev/null
}

# Prints the chapter from which CHAPTER goes on: the one before it, side roads passed over. Nothing for the first.
# (cmake/chapters.cmake and tools/chapters.mjs hold the same rule.)
find_chapter_before() { # CHAPTER [ROOT]
  list_chapters "${2:-.}" | chapter=$1 sides=$(list_side_roads "${2:-.}") awk '
    BEGIN { count = split(ENVIRON["sides"], names, "\n"); for (i = 1; i <= count; i++) is_side[names[i]] = 1 }
    $0 == ENVIRON["chapter"] { if (before != "") print before; exit }
    !($0 in is_side) { before = $0 }'
}

# Prints the side roads between the chapter from which CHAPTER goes on and itself, a line each.
list_passed_over() { # CHAPTER [ROOT]
  local before
  before=$(find_chapter_before "$1" "${2:-.}")
  list_chapters "${2:-.}" | chapter=$1 before=$before awk '
    $0 == ENVIRON["chapter"] { exit }
    seen
    $0 == ENVIRON["before"] { seen = 1 }'
}

# Prints the files that a chapter's CMakeLists.txt names, a line each.
list_declared_sources() { # FOLDER
  sed -n 's/^add_chapter(\([^)]*\).*/\1/p' "$1/CMakeLists.txt" 2>/dev/null |
    sed -E 's/(^|[[:space:]])(SIDE_ROAD|BEGINS|ENDS)([[:space:]].*|$)//' | tr -s '[:space:]' '\n' | sed '/^$/d'
}

# Prints the CMakeLists.txt of a chapter as far as it concerns its server: without what the chapter declares besides.
print_build() { # FILE
  sed -E -z ':more; s/(^|\n)(add_chapter\([^)]*[^)[:space:]])[[:space:]]+(SIDE_ROAD|BEGINS|ENDS)([[:space:]][^)]*)?\)/\1\2)/; t more' "$1"
}

# Prints what begins and ends with which chapter, a line for each: "03-fork BEGINS threads". A chapter that declares
# nothing has a line with its name alone. What a side road declares is marked: "04-exec ENDS own-echo here".
list_declarations() { # ROOT
  local chapter text
  list_chapters "$1" | while read -r chapter; do
    text=$(<"$1/chapters/$chapter/CMakeLists.txt")
    printf '%s %s\n' "$chapter" "${text//$'\n'/ }"
  done | awk '{
    chapter = $1
    print chapter
    if (!match($0, /add_chapter\([^)]*\)/)) next
    $0 = substr($0, RSTART + 12, RLENGTH - 13)
    what = here = ""
    for (i = 1; i <= NF; i++)
      if ($i == "SIDE_ROAD") here = " here"
      else if ($i == "BEGINS" || $i == "ENDS") what = $i
      else if (what != "") print chapter, what, $i here
  }'
}

# Prints the things that a chapter has: what has begun with it or before, and has not ended. What a side road declares
# holds for it alone.
list_things() { # ROOT CHAPTER
  list_declarations "$1" | awk -v wanted="$2" '
    $1 == wanted { seen = 1 }
    seen && $1 != wanted { exit }
    $4 == "here" && $1 != wanted { next }
    $2 == "BEGINS" { has[$3] = 1 }
    $2 == "ENDS" { delete has[$3] }
    END { for (thing in has) print thing }' | sort
}

has_thing() { # ROOT CHAPTER THING
  list_things "$1" "$2" | grep -xF -e "$3" >/dev/null
}

# Prints the chapter with which a thing begins for the first time.
find_first_with() { # ROOT THING
  list_declarations "$1" | awk -v thing="$2" '!found && $2 == "BEGINS" && $3 == thing { print $1; found = 1 }'
}
