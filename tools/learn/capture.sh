# shellcheck shell=bash
# ./learn capture [CHAPTER [CHAPTER]] [--session NAME] [--pcap FILE] [--server PATH | --practice] [--plain] [-- SERVER-OPTION...]
# Show the packets of a short session with a chapter's server, as tcpdump sees them; with two chapters, compare them.
#
# Only root, or a tcpdump with the capability cap_net_raw, may capture: ./learn doctor says whether you may.
#
#   --session NAME   one (a client that ends in good order, the default) or reset
#   --pcap FILE      keep the packets in a new file for Wireshark (pcapng), with the client's steps as comments of the
#                    packets; - is stdout
#   --server PATH    look at this server instead: a copy of the chapter's, or your own (./learn help test)
#   --practice       look at your copy of ./learn practice
#   --plain          as text without colours, the form in which the chapters' texts keep it
#
#   ./learn capture 3
#   ./learn capture 2 --session reset
#   ./learn capture 1 --pcap one.pcapng
#   ./learn capture 1 --pcap - | tshark -r -
#   ./learn capture 1 5      are there other packets when the server is another one?

main() {
  local word takes_value="" chapters=()
  for word in "$@"; do
    [[ $word != -- ]] || break
    if [[ $takes_value ]]; then
      takes_value=
    elif [[ $word == --session || $word == --server || $word == --pcap ]]; then
      takes_value=1
    elif [[ $word != -* ]]; then
      chapters+=("$word")
    fi
  done
  if ((${#chapters[@]} == 2)); then
    exec_comparison "$@"
  fi
  ((${#chapters[@]} < 2)) || die_of_usage capture "capture looks at one chapter, or compares two"
  exec_tool capture "--plain --session= --server= --pcap=" "$@"
}

# Becomes the program that compares the packets of two chapters.
exec_comparison() { # ARGUMENT...
  local chapters=() options=() words=() chapter
  while (($#)); do
    case $1 in
      --)
        options+=("$@")
        break
        ;;
      --plain | --session=*) options+=("$1") ;;
      --session)
        (($# > 1)) || die_of_usage capture "$1 needs a value"
        options+=("$1=$2")
        shift
        ;;
      --pcap | --pcap=*) die_of_usage capture "--pcap keeps the packets of one chapter: name one" ;;
      --server | --server=* | --practice) die_of_usage capture "${1%%=*} stands for one server: it does not go with two chapters" ;;
      -*) die_of_usage capture "capture has no option $1" ;;
      *)
        chapter=$(find_chapter "$1")
        chapters+=("$chapter")
        words+=("$chapter" "build/bin/$chapter")
        ;;
    esac
    shift
  done
  [[ ${PATIENCE:-} || ${CI:-} ]] || export PATIENCE=5  # seconds: a learner sits and waits, too
  LEARN_USAGE=$(print_usage capture)
  export LEARN_USAGE
  need build capture
  may_capture || die 77 "you may not capture packets here: $(explain_capture_right)"
  build default "${chapters[@]}"
  exec node tools/observe/capture-two.mjs "${words[@]}" "${options[@]}"
}
