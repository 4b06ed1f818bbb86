#include "bench/circumstances.hpp"

#include <sys/utsname.h>

#include <ctime>
#include <fstream>

std::string kernel() {
    utsname system{};
    ::uname(&system);
    const std::string release = system.release;
    return "Linux " + release.substr(0, release.find('-'));
}

std::string processor_model() {
    std::ifstream file("/proc/cpuinfo");
    for (std::string line; std::getline(file, line);) {
        if (line.starts_with("model name")) {
            return line.substr(line.find(':') + 2);
        }
    }
    return "unknown processor";
}

std::string today() {
    const std::time_t now = std::time(nullptr);
    char date[16];
    std::strftime(date, sizeof date, "%Y-%m-%d", std::gmtime(&now));
    return date;
}
