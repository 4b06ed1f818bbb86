# shellcheck shell=bash
# A copy of a chapter with a patch on it, as an executable. For tools/check-bugs and tools/build-knob.

# shellcheck source-path=SCRIPTDIR source=learn/chapters.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/learn/chapters.sh"

# header PATCH NAME: what the header of a patch says, which names things, a line each: "Found by: NAME".
header() {
    sed -n "s/^$2: //p" "$1" | head -n 1
}

# copy_chapter ROOT CHAPTER FOLDER [PATCH]: FOLDER/chapters/CHAPTER becomes the chapter of ROOT, with the patch. Fails
# where the patch does not fit to the line.
copy_chapter() {
    rm -rf "$3"
    mkdir -p "$3/chapters"
    cp -r "$1/chapters/$2" "$3/chapters/"
    if [ $# -gt 3 ]; then
        (cd "$3" && patch --quiet --strip=1 --fuzz=0) <"$4"
    fi
}

# compile_chapter ROOT CHAPTER FOLDER OUTPUT FLAG...: makes the executable OUTPUT of the copy in FOLDER, with the library
# that ROOT's default build has.
compile_chapter() {
    local libraries=() sources=()
    # Those that its CMakeLists.txt names: what else lies in the folder is not of the chapter.
    mapfile -t sources < <(list_declared_sources "$3/chapters/$2" | sed "s,^,$3/chapters/$2/,")
    if has_thing "$1" "$2" liburing; then
        libraries=(-luring)
    fi
    "${CXX:-g++}" -std=c++20 "${@:5}" -I "$1/common" -I "$3/chapters/$2" \
        "${sources[@]}" "$1/build/common/libcommon.a" -pthread "${libraries[@]}" -o "$4"
}
