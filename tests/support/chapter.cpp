#include "support/chapter.hpp"

#include <cctype>
#include <cstdlib>
#include <stdexcept>

namespace {

namespace fs = std::filesystem;

const std::string tests_suffix = "-tests";

fs::path this_executable() {
    return fs::read_symlink("/proc/self/exe");
}

Chapter chapter_named(const std::string& name) {
    return {std::stoi(name.substr(0, 2)), name, this_executable().parent_path() / name};
}

Chapter find_chapter_under_test() {
    const std::string executable = this_executable().filename();
    Chapter chapter = chapter_named(executable.substr(0, executable.size() - tests_suffix.size()));
    if (const std::string own = server_of_the_learner(); !own.empty()) {
        chapter.server = own;
    }
    return chapter;
}

/// What the build knows of the chapter under test. A function's variable, since it is written
/// before main() begins, by another file.
struct Noted {
    std::string before;
    std::string before_side_road;
    std::string things;
};

Noted& noted() {
    static Noted noted;
    return noted;
}

Chapter find_earlier(const std::string& name) {
    if (name.empty()) {
        throw std::runtime_error("there is no chapter before this one");
    }
    return chapter_named(name);
}

}  // namespace

bool tests_a_chapter() {
    const std::string name = this_executable().filename();
    return name.size() > 3 && name[2] == '-' &&
           std::isdigit(static_cast<unsigned char>(name[0])) != 0;
}

std::string server_of_the_learner() {
    const char* own = std::getenv("SERVER");
    return own == nullptr || *own == '\0' ? "" : fs::absolute(own).string();
}

const Chapter& chapter_under_test() {
    static const Chapter chapter = find_chapter_under_test();
    return chapter;
}

bool chapter_has(std::string_view thing) {
    const std::string things = " " + noted().things + " ";
    return things.find(" " + std::string(thing) + " ") != std::string::npos;
}

bool note_chapter(std::string_view before, std::string_view before_side_road,
                  std::string_view things) {
    noted() = {std::string(before), std::string(before_side_road), std::string(things)};
    return true;
}

const Chapter& chapter_before() {
    static const Chapter chapter = find_earlier(noted().before);
    return chapter;
}

const Chapter& chapter_before_side_road() {
    static const Chapter chapter = find_earlier(noted().before_side_road);
    return chapter;
}
