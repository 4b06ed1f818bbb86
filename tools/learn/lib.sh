# shellcheck shell=bash
# What the commands of ./learn share: messages, finding chapters and commands, running and building.
# The caller has set LEARN_ROOT and stands in that folder.

# --- Messages -------------------------------------------------------------------------------------

say() { printf '%s\n' "$*" >&2; }

warn() { say "${0##*/}: $*"; }

die() { # EXIT-CODE MESSAGE...
  local code=$1
  shift
  warn "$@"
  exit "$code"
}

# Refuses a command line: what is wrong with it, and how it should look.
die_of_usage() { # COMMAND MESSAGE...
  local command=$1
  shift
  warn "$@"
  say "usage: $(print_usage "$command")   (more: ./learn help $command)"
  exit 2
}

# Can the terminal do more than print one line under the other?
is_capable() { [[ ${TERM:-dumb} != dumb ]]; }

# Colours are decided once, here: later stdout may be a pipe to the pager. CMake and ctest are told, too.
LEARN_COLOUR=
export CLICOLOR=0
unset CLICOLOR_FORCE
if [[ -t 1 && -z ${NO_COLOR:-} ]] && is_capable; then
  LEARN_COLOUR=1
  unset CLICOLOR
fi
export LEARN_COLOUR

# Prints how many columns the terminal has.
find_width() {
  local size
  if [[ ${COLUMNS:-} =~ ^[0-9]+$ ]]; then
    printf '%s\n' "$COLUMNS"
  elif size=$(stty size 2>/dev/null <&2) && [[ $size =~ \ ([1-9][0-9]*)$ ]]; then
    printf '%s\n' "${BASH_REMATCH[1]}"
  else
    tput cols 2>/dev/null || echo 80
  fi
}

# Prints what comes on stdin. A reader that leaves early (| head) has seen enough, and what is still to come is taken
# for it, so that the work goes on to its end; that it cannot be written, as on a full disk, is a failure.
pass_on() {
  local complaint status=0
  { complaint=$(LC_ALL=C cat 2>&1 >&3) || status=$?; } 3>&1
  if [[ $complaint == *"Broken pipe" ]] || ((status > 128)); then  # SIGPIPE, or the same where it is ignored
    cat >/dev/null
  elif ((status)); then
    cat >/dev/null
    die 1 "cannot write to stdout: ${complaint##*: }"
  fi
}

paint() { # STYLE TEXT
  local code
  case $1 in
    bold) code=1 ;;
    faint) code=2 ;;
    red) code=31 ;;
    green) code=32 ;;
    yellow) code=33 ;;
    cyan) code=36 ;;
    *) code=0 ;;
  esac
  if [[ $LEARN_COLOUR ]]; then
    printf '\033[%sm%s\033[m' "$code" "$2"
  else
    printf '%s' "$2"
  fi
}

# --- Nearest words --------------------------------------------------------------------------------

# Prints the candidate (one a line on stdin) that WORD was probably meant to be, or nothing. A candidate
# `fork=03-fork` is compared as `fork` and printed as `03-fork`. Two neighbouring letters swapped count as
# one mistake; one mistake for every three letters, and at least one, is near enough.
find_nearest() { # WORD
  awk -v word="$1" '
    function min(a, b) { return a < b ? a : b }
    function distance(a, b,    i, j, same, d) {
      for (i = 0; i <= length(a); i++) d[i, 0] = i
      for (j = 0; j <= length(b); j++) d[0, j] = j
      for (i = 1; i <= length(a); i++)
        for (j = 1; j <= length(b); j++) {
          same = substr(a, i, 1) == substr(b, j, 1)
          d[i, j] = min(min(d[i - 1, j], d[i, j - 1]) + 1, d[i - 1, j - 1] + !same)
          if (i > 1 && j > 1 && substr(a, i, 1) == substr(b, j - 1, 1) && substr(a, i - 1, 1) == substr(b, j, 1))
            d[i, j] = min(d[i, j], d[i - 2, j - 2] + 1)
        }
      return d[length(a), length(b)]
    }
    BEGIN { limit = int(length(word) / 3); best = (limit > 1 ? limit : 1) + 1 }
    {
      split($0, pair, "=")
      d = index(pair[1], word) == 1 ? 1 : distance(word, pair[1])
      if (d < best) { best = d; found = pair[2] ? pair[2] : pair[1] }
    }
    END { if (found) print found }'
}

# --- Commands -------------------------------------------------------------------------------------

# A command's file opens with its help, as comments: the usage, what it does in a line, and the rest.
print_usage() { # COMMAND
  sed -n '2{s/^# //p;q}' "tools/learn/$1.sh"
}

print_purpose() { # COMMAND
  sed -n '3{s/^# //p;q}' "tools/learn/$1.sh"
}

find_command() { # WORD
  local command nearest
  for command in $LEARN_COMMANDS; do
    if [[ $1 == "$command" ]]; then
      printf '%s\n' "$command"
      return
    fi
  done
  nearest=$(tr ' ' '\n' <<<"$LEARN_COMMANDS" | find_nearest "$1")
  die 2 "there is no command '$1'${nearest:+; did you mean $nearest?} (all of them: ./learn help)"
}

# In `run` the options after the chapter are the server's, --help too.
asks_for_help() { # COMMAND ARGUMENT...
  local command=$1 argument
  shift
  for argument in "$@"; do
    case $argument in
      -h | --help) return 0 ;;
      --) return 1 ;;
    esac
    [[ $command != run ]] || return 1
  done
  return 1
}

# --- Chapters -------------------------------------------------------------------------------------

# shellcheck source-path=SCRIPTDIR source=chapters.sh
source tools/learn/chapters.sh

# Prints the files of a chapter, by their names in its folder: CMakeLists.txt, the sources that this names, and the
# headers that those include. What else lies there, such as an editor's backup, is not of the chapter.
list_chapter_files() { # CHAPTER
  local folder=chapters/$1 file files=() seen=" " beside
  mapfile -t files < <(list_declared_sources "$folder")
  while ((${#files[@]})); do
    file=${files[0]}
    files=("${files[@]:1}")
    if [[ $seen != *" $file "* && -f $folder/$file ]]; then
      seen+="$file "
      printf '%s\n' "$file"
      beside=
      [[ $file != */* ]] || beside=${file%/*}/  # an include may be meant from the folder of its own file
      mapfile -t -O "${#files[@]}" files < <(sed -n "s,^#include \"\([^\"]*\)\".*,$beside\1\n\1,p" "$folder/$file")
    fi
  done
  echo CMakeLists.txt
}

find_last_chapter() {
  local last
  last=$(list_chapters | tail -n 1)
  [[ $last ]] || die 1 "there is no chapter in $LEARN_ROOT/chapters"
  printf '%s\n' "$last"
}

# Prints the full name of the chapter that is meant by 3, 03, fork, 03-fork, a beginning of one of the last
# two that fits no other chapter, or the folder's path as a shell completes it.
find_chapter() { # WORD
  local name number nearest chapters=() found=()
  local word=${1%/}
  word=${word#chapters/}
  word=${word,,}
  mapfile -t chapters < <(list_chapters)
  ((${#chapters[@]})) || die 1 "there is no chapter in $LEARN_ROOT/chapters"

  if [[ $word =~ ^[0-9]+$ ]]; then
    number=${word#"${word%%[!0]*}"}
    for name in "${chapters[@]}"; do
      if [[ $((10#${name%%-*})) == "${number:-0}" ]]; then
        printf '%s\n' "$name"
        return
      fi
    done
    die 2 "there is no chapter $word: the first is ${chapters[0]}, the last ${chapters[-1]}"
  fi

  for name in "${chapters[@]}"; do
    if [[ $word == "$name" || $word == "${name#*-}" ]]; then
      printf '%s\n' "$name"
      return
    fi
    if [[ $word && ($name == "$word"* || ${name#*-} == "$word"*) ]]; then
      found+=("$name")
    fi
  done
  case ${#found[@]} in
    1) printf '%s\n' "${found[0]}" ;;
    0)
      nearest=$(printf '%s\n' "${chapters[@]}" | sed 's/^[0-9]*-\(.*\)/&\n\1=&/' | find_nearest "$word")
      die 2 "there is no chapter '$1'${nearest:+; did you mean $nearest?} (all of them: ./learn)"
      ;;
    *) die 2 "'$1' could be any of ${found[*]}" ;;
  esac
}

# Prints the absolute path of a program that the user named from where he stands.
find_executable() { # PATH
  local path
  path=$(cd "$LEARN_FROM" && realpath -m -- "$1")
  [[ -e $path ]] || die 2 "there is no file $path"
  [[ -f $path && -x $path ]] ||
    die 2 "$path is not an executable file; a script begins with a line like #!/usr/bin/env python3, and: chmod +x $path"
  printf '%s\n' "$path"
}

# --- The copy of ./learn practice ---

# Reads where the learner's copy is that is current, compiled anew where it has changed, into LEARN_COPY: its chapter,
# folder, result (begun, found, done, given-up) and server. With a CHAPTER the copy must be of that one. Ends the command
# where there is none.
find_practice_copy() { # CHAPTER [--no-build]
  local line status=0 words=(${1:+"$1"} "${@:2}") chapter folder result server
  need watch  # node
  line=$(LEARN_YES=${LEARN_YES:-} node tools/loop/practice-copy.mjs "${words[@]}") || status=$?
  ((status == 0)) || exit "$status"
  IFS=$'\t' read -r chapter folder result server <<<"$line"
  declare -gA LEARN_COPY=([chapter]=$chapter [folder]=$folder [result]=$result [server]=$server)
}

# --- Running --------------------------------------------------------------------------------------

# Runs a command in a process group of its own and returns its status. When this script is told to end, the
# whole group is ended first: with ctest its tests and their servers, with ninja its compilers. Ctrl-Z stops it with us.
# Its output must not be the terminal: a group in the background that writes there may be stopped (stty tostop).
run_in_group() { # COMMAND...
  local status
  LEARN_GROUP=
  LEARN_STOPPED=
  trap 'end_group 129' HUP
  trap 'end_group 130' INT
  trap 'end_group 143' TERM
  trap stop_group TSTP
  set -m  # gives the background command its own group, and leaves it able to receive SIGINT
  "$@" </dev/null &
  LEARN_GROUP=$!
  set +m
  while true; do
    status=0
    LEARN_STOPPED=
    wait "$LEARN_GROUP" || status=$?
    [[ $LEARN_STOPPED ]] || break  # a trap has ended the wait, and not the command
  done
  trap - HUP INT TERM TSTP
  return "$status"
}

stop_group() {
  LEARN_STOPPED=1
  [[ ! $LEARN_GROUP ]] || kill -STOP -- "-$LEARN_GROUP" 2>/dev/null || true
  kill -STOP $$
  # Here the shell has let us go on: fg, or bg.
  [[ ! $LEARN_GROUP ]] || kill -CONT -- "-$LEARN_GROUP" 2>/dev/null || true
}

# The same for a command whose output, stderr too, is to be seen: SHOW, a function, gets it on stdin and shows it.
run_shown() { # SHOW COMMAND...
  local show=$1 status=0 shown=0 pipe shower
  shift
  exec {pipe}> >(trap '' INT; "$show")
  shower=$!
  run_in_group "$@" >&"$pipe" 2>&1 {pipe}>&- || status=$?
  exec {pipe}>&-
  wait "$shower" || shown=$?
  ((status)) || status=$shown
  return "$status"
}

end_group() { # EXIT-CODE
  local tries=20
  trap '' HUP INT TERM
  if [[ $LEARN_GROUP ]]; then
    kill -TERM -- "-$LEARN_GROUP" 2>/dev/null || true
    while ((tries-- > 0)) && kill -0 -- "-$LEARN_GROUP" 2>/dev/null; do
      sleep 0.1
    done
    kill -KILL -- "-$LEARN_GROUP" 2>/dev/null || true
  fi
  give_build_back
  exit "$1"
}

# --- Building -------------------------------------------------------------------------------------

# Prints the folder into which a preset of CMakePresets.json builds.
find_build_folder() { # PRESET
  case $1 in
    default) echo build ;;
    asan | tsan | replay) echo "build-$1" ;;
    *) die 2 "there is no preset '$1': they are default, asan, tsan and replay" ;;
  esac
}

# Builds targets with a preset, configuring first where that is needed. Only one ./learn builds at a time;
# the others wait. Of the output nothing is shown unless it fails or was asked for.
build() { # PRESET TARGET...
  local preset=$1 folder lock
  shift
  folder=$(find_build_folder "$preset")
  demand_writable build
  demand_writable "$folder"
  demand_path
  mkdir -p build/.learn || die 1 "cannot make build/.learn; the reason is above"
  mend_dates
  exec {lock}>build/.learn/lock
  if ! flock --nonblock "$lock"; then
    say "waiting for another ./learn, which is building ..."
    run_in_group flock "$lock"
  fi

  configure "$preset" "$folder"
  say "building $* ...$(estimate_build "$folder" "$@")"
  run_quietly cmake --build --preset "$preset" --target "$@" ||
    die 1 "building $* failed; what the compiler says is above"

  exec {lock}>&-  # so that what runs next does not hold the lock
}

# Prints a warning when a build will take its time: all of it, and most of that is not there yet.
estimate_build() { # FOLDER TARGET...
  local folder=$1 name count=0 missing=0
  [[ $2 == all ]] || return 0
  while read -r name; do
    ((count += 1))
    [[ -x $folder/bin/$name && -x $folder/bin/$name-tests ]] || ((missing += 1))
  done < <(list_chapters)
  if ((2 * missing > count)); then
    printf ' (the first time this takes some five minutes on two cores; ./learn -v test shows it)'
  fi
}

# Prints the first character of the project's path that CMake, Ninja or the shells that they start take for something
# else than a part of a name; nothing where there is none.
find_bad_character() {
  local character
  # shellcheck disable=SC1003  # the last one is a backslash
  for character in '[' ']' ';' '#' '"' '|' '<' '>' '\'; do
    if [[ $LEARN_ROOT == *"$character"* ]]; then
      printf '%s' "$character"
      return
    fi
  done
}

demand_path() {
  local bad
  bad=$(find_bad_character)
  [[ ! $bad ]] || die 1 "the path of this folder has a character that the build tools do not take for a part of a name: $bad" \
    "in $LEARN_ROOT; move or rename the folder"
}

# Files that are dated in the future, as after a copy from a machine whose clock is ahead, are never older than what is
# built from them: CMake would run again and again, a hundred times. They get today's date.
mend_dates() {
  local file files=()
  mapfile -t files < <(find CMakeLists.txt CMakePresets.json cmake common chapters tests -newermt "@$(date +%s.%N)" 2>/dev/null)
  ((${#files[@]})) || return 0
  say "${#files[@]} files are dated in the future, ${files[0]} for one: they get today's date"
  touch -c "${files[@]}" || die 1 "and that has failed; the reason is above"
}

# Ends the command when somebody else's files are in the way: a folder in which the caller may not write, or,
# left there by another user's build, a file. What does not exist yet is looked for in the project's folder.
demand_writable() { # FOLDER
  local path=$LEARN_ROOT/$1 hindrance complaint
  [[ -e $path ]] || path=$LEARN_ROOT
  if [[ ! -w $path ]]; then
    hindrance=$path
  else
    [[ $path != "$LEARN_ROOT" ]] || return 0
    hindrance=$(find "$path" ! -type l ! -writable ! -uid "$EUID" -print -quit 2>/dev/null) || true
    [[ $hindrance ]] || return 0
  fi
  # The kernel's own reason, which for a file system that is mounted read-only is another one.
  complaint=$([[ ! -d $hindrance ]] || LC_ALL=C mktemp -d "$hindrance/.learn-XXXXXX" 2>&1) || true
  [[ $complaint != *"Read-only file system" ]] ||
    die 1 "$hindrance is on a file system that is mounted read-only, and ./learn builds in build/: work in a copy elsewhere"
  die 1 "you may not write to $hindrance: it belongs to $(stat -c '%U (%A)' "$hindrance");" \
    "work in a copy of your own, or have it given to you: $(print_sudo)chown -R $(id -un) $path"
}

# What root has built or noted under sudo goes to whoever called sudo: his next ./learn could not write there otherwise.
give_build_back() {
  local folder folders=()
  ((EUID == 0 && ${SUDO_UID:-0} != 0)) || return 0
  for folder in build build-* .learn; do
    [[ ! -d $folder ]] || folders+=("$folder")
  done
  ((${#folders[@]} == 0)) || chown -R --from=root "$SUDO_UID:${SUDO_GID:-}" "${folders[@]}" ||
    warn "what was built belongs to root now; give it back: sudo chown -R $SUDO_UID ${folders[*]}"
}

configure() { # PRESET FOLDER
  local cache=$2/CMakeCache.txt fresh=()
  if [[ -f $cache && -f $2/build.ninja && ! CMakePresets.json -nt $cache ]] && fits_cache "$cache"; then
    return
  fi
  # A cache of another folder (the tree was copied or moved) or another compiler cannot be mended in place.
  if [[ -f $cache ]] && ! fits_cache "$cache"; then
    fresh=(--fresh)
  fi
  say "configuring ${2} ..."
  run_quietly cmake --preset "$1" "${fresh[@]}" ||
    die 1 "cmake --preset $1 failed; what it says is above (./learn doctor may know why)"
  touch "$cache"  # CMake leaves an unchanged cache alone, and it would look older than the presets
}

# Was the cache made in this folder, and with the compiler that CXX names, if it names one?
fits_cache() { # CACHE
  local folder compiler wanted
  folder=$(sed -n 's/^CMAKE_HOME_DIRECTORY:INTERNAL=//p' "$1")
  [[ $folder -ef $LEARN_ROOT ]] || return 1
  [[ ${CXX:-} ]] || return 0
  compiler=$(sed -n 's/^CMAKE_CXX_COMPILER:[A-Z]*=//p' "$1")
  wanted=$(command -v "${CXX%% *}") || return 1
  [[ $compiler -ef $wanted ]]
}

run_quietly() { # COMMAND...
  local log=build/.learn/build.log status=0
  if [[ ${LEARN_VERBOSE:-} ]]; then
    run_shown pass_on_to_stderr "$@" || status=$?
  elif [[ -t 2 ]] && is_capable; then
    run_shown show_progress "$@" || status=$?
  else
    run_in_group "$@" &>"$log" || status=$?
  fi
  if ((status)) && [[ ! ${LEARN_VERBOSE:-} ]]; then
    cat "$log" >&2
  fi
  give_build_back
  return "$status"
}

pass_on_to_stderr() { cat >&2; }

# Keeps what comes on stdin in the log, and shows how far Ninja is, which opens its lines with [DONE/ALL]: a line of
# the terminal that is written over, and gone at the end.
show_progress() {
  tee build/.learn/build.log | while IFS= read -r line; do
    if [[ $line =~ ^\[([0-9]+/[0-9]+)\] ]]; then
      printf '\r\033[K  %s' "${BASH_REMATCH[1]}" >&2
    fi
  done
  printf '\r\033[K' >&2
}

# Builds a chapter's server and becomes the program tools/observe/COMMAND.mjs, which looks into it. Of the options
# that it has, those that end with = take a value. What follows `--` goes to it as it is. With --pid the server
# runs already: then there is no chapter, and nothing to build. With --practice it is the learner's copy.
exec_tool() { # COMMAND ITS-OPTIONS ARGUMENT...
  local command=$1 known=" $2 " chapter="" runs_already="" server="" practice="" option options=()
  local tool=tools/observe/$command.mjs
  shift 2
  while (($#)); do
    case $1 in
      --)
        options+=("$@")
        break
        ;;
      -*)
        option=$1
        if [[ $known == *" ${1%%=*}= "* ]]; then
          if [[ $1 != *=* ]]; then
            (($# > 1)) || die_of_usage "$command" "$1 needs a value"
            option=$1=$2  # in one word even a value like -1 is taken for one
            shift
          fi
          if [[ $option == --server=* ]]; then
            server=$(find_executable "${option#*=}")
          else
            options+=("$option")
          fi
          [[ $option != --pid=* ]] || runs_already=1
        elif [[ $1 == --practice ]]; then
          practice=1
        elif [[ $known == *" $1 "* ]]; then
          options+=("$1")
        else
          die_of_usage "$command" "$command has no option $1"
        fi
        ;;
      *)
        [[ ! $chapter ]] || die_of_usage "$command" "$command looks into one chapter at a time"
        chapter=$(find_chapter "$1")
        ;;
    esac
    shift
  done
  [[ -f $tool ]] || die 1 "$tool is missing: this copy of the project is not complete"
  [[ ${PATIENCE:-} || ${CI:-} ]] || export PATIENCE=5  # seconds: a learner sits and waits, too
  LEARN_USAGE=$(print_usage "$command")  # what the tool prints when it refuses a value
  export LEARN_USAGE

  if [[ $practice ]]; then
    [[ ! $server && ! $runs_already ]] ||
      die_of_usage "$command" "--practice names a server: give it alone, without --server and --pid"
  elif [[ $runs_already ]]; then
    [[ ! $chapter ]] || die_of_usage "$command" "--pid is for a server that runs already: name no chapter beside it"
    need "$command"
    exec node "$tool" "${options[@]}"
  fi
  [[ $chapter || $practice ]] || chapter=$(find_last_chapter)
  if [[ $server || $practice ]]; then
    need "$command"  # There is nothing to build.
  else
    need build "$command"
  fi
  if [[ $command == capture ]]; then
    may_capture || die 77 "you may not capture packets here: $(explain_capture_right)"
  fi
  if [[ $practice ]]; then
    find_practice_copy "$chapter"
    exec node "$tool" "${LEARN_COPY[folder]}" "${LEARN_COPY[server]}" "${options[@]}"
  fi
  [[ $server ]] || build default "$chapter"
  [[ ! $server ]] || chapter=${server##*/}  # what the heading calls it
  exec node "$tool" "$chapter" "${server:-build/bin/$chapter}" "${options[@]}"
}
