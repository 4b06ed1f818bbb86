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

Chapter find_chapter_before() {
    const std::string wanted =
        std::to_string(100 + chapter_under_test().number - 1).substr(1) + "-";
    for (const fs::directory_entry& entry :
         fs::directory_iterator(this_executable().parent_path())) {
        const std::string name = entry.path().filename();
        if (name.starts_with(wanted) && !name.ends_with(tests_suffix)) {
            return chapter_named(name);
        }
    }
    throw std::runtime_error("the server of the chapter before is not built: " + wanted + "*");
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

const Chapter& chapter_before() {
    static const Chapter chapter = find_chapter_before();
    return chapter;
}
