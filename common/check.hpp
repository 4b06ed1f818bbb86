// System calls that fail become exceptions which name the call.
#pragma once

#include <cerrno>
#include <string>
#include <string_view>
#include <system_error>

/// The exception for a call that has failed with `error_number`, a value of errno. Its what() names
/// the call and, where there is one, what it was about: `bind 127.0.0.1:80: Permission denied`.
inline std::system_error failed_call(int error_number, std::string_view call,
                                     std::string_view subject = "") {
    std::string what(call);
    if (!subject.empty()) {
        what.append(" ").append(subject);
    }
    return {error_number, std::generic_category(), what};
}

/// Returns the result of a system call, or throws failed_call() when it is -1.
template <typename Result>
Result check(Result result, std::string_view call, std::string_view subject = "") {
    if (result == -1) {
        throw failed_call(errno, call, subject);
    }
    return result;
}
