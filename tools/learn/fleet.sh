# shellcheck shell=bash
# ./learn fleet [CHAPTER] [--quick | --record | --proxy] [--server PATH | --practice]
# Put three servers behind a load balancer, upgrade them, let one die, and count what clients see.
#
# It makes a small network on this machine: a balancer (HAProxy), three machines with a server each, and one for the clients,
# in network namespaces of their own. Nothing of it can be seen from outside, and nothing is left of it. It needs root, and
# takes between two and three minutes. docs/fleet.md explains what it shows.
#
#   --quick          four of the scenarios, without those that they are compared with, in less than a minute
#   --record         write the figures to docs/fleet-results.json, from which docs/fleet.md has its tables
#   --proxy          the exercise of docs/fleet.md: does the server take the PROXY line for what a client has sent?
#   --server PATH    look at this server instead: a copy of the chapter's, or your own (./learn help test)
#   --practice       look at your copy of ./learn practice
#
#   sudo ./learn fleet
#   sudo ./learn fleet --quick
#   sudo ./learn fleet join --quick   what does an upgrade cost with a server that SIGTERM ends where it stands?
#   sudo ./learn fleet --proxy --practice

main() {
  local chapter="" server="" practice="" mode="" options=()
  while (($#)); do
    case $1 in
      --quick | --record | --proxy)
        [[ ! $mode || $mode == "$1" ]] || die_of_usage fleet "fleet takes one of --quick, --record and --proxy"
        mode=$1
        options=("$1")
        ;;
      --server)
        server=${2:-}
        [[ $server ]] || die_of_usage fleet "--server needs a value"
        shift
        ;;
      --server=*)
        server=${1#*=}
        [[ $server ]] || die_of_usage fleet "--server needs a value"
        ;;
      --practice) practice=1 ;;
      -*) die_of_usage fleet "fleet has no option $1" ;;
      *)
        [[ ! $chapter ]] || die_of_usage fleet "fleet runs one chapter at a time"
        chapter=$(find_chapter "$1")
        ;;
    esac
    shift
  done
  [[ ! $server || ! $practice ]] || die_of_usage fleet "--practice names a server: give it without --server"
  [[ $mode != --record || ! $server$practice ]] || die_of_usage fleet "--record is for the servers of the chapters"
  [[ ! $server ]] || server=$(find_executable "$server")
  [[ -f tools/fleet/fleet.mjs ]] || die 1 "tools/fleet/fleet.mjs is missing: this copy of the project is not complete"

  ((EUID == 0)) || die 77 "only root may make the network namespaces in which the fleet lives; run it as root: $(print_sudo)./learn fleet"
  LEARN_USAGE=$(print_usage fleet)
  export LEARN_USAGE
  if [[ $practice ]]; then
    need fleet
    find_practice_copy "$chapter"
    exec node tools/fleet/fleet.mjs "${LEARN_COPY[folder]}" "${LEARN_COPY[server]}" "${options[@]}"
  fi
  if [[ $server ]]; then
    need fleet
    exec node tools/fleet/fleet.mjs "${server##*/}" "$server" "${options[@]}"
  fi
  need build fleet
  [[ $chapter ]] || chapter=$(find_last_chapter)
  build default "$chapter"
  exec node tools/fleet/fleet.mjs "$chapter" "build/bin/$chapter" "${options[@]}"
}
