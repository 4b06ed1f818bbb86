# A chapter and its tests, told by the name of the folder.

# list_chapters(VARIABLE): the names of the chapters. A chapter is a folder that declares itself: it is called NN-name,
# its CMakeLists.txt calls add_chapter, and tests/chapters/NN-name.cpp has its tests. A backup, a note, a reader's own
# folder beside the chapters is none. (tools/learn/lib.sh and tools/chapters.mjs hold the same rule.)
function(list_chapters variable)
    set(found "")
    # All three, so that CMake runs again when one comes.
    file(GLOB files CONFIGURE_DEPENDS chapters/*/CMakeLists.txt tests/chapters/*.cpp tests/exercises/*.cpp)
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
    set(${variable} ${found} PARENT_SCOPE)
endfunction()

# add_chapter(SOURCE...): the server of the chapter in whose folder this is called. Its target and its
# executable have the folder's name; its tests are the target NAME-tests.
function(add_chapter)
    cmake_path(GET CMAKE_CURRENT_SOURCE_DIR FILENAME chapter)
    add_executable(${chapter} ${ARGN})
    target_link_libraries(${chapter} PRIVATE common)
    string(SUBSTRING ${chapter} 0 2 number)
    if(number GREATER 15)
        target_link_libraries(${chapter} PRIVATE liburing)
    endif()
    add_chapter_tests(${chapter})
endfunction()

# add_chapter_tests(CHAPTER): the contract, and the promises, limits and reasons of this chapter, each
# test case a test of CTest with the chapter and its kind as labels.
function(add_chapter_tests chapter)
    set(tests ${chapter}-tests)
    add_executable(${tests} ${PROJECT_SOURCE_DIR}/tests/chapters/${chapter}.cpp)
    target_link_libraries(${tests} PRIVATE contract test-support)
    # A runtime in headers of its own (from chapter 14 on) has unit tests beside those of the server.
    target_include_directories(${tests} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
    string(SUBSTRING ${chapter} 0 2 number)
    if(number GREATER 14)
        target_sources(${tests} PRIVATE
            ${PROJECT_SOURCE_DIR}/tests/runtime/io.cpp ${PROJECT_SOURCE_DIR}/tests/runtime/task.cpp)
    endif()
    if(number GREATER 15)
        target_link_libraries(${tests} PRIVATE liburing)
        target_sources(${tests} PRIVATE ${PROJECT_SOURCE_DIR}/tests/runtime/ring.cpp)
    endif()
    if(number GREATER 16)
        target_sources(${tests} PRIVATE ${PROJECT_SOURCE_DIR}/tests/runtime/deadlines.cpp)
    endif()
    if(number GREATER 17)
        target_sources(${tests} PRIVATE ${PROJECT_SOURCE_DIR}/tests/runtime/groups.cpp)
    endif()
    if(number GREATER 17 AND number LESS 20)
        target_sources(${tests} PRIVATE ${PROJECT_SOURCE_DIR}/tests/runtime/signals.cpp)
    endif()
    if(number GREATER 18)
        target_sources(${tests} PRIVATE ${PROJECT_SOURCE_DIR}/tests/runtime/buffers.cpp)
    endif()
    # What the exercises of its text ask for. These tests fail until an exercise is done, so they are hidden: no plain
    # run takes them, and CTest does not know them.
    set(exercises ${PROJECT_SOURCE_DIR}/tests/exercises/${chapter}.cpp)
    if(EXISTS ${exercises})
        target_sources(${tests} PRIVATE ${exercises})
    endif()
    target_compile_definitions(${tests} PRIVATE CHAPTERS_FOLDER="${PROJECT_SOURCE_DIR}/chapters")
    add_dependencies(${tests} ${chapter})

    # The neighbour, on which a `why` test must fail.
    set_property(GLOBAL APPEND PROPERTY chapters ${chapter})
    get_property(known GLOBAL PROPERTY chapters)
    list(LENGTH known count)
    if(count GREATER 1)
        math(EXPR before "${count} - 2")
        list(GET known ${before} neighbour)
        add_dependencies(${tests} ${neighbour})
    endif()

    # A part of the contract that holds from chapter 03 on is tagged [from-03]: earlier ones leave it out.
    set(not_yet "")
    foreach(later RANGE 1 20)
        string(LENGTH ${later} digits)
        if(digits EQUAL 1)
            set(later 0${later})
        endif()
        if(later GREATER number)
            string(APPEND not_yet "~[from-${later}]")
        endif()
    endforeach()

    # In chapter 04 another program does the echo, and has its own way with errors.
    if(chapter STREQUAL "04-exec")
        string(APPEND not_yet "~[own-echo]")
    endif()

    # From chapter 16 on the kernel takes what is to be done from a ring: strace sees no accept, read or
    # send, and can make none of them fail.
    if(number GREATER 15)
        string(APPEND not_yet "~[system-calls]")
    endif()

    # Chapter 08 never sleeps.
    if(chapter STREQUAL "08-nonblocking")
        string(APPEND not_yet "~[sleeps]")
    endif()

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
            TEST_SPEC "${spec}${not_yet}"
            TEST_PREFIX "${chapter}/"
            TEST_LIST ${kind}_tests
            EXTRA_ARGS --abort  # A test that has failed with one value does not wait in vain with the next.
            PROPERTIES TIMEOUT 120)
        # Catch2's script takes no list as the value of a property, so the labels are set here.
        string(REPLACE "-" ";" kinds ${kind})
        file(APPEND ${labels}
            "if(${kind}_tests)\n"
            "  set_tests_properties(\${${kind}_tests} PROPERTIES LABELS \"${chapter};${kinds}\")\n"
            "endif()\n"
            "unset(${kind}_tests)\n")
    endforeach()
    set_property(DIRECTORY APPEND PROPERTY TEST_INCLUDE_FILES ${labels})
endfunction()
