# shellcheck shell=bash
# Installs what a command needs and the machine lacks. On Debian and Ubuntu it asks and then does it; elsewhere
# it names the packages.

declare -A APT_PACKAGE=(
  [compiler]=g++ [cmake]=cmake [ninja]=ninja-build [cxxopts]=libcxxopts-dev [catch2]=catch2
  [liburing]=liburing-dev
  [git]=git [node]=nodejs [npm]=npm [strace]=strace [tcpdump]=tcpdump
  [haproxy]=haproxy [ip]=iproute2
  [ss]=iproute2 [libdw]=libdw-dev
)
declare -A DNF_PACKAGE=(
  [compiler]=gcc-c++ [cmake]=cmake [ninja]=ninja-build [cxxopts]=cxxopts-devel [catch2]=catch-devel
  [liburing]=liburing-devel
  [git]=git [node]=nodejs [npm]=npm [strace]=strace [tcpdump]=tcpdump
  [haproxy]=haproxy [ip]=iproute
  [ss]=iproute [libdw]=elfutils-devel
)
declare -A PACMAN_PACKAGE=(
  [compiler]=gcc [cmake]=cmake [ninja]=ninja [cxxopts]=cxxopts [catch2]=catch2
  [liburing]=liburing
  [git]=git [node]=nodejs [npm]=npm [strace]=strace [tcpdump]=tcpdump
  [haproxy]=haproxy [ip]=iproute2
  [ss]=iproute2 [libdw]=libelf
)

BACKPORTS_FILE=/etc/apt/sources.list.d/bookworm-backports.sources

# Makes sure that the machine has what the groups of parts are made of, or ends the command.
need() { # GROUP...
  local missing=()
  mapfile -t missing < <(list_missing_parts "$@")
  if [[ ${CXX:-} && " ${missing[*]} " == *" compiler "* ]]; then
    die 1 "CXX names '$CXX', and there is no such compiler"
  fi
  if ((${#missing[@]})); then
    install_parts "${missing[@]}"
    mapfile -t missing < <(list_missing_parts "$@")
    ((${#missing[@]} == 0)) || die 1 "still missing after the installation: ${missing[*]}"
  fi
  if [[ " $* " == *" build "* || " $* " == *" test "* ]]; then
    refuse_old_tools
  fi
}

# --- What is there --------------------------------------------------------------------------------

list_parts() { # GROUP...
  local group
  for group in "$@"; do
    case $group in
      build) printf '%s\n' compiler cmake ninja cxxopts catch2 liburing ;;
      test) printf '%s\n' compiler cmake ninja cxxopts catch2 liburing strace ;;
      diff) printf '%s\n' git ;;
      trace) printf '%s\n' strace node ;;
      capture) printf '%s\n' tcpdump node ;;
      watch) printf '%s\n' node ;;
      bench) printf '%s\n' node ;;
      book) printf '%s\n' node npm ;;
      fleet) printf '%s\n' node haproxy ip ;;
      replay) printf '%s\n' node libdw ss tcpdump ;;
    esac
  done
}

list_missing_parts() { # GROUP...
  local part
  for part in $(list_parts "$@" | awk '!seen[$0]++'); do
    if ! has_part "$part"; then
      printf '%s\n' "$part"
    fi
  done
}

has_part() { # PART
  case $1 in
    compiler) find_compiler >/dev/null ;;
    ninja) has_any ninja ninja-build samu ;;
    cxxopts) find_under_prefixes include/cxxopts.hpp >/dev/null ;;
    catch2) find_catch2_version >/dev/null ;;
    liburing) find_under_prefixes include/liburing.h >/dev/null ;;
    libdw) find_under_prefixes include/elfutils/libdwfl.h >/dev/null ;;
    *) has_any "$1" ;;
  esac
}

has_any() { # PROGRAM...
  local program
  for program in "$@"; do
    if command -v "$program" >/dev/null; then
      return 0
    fi
  done
  return 1
}

# Opening the interface is what needs the right: -d asks for no packet, and ends at once.
may_capture() {
  tcpdump -i lo -d >/dev/null 2>&1
}

# Prints how a tcpdump that may not capture gets the right.
explain_capture_right() {
  if ((EUID == 0)); then
    printf '%s' "root may not either (in a container: run it with --cap-add=NET_RAW)"
  else
    printf 'use sudo ./learn capture, or let everybody do it with sudo setcap cap_net_raw+ep %s' "$(command -v tcpdump)"
    printf ' (setcap is in the package libcap2-bin on Debian)'
  fi
}

# Prints the compiler that CMake will choose.
find_compiler() {
  local candidate
  for candidate in ${CXX:-c++ g++ clang++}; do
    command -v "$candidate" && return
    [[ ! ${CXX:-} ]] || break  # only the first word of CXX is a program
  done
  return 1
}

# Prints the first file that fits a pattern under the places where CMake looks for libraries.
find_under_prefixes() { # PATTERN...
  local prefix pattern file prefixes=()
  IFS=: read -r -a prefixes <<<"${CMAKE_PREFIX_PATH:-}:/usr/local:/usr"
  for prefix in "${prefixes[@]}"; do
    for pattern in "$@"; do
      for file in "$prefix"/$pattern; do  # unquoted: it is a pattern
        if [[ $prefix && -e $file ]]; then
          printf '%s\n' "$file"
          return
        fi
      done
    done
  done
  return 1
}

# Prints the version of Catch2, which must be 3: a machine with Catch2 2 lacks it.
find_catch2_version() {
  local file version
  file=$(find_under_prefixes {lib,lib64,lib/*,share}/cmake/Catch2/Catch2ConfigVersion.cmake) || return 1
  version=$(sed -n 's/^set(PACKAGE_VERSION "\(3\.[0-9.]*\).*/\1/p' "$file")
  [[ $version ]] && printf '%s\n' "$version"
}

# Prints `g++ 12` or `clang++ 16`. Asking the preprocessor works whatever the program is called.
find_compiler_version() { # COMPILER
  local gnu clang
  read -r gnu clang < <(echo '__GNUC__ __clang_major__' | "$1" -E -P -x c++ - 2>/dev/null) || return 1
  case $clang in
    __clang_major__) printf 'g++ %s\n' "$gnu" ;;
    *) printf 'clang++ %s\n' "$clang" ;;
  esac
}

is_new_enough() { # VERSION FLOOR
  [[ $(printf '%s\n' "$1" "$2" | sort -V | head -n 1) == "$2" ]]
}

# Prints why the compiler will not do; nothing when it will.
explain_old_compiler() {
  local compiler version floor=12
  compiler=$(find_compiler) || return 0
  version=$(find_compiler_version "$compiler") || {
    printf '%s does not work as a C++ compiler\n' "$compiler"
    return 0
  }
  [[ $version != clang* ]] || floor=16
  if ! is_new_enough "${version#* }" "$floor"; then
    printf '%s is %s, and the chapters need g++ 12 or clang++ 16, or newer: install one and name it, ' \
      "$compiler" "$version"
    printf 'as in CXX=g++-12 ./learn test\n'
  fi
}

explain_old_cmake() {
  local version
  has_part cmake || return 0
  version=$(cmake --version | sed -n '1s/^cmake version //p')
  if ! is_new_enough "$version" 3.25; then
    printf 'cmake is %s, and the chapters need 3.25 or newer\n' "$version"
  fi
}

refuse_old_tools() {
  local complaint
  complaint=$(explain_old_compiler)
  [[ ! $complaint ]] || die 1 "$complaint"
  complaint=$(explain_old_cmake)
  [[ ! $complaint ]] || die 1 "$complaint"
}

# --- Installing -----------------------------------------------------------------------------------

# Prints the packages of this machine's distribution that hold the parts.
list_packages() { # PART...
  local part manager
  manager=$(find_package_manager)
  for part in "$@"; do
    case $manager in
      apt) printf '%s\n' "${APT_PACKAGE[$part]}" ;;
      dnf) printf '%s\n' "${DNF_PACKAGE[$part]}" ;;
      pacman) printf '%s\n' "${PACMAN_PACKAGE[$part]}" ;;
      *) printf '%s\n' "$part" ;;
    esac
  done
}

find_package_manager() {
  case " $(read_os_release ID) $(read_os_release ID_LIKE) " in
    *" debian "* | *" ubuntu "*) echo apt ;;
    *" fedora "*) echo dnf ;;
    *" arch "*) echo pacman ;;
    *) echo unknown ;;
  esac
}

read_os_release() { # FIELD
  sed -n "s/^$1=//p" /etc/os-release 2>/dev/null | tr -d "\"'"
}

install_parts() { # PART...
  local packages=()
  mapfile -t packages < <(list_packages "$@")
  case $(find_package_manager) in
    apt) install_with_apt "${packages[@]}" ;;
    dnf) die 1 "missing: ${packages[*]}; install with: $(print_sudo)dnf install ${packages[*]}" ;;
    pacman) die 1 "missing: ${packages[*]}; install with: $(print_sudo)pacman -S --needed ${packages[*]}" ;;
    *) die 1 "missing: ${packages[*]}; install them with this system's package manager, then try again" ;;
  esac
}

install_with_apt() { # PACKAGE...
  local package others=() catch2=
  for package in "$@"; do
    if [[ $package == catch2 ]]; then
      catch2=1
    else
      others+=("$package")
    fi
  done

  say "missing: $*. To install:"
  print_apt_plan "$catch2" "${others[@]}"
  get_consent
  update_apt_lists
  if ((${#others[@]})); then
    install_apt_packages "${others[@]}"
  fi
  if [[ $catch2 ]]; then
    install_catch2_with_apt
  fi
}

# Says which commands will run, so that one may as well run them by hand.
print_apt_plan() { # CATCH2 PACKAGE...
  local catch2=$1 sudo
  shift
  sudo=$(print_sudo)
  say "    ${sudo}apt-get update"
  if [[ $catch2 ]] && ! wants_backports; then
    set -- "$@" catch2
  fi
  (($# == 0)) || say "    ${sudo}apt-get install --no-install-recommends $*"
  if [[ $catch2 ]] && wants_backports; then
    if ! has_backports_source; then
      say "    (Catch2 3 is not in Debian 12 itself, but in its suite bookworm-backports. That suite is added in"
      say "     $BACKPORTS_FILE: what this machine's own Debian"
      say "     source says, with that suite's name. Nothing else is installed from it.)"
      say "    ${sudo}apt-get update"
    fi
    say "    ${sudo}apt-get install --no-install-recommends -t bookworm-backports catch2"
  fi
}

get_consent() {
  local answer
  if ((EUID != 0)) && ! has_any sudo; then
    die 1 "only root may do that, and there is no sudo here: run these commands as root, then try again"
  fi
  if [[ ${LEARN_YES:-} ]] || [[ ${CI:-false} != false ]]; then
    return
  fi
  [[ -t 0 ]] || die 1 "nobody to ask here: run these commands, or let ./learn --yes do it"
  read -r -p "Do it now? [Y/n] " answer || answer=n
  case $answer in
    '' | [Yy]*) ;;
    *) die 1 "nothing was installed" ;;
  esac
}

# Prints what stands before a command that only root may run; nothing for root, and where there is no sudo.
print_sudo() { ((EUID == 0)) || ! has_any sudo || printf 'sudo '; }

run_as_root() { # COMMAND...
  if ((EUID == 0)); then
    "$@" >&2
  else
    sudo "$@" >&2
  fi
}

# Somebody else's broken source must not stop us: the packages may be found without it.
update_apt_lists() {
  run_as_root env DEBIAN_FRONTEND=noninteractive apt-get update -qq -o DPkg::Lock::Timeout=120 ||
    warn "apt-get update had errors (see above); going on with what it could fetch"
}

install_apt_packages() { # APT-OPTION-OR-PACKAGE...
  run_as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get install -qq --no-install-recommends -o DPkg::Lock::Timeout=120 -o Dpkg::Use-Pty=0 "$@" ||
    die 1 "apt-get could not install $*; what it says is above"
}

# --- Catch2 3, which Debian 12 has in its backports only ---------------------------------------------

wants_backports() {
  [[ $(read_os_release ID)-$(read_os_release VERSION_ID) == debian-12 ]] && ! offers_catch2_3
}

# Would apt install Catch2 3 unasked?
offers_catch2_3() {
  [[ $(LC_ALL=C apt-cache policy catch2 2>/dev/null) == *"Candidate: 3"* ]]
}

has_backports_source() {
  [[ $(apt-get indextargets 'Release: bookworm-backports') ]]
}

install_catch2_with_apt() {
  if ! wants_backports; then
    offers_catch2_3 || die 1 "this release has no Catch2 3 (3.4 or newer is needed): install it from its sources" \
      "into /usr/local, then try again"
    install_apt_packages catch2
    return
  fi
  if ! has_backports_source; then
    add_backports_source
    update_apt_lists
  fi
  install_apt_packages -t bookworm-backports catch2
}

# Adds the suite from the mirror, and with the key, of the machine's own Debian source. apt reads both forms of
# source files; it tells the mirror, and where the key is named.
add_backports_source() {
  local uri release entry signed_by
  # shellcheck disable=SC2016  # these are apt's own variables
  read -r uri release entry < <(apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(SOURCESENTRY)' \
    'Created-By: Packages' 'Codename: bookworm' 'Origin: Debian' 'Component: main') ||
    die 1 "apt knows no source for Debian 12 itself: add one, or enable bookworm-backports by hand, then try again"
  signed_by=$(print_signed_by "${entry%:*}" "${entry##*:}" "$release")
  {
    printf 'Types: deb\nURIs: %s\nSuites: bookworm-backports\nComponents: main\n' "$uri"
    [[ ! $signed_by ]] || printf '%s\n' "$signed_by"
  } | run_as_root tee "$BACKPORTS_FILE"
}

# Prints the Signed-By field (an embedded key has many lines) with which a source file names the key of SUITE.
print_signed_by() { # FILE LINE SUITE
  if [[ $1 == *.sources ]]; then
    awk -v suite="$3" '
      /^#/ { next }
      /^[ \t]*$/ { finish(); next }
      /^[^ \t]/ { field = tolower($1) }
      field == "suites:" { sub(/^[^:]*:/, ""); suites = suites " " $0 " " }
      field == "signed-by:" { key = key $0 "\n" }
      function finish() {
        if (!done && index(suites, " " suite " ")) { printf "%s", key; done = 1 }
        suites = key = field = ""
      }
      END { finish() }' "$1"
  else
    sed -En "$2s/^[^#]*\[[^]]*signed-by=([^] ]+).*/Signed-By: \1/ip" "$1"
  fi
}
