# shellcheck shell=bash
# A copy of a chapter with a patch on it, as an executable. For tools/check-bugs, tools/check-exercises and tools/build-knob.

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

# precompile_headers ROOT FOLDER FLAG...: has the headers of the library and of common/ compiled once, for each
# compile_chapter with the same flags that finds CHAPTER_HEADERS set. A copy takes half the time then.
precompile_headers() {
    mkdir -p "$2"
    {
        find "$1/chapters" -name '*.?pp' -exec grep -hoE '^#include <[^>]+>' {} + | grep -v liburing | sort -u
        (cd "$1/common" && printf '#include "%s"\n' *.hpp)
    } >"$2/all.hpp"
    "${CXX:-g++}" -std=c++20 "${@:3}" -pthread -I "$1/common" -x c++-header "$2/all.hpp" -o "$2/all.hpp.gch"
    export CHAPTER_HEADERS=$2/all.hpp
}

# compile_chapter ROOT CHAPTER FOLDER OUTPUT FLAG...: makes the executable OUTPUT of the copy in FOLDER, with the library
# that ROOT's default build has.
compile_chapter() {
    local libraries=() sources=() headers=()
    # Those that its CMakeLists.txt names: what else lies in the folder is not of the chapter.
    mapfile -t sources < <(list_declared_sources "$3/chapters/$2" | sed "s,^,$3/chapters/$2/,")
    if has_thing "$1" "$2" liburing; then
        libraries=(-luring)
    fi
    [ -z "${CHAPTER_HEADERS:-}" ] || headers=(-include "$CHAPTER_HEADERS")
    "${CXX:-g++}" -std=c++20 "${@:5}" -pthread "${headers[@]}" -I "$1/common" -I "$3/chapters/$2" \
        "${sources[@]}" "$1/build/common/libcommon.a" "${libraries[@]}" -o "$4"
}
