# shellcheck shell=bash
# ./learn doctor
# Say what this machine has of what the chapters need, what is missing, and how to get it.
#
# ok       it is there
# missing  run or test cannot work without it: the exit status is then 1
# note     not needed for run and test, but worth knowing

main() {
  (($# == 0)) || die_of_usage doctor "doctor takes no arguments"
  local sick=0
  check_path || sick=1
  check_compiler || sick=1
  check_cmake || sick=1
  check_library ninja "ninja $(print_version ninja)" || sick=1
  check_library cxxopts "cxxopts" || sick=1
  check_library catch2 "Catch2 $(find_catch2_version || true)" || sick=1
  check_library liburing "liburing" || sick=1
  check_strace || sick=1
  check_tcpdump
  check_tool node "node $(print_version node)" "trace, capture, watch and bench"
  check_tool npm "npm $(print_version npm)" "book"
  check_tool git "git $(print_version git)" "diff"
  check_tool nc "nc" "talking to a server by hand"
  check_tool haproxy "haproxy" "fleet"
  check_recording
  check_kernel
  check_io_uring
  check_limits
  if ((sick)) && [[ $(find_package_manager) == apt ]]; then
    echo
    echo "./learn test offers to install what is missing; ./learn --yes test does it without asking."
  fi
  return "$sick"
}

report() { # ok|missing|note TEXT...
  local mark=$1 style
  shift
  case $mark in
    ok) style=green ;;
    missing) style=red ;;
    *) style=yellow ;;
  esac
  printf '%s  %s\n' "$(paint $style "$(printf '%-7s' "$mark")")" "$*"
}

report_missing() { # PART
  local package
  package=$(list_packages "$1")
  case $(find_package_manager) in
    apt)
      if [[ $1 == catch2 ]] && wants_backports; then
        package="-t bookworm-backports catch2"
      fi
      report missing "$1: $(print_sudo)apt-get install $package"
      ;;
    dnf) report missing "$1: $(print_sudo)dnf install $package" ;;
    pacman) report missing "$1: $(print_sudo)pacman -S --needed $package" ;;
    *) report missing "$1" ;;
  esac
  return 1
}

print_version() { # PROGRAM, which may be absent
  if has_any "$1"; then
    "$1" --version 2>&1 | sed -n '1s/^.*version //;1p'
  fi
}

check_library() { # PART TEXT
  if has_part "$1"; then
    report ok "$2"
  else
    report_missing "$1"
  fi
}

check_tool() { # PROGRAM TEXT WHAT-FOR
  if has_any "$1"; then
    report ok "$2"
  else
    report note "no $1, which is for $3"
  fi
}

check_recording() {
  local missing
  missing=$(list_missing_parts replay)
  if [[ $missing ]]; then
    report note "no ${missing//$'\n'/, no }, which is for replay --record"
  else
    report ok "what replay --record needs"
  fi
}

check_compiler() {
  local compiler complaint
  compiler=$(find_compiler) || {
    [[ ! ${CXX:-} ]] || report note "CXX names '$CXX', and there is no such compiler"
    report_missing compiler
    return
  }
  complaint=$(explain_old_compiler)
  if [[ $complaint ]]; then
    report missing "$complaint"
    return 1
  fi
  report ok "$(find_compiler_version "$compiler") ($compiler)"
}

check_cmake() {
  local complaint
  has_part cmake || {
    report_missing cmake
    return
  }
  complaint=$(explain_old_cmake)
  if [[ $complaint ]]; then
    report missing "$complaint"
    return 1
  fi
  report ok "cmake $(print_version cmake)"
}

check_strace() {
  if ! has_part strace; then
    report_missing strace
  elif strace -o /dev/null true 2>/dev/null; then
    report ok "strace, and it may trace ($(print_version strace))"
  else
    report missing "the right to trace: strace cannot follow even its own child (in a container: run it with" \
      "--cap-add=SYS_PTRACE; elsewhere: /proc/sys/kernel/yama/ptrace_scope, which is" \
      "$(cat /proc/sys/kernel/yama/ptrace_scope 2>/dev/null || echo absent))"
    return 1
  fi
}

check_tcpdump() {
  if ! has_part tcpdump; then
    report note "no tcpdump, which is for capture"
  elif may_capture; then
    report ok "tcpdump, and you may capture"
  else
    report note "tcpdump, but you may not capture: $(explain_capture_right)"
  fi
}

check_kernel() {
  local release
  release=$(uname -r)
  if [[ $(uname -s) != Linux ]]; then
    report missing "Linux: the chapters use its system calls"
  elif is_new_enough "$release" 6.1; then
    report ok "Linux $release"
  else
    report note "Linux $release: the chapters on io_uring were tried on 6.1 and newer"
  fi
}

# What the setting says is not all: a container's filter forbids io_uring without a word. So a ring is made.
check_io_uring() {
  local remedy without complaint status=0
  without="the chapters from $(find_first_with . liburing) on cannot run, and their tests are skipped"
  remedy=$without
  case $(cat /proc/sys/kernel/io_uring_disabled 2>/dev/null) in
    2) remedy="sysctl kernel.io_uring_disabled is 2, and 0 allows it" ;;
    1) remedy="sysctl kernel.io_uring_disabled is 1: only root and one group may; 0 allows it to all" ;;
    *) remedy+=" (a container: run it with --security-opt seccomp=unconfined, or a profile that allows io_uring)" ;;
  esac
  complaint=$(try_io_uring) || status=$?
  case $status in
    0) report ok "io_uring, and you may use it" ;;
    1) report note "io_uring is forbidden here ($complaint): $remedy" ;;
    3) report note "this kernel has no io_uring ($complaint): $without" ;;
    *) report note "io_uring: without a compiler that works nobody can tell whether it is allowed here" ;;
  esac
}

# Prints the error of the first of io_uring's calls that fails. The exit status tells why: 1 it is forbidden, 3 it is
# not there, another one when nothing could be tried.
try_io_uring() {
  local folder compiler status=0
  compiler=$(find_compiler) && folder=$(mktemp -d) || return 2
  if "$compiler" -o "$folder/make-ring" tools/learn/make-ring.cpp &>/dev/null; then
    "$folder/make-ring" || status=$?
  else
    status=2
  fi
  rm -rf "$folder"
  return "$status"
}

# A path that the build tools take apart is told by run and test, too: build() refuses it.
check_path() {
  local bad
  bad=$(find_bad_character)
  if [[ $bad ]]; then
    report missing "a path that the build tools can take: $LEARN_ROOT has a $bad in it; move or rename the folder"
    return 1
  fi
  report ok "the path of this folder: $LEARN_ROOT"
}

check_limits() {
  local files processes
  files=$(ulimit -n)
  processes=$(ulimit -u)
  if [[ $files == unlimited ]] || ((files >= 1024)); then
    report ok "open files for a process: $files"
  else
    report note "open files for a process: $files; with fewer than 1024 some tests are skipped (ulimit -n 1024)"
  fi
  if [[ $processes == unlimited ]] || ((processes >= 1024)); then
    report ok "processes for a user: $processes"
  else
    report note "processes for a user: $processes; the chapters with a process per client want more (ulimit -u)"
  fi
}
