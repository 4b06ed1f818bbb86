// Which chapter is tested, and where the servers are.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

/// One chapter of the series.
struct Chapter {
    int number;                    ///< 3
    std::string name;              ///< "03-fork"
    std::filesystem::path server;  ///< its executable
};

/// Whether this executable has the tests of a chapter, and not those of a tool.
bool tests_a_chapter();

/// The chapter that this test executable is for, known by its name: `03-fork-tests` is for 03-fork.
/// Its server lies beside it, unless the environment variable SERVER names another executable.
const Chapter& chapter_under_test();

/// The executable that the environment variable SERVER names in the place of the chapter's own;
/// empty when it names none.
std::string server_of_the_learner();

/// Whether the chapter under test has a thing, by what the CMakeLists.txt of the chapters declare:
/// `liburing`, `buffers`. False in the tests of a tool.
bool chapter_has(std::string_view thing);

/// What the build knows of the chapter under test: the name of its neighbour, that of the chapter
/// from which it goes on, and its things, apart by blanks. support/this_chapter.cpp tells it,
/// before main() begins.
bool note_chapter(std::string_view before, std::string_view before_side_road,
                  std::string_view things);

/// Its neighbour, on which a `why` scenario must end badly.
const Chapter& chapter_before();

/// The chapter from which this one goes on: where the neighbour is a side road, the one before it.
const Chapter& chapter_before_side_road();
