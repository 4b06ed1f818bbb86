# A chapter and its tests, told by the name of the folder.

# list_chapters(VARIABLE): the names of the chapters. A chapter is a folder that declares itself: it is called NN-name,
# its CMakeLists.txt calls add_chapter, and tests/chapters/NN-name.cpp has its tests. A backup, a note, a reader's own
# folder beside the chapters is none. (tools/learn/lib.sh and tools/chapters.mjs hold the same rule.)
function(list_chapters variable)
    get_property(found GLOBAL PROPERTY chapters)
    if(found)
        set(${variable} ${found} PARENT_SCOPE)
        return()
    endif()
    # All three, so that CMake runs again when one comes.
    file(GLOB files CONFIGURE_DEPENDS
        ${PROJECT_SOURCE_DIR}/chapters/*/CMakeLists.txt ${PROJECT_SOURCE_DIR}/tests/chapters/*.cpp
        ${PROJECT_SOURCE_DIR}/tests/exercises/*.cpp)
    foreach(file IN LISTS files)
        cmake_path(GET file PARENT_PATH folder)
        cmake_path(GET folder FILENAME name)
        if(NOT name MATCHES "^[0-9][0-9]-[a-z0-9-]+$" OR NOT EXISTS ${PROJECT_SOURCE_DIR}/tests/chapters/${name}.cpp)
            continue()
        endif()
        file(STRINGS ${file} declaration REGEX "^add_chapter\\(")
        if(declaration)
            list(APPEND found ${name})
        endif()
    endforeach()
    list(SORT found)
    set_property(GLOBAL PROPERTY chapters ${found})
    set(${variable} ${found} PARENT_SCOPE)
endfunction()

# find_chapter(VARIABLE NAME): the folder's name of the chapter that is called so without its number: 03-fork of fork.
function(find_chapter variable name)
    list_chapters(chapters)
    list(FILTER chapters INCLUDE REGEX "^[0-9][0-9]-${name}$")
    if(NOT chapters)
        message(FATAL_ERROR "There is no chapter '${name}' in chapters/.")
    endif()
    set(${variable} ${chapters} PARENT_SCOPE)
endfunction()

# list_things(VARIABLE): all the words that stand after BEGINS in any chapter.
function(list_things variable)
    set(found "")
    list_chapters(chapters)
    foreach(chapter IN LISTS chapters)
        file(READ ${PROJECT_SOURCE_DIR}/chapters/${chapter}/CMakeLists.txt text)
        if(text MATCHES "add_chapter\\([^)]*BEGINS([^)A-Z]*)")
            string(REGEX MATCHALL "[a-z0-9-]+" words "${CMAKE_MATCH_1}")
            list(APPEND found ${words})
        endif()
    endforeach()
    list(REMOVE_DUPLICATES found)
    set(${variable} ${found} PARENT_SCOPE)
endfunction()

# find_chapter_before(VARIABLE CHAPTER): the chapter from which this one goes on: the one before it, side roads passed over.
# Empty for the first. (tools/learn/chapters.sh and tools/chapters.mjs hold the same rule.)
function(find_chapter_before variable chapter)
    set(found "")
    list_chapters(chapters)
    foreach(other IN LISTS chapters)
        if(other STREQUAL chapter)
            break()
        endif()
        file(READ ${PROJECT_SOURCE_DIR}/chapters/${other}/CMakeLists.txt text)
        if(NOT text MATCHES "(^|\n)add_chapter\\([^)]*[ \t\n]SIDE_ROAD[ \t\n)]")
            set(found ${other})
        endif()
    endforeach()
    set(${variable} "${found}" PARENT_SCOPE)
endfunction()

# add_chapter(SOURCE... [SIDE_ROAD] [BEGINS THING...] [ENDS THING...]): the server of the chapter in whose folder this is
# called. Its target and its executable have the folder's name; its tests are the target NAME-tests.
#
# A chapter that is a SIDE_ROAD leaves the road for one chapter: no later one builds on its code. The chapter after it goes
# on from the one before it, so that is what the tools compare it with; and what begins or ends with a side road does so for
# it alone.
#
# A thing is what a chapter has or can do. It begins with a chapter, and all later ones have it, until it ends with
# another. Each is a word, and what it means is:
#
#   liburing         the server is linked with it
#   NAME             where there is a tests/runtime/NAME.cpp: these unit tests fit the chapter's runtime
#   TAG              tests with this tag are for chapters that have it:
#     own-echo         the server does the echo itself, and no other program
#     sleeps           it sleeps when nobody wants anything
#     accept-calls     it accepts by system calls: strace sees them, and can make them fail
#     read-calls       so it reads
#     send-calls       so it sends
#   threads          it has threads: its tests run under the thread sanitizer, too, with the label `threads`
#
# (tools/learn/chapters.sh reads the same declarations: sources first, on the line of the bracket, then SIDE_ROAD.)
function(add_chapter)
    cmake_parse_arguments(PARSE_ARGV 0 chapter "SIDE_ROAD" "" "BEGINS;ENDS")
    cmake_path(GET CMAKE_CURRENT_SOURCE_DIR FILENAME chapter)

    get_property(things GLOBAL PROPERTY things)
    foreach(thing IN LISTS chapter_BEGINS)
        if(thing IN_LIST things)
            message(FATAL_ERROR "'${thing}' begins with ${chapter}, but the chapter before has it already.")
        endif()
        list(APPEND things ${thing})
    endforeach()
    foreach(thing IN LISTS chapter_ENDS)
        if(NOT thing IN_LIST things)
            message(FATAL_ERROR "'${thing}' ends with ${chapter}, but the chapter before has no such thing.")
        endif()
        list(REMOVE_ITEM things ${thing})
    endforeach()
    if(NOT chapter_SIDE_ROAD)
        set_property(GLOBAL PROPERTY things ${things})
    endif()

    add_executable(${chapter} ${chapter_UNPARSED_ARGUMENTS})
    target_link_libraries(${chapter} PRIVATE common)
    if(liburing IN_LIST things)
        target_link_libraries(${chapter} PRIVATE liburing)
    endif()
    add_chapter_tests(${chapter} "${things}")
endfunction()

# add_chapter_tests(CHAPTER THINGS): the contract, and the promises, limits and reasons of this chapter, each
# test case a test of CTest with the chapter and its kind as labels.
function(add_chapter_tests chapter things)
    set(tests ${chapter}-tests)
    add_executable(${tests} ${PROJECT_SOURCE_DIR}/tests/chapters/${chapter}.cpp
        ${PROJECT_SOURCE_DIR}/tests/support/this_chapter.cpp)
    target_link_libraries(${tests} PRIVATE contract test-support)
    # A test waits for its server: what the compiler would make faster here is the compiler's own time that it takes.
    target_compile_options(${tests} PRIVATE $<$<CONFIG:RelWithDebInfo>:-O1 -g1 -foptimize-sibling-calls>)
    # A runtime in headers of its own has unit tests beside those of the server.
    target_include_directories(${tests} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
    foreach(thing IN LISTS things)
        if(EXISTS ${PROJECT_SOURCE_DIR}/tests/runtime/${thing}.cpp)
            target_sources(${tests} PRIVATE ${PROJECT_SOURCE_DIR}/tests/runtime/${thing}.cpp)
        endif()
    endforeach()
    if(liburing IN_LIST things)
        target_link_libraries(${tests} PRIVATE liburing)
    endif()
    # What the exercises of its text ask for. These tests fail until an exercise is done, so they are hidden: no plain
    # run takes them, and CTest does not know them.
    set(exercises ${PROJECT_SOURCE_DIR}/tests/exercises/${chapter}.cpp)
    if(EXISTS ${exercises})
        target_sources(${tests} PRIVATE ${exercises})
    endif()
    target_compile_definitions(${tests} PRIVATE CHAPTERS_FOLDER="${PROJECT_SOURCE_DIR}/chapters")
    add_dependencies(${tests} ${chapter})

    # As one: most of the time that a test takes to compile goes into the headers of Catch2, the library and the runtime.
    set_target_properties(${tests} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 0)

    # The neighbour, on which a `why` test must fail, and the chapter from which this one goes on.
    list_chapters(chapters)
    list(FIND chapters ${chapter} place)
    set(neighbour "")
    if(place GREATER 0)
        math(EXPR before "${place} - 1")
        list(GET chapters ${before} neighbour)
        add_dependencies(${tests} ${neighbour})
    endif()
    find_chapter_before(left ${chapter})
    if(left)
        add_dependencies(${tests} ${left})
    endif()
    list(JOIN things " " words)
    set_source_files_properties(${PROJECT_SOURCE_DIR}/tests/support/this_chapter.cpp PROPERTIES
        COMPILE_DEFINITIONS "CHAPTER_BEFORE=\"${neighbour}\";CHAPTER_BEFORE_SIDE_ROAD=\"${left}\";CHAPTER_THINGS=\"${words}\"")

    # A part of the contract that holds from 03-fork on is tagged [from-fork]: earlier chapters leave it out.
    set(not_here "")
    list(REVERSE chapters)
    foreach(later IN LISTS chapters)
        if(later STREQUAL chapter)
            break()
        endif()
        string(REGEX REPLACE "^[0-9]+-" "" later ${later})
        string(APPEND not_here "~[from-${later}]")
    endforeach()
    # And what this chapter has not, or not any more.
    list_things(all_things)
    list(REMOVE_ITEM all_things ${things})
    foreach(thing IN LISTS all_things)
        string(APPEND not_here "~[${thing}]")
    endforeach()

    # What any echo server does on the wire is tagged [wire]: `./learn test --server` asks a server of
    # the learner's own for that alone.
    set(labels ${CMAKE_CURRENT_BINARY_DIR}/labels.cmake)
    file(WRITE ${labels} "# Read by CTest after the tests are known: their labels.\n")
    foreach(kind IN ITEMS contract contract-wire promise promise-wire limit why why-wire)
        if(kind MATCHES "(.*)-wire")
            set(spec "[${CMAKE_MATCH_1}][wire]")
        else()
            set(spec "[${kind}]~[wire]")
        endif()
        catch_discover_tests(${tests}
            TEST_SPEC "${spec}${not_here}"
            TEST_PREFIX "${chapter}/"
            TEST_LIST ${kind}_tests
            EXTRA_ARGS --abort  # A test that has failed with one value does not wait in vain with the next.
            PROPERTIES TIMEOUT 120)
        # Catch2's script takes no list as the value of a property, so the labels are set here.
        string(REPLACE "-" ";" kinds ${kind})
        if(threads IN_LIST things)
            string(APPEND kinds ";threads")
        endif()
        file(APPEND ${labels}
            "if(${kind}_tests)\n"
            "  set_tests_properties(\${${kind}_tests} PROPERTIES LABELS \"${chapter};${kinds}\")\n"
            "endif()\n"
            "unset(${kind}_tests)\n")
    endforeach()
    set_property(DIRECTORY APPEND PROPERTY TEST_INCLUDE_FILES ${labels})
endfunction()
