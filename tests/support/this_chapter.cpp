// What the build knows of one chapter: compiled anew for the tests of each, and so no part of the
// library that they share.
#include "support/chapter.hpp"

namespace {

[[maybe_unused]] const bool is_noted =
    note_chapter(CHAPTER_BEFORE, CHAPTER_BEFORE_SIDE_ROAD, CHAPTER_THINGS);

}  // namespace
