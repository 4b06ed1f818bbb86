// System calls that fail become exceptions which name the call.
#pragma once

#include <cerrno>
#include <string>
#include <string_view>
#include <system_error>

/// An exception for `error_number` (a value of errno) whose what() reads `WHAT: Permission denied`.
inline std::system_error system_error(int error_number, const std::string& what) {
    return {error_number, std::generic_category(), what};
}

/// Returns the result of a system call, or throws when the call has failed.
///
/// `what` names the call and, where there is one, its subject: "bind 127.0.0.1:80".
/// Throws std::system_error with the errno of the call.
template <typename Result>
Result check(Result result, std::string_view what) {
    if (result == -1) {
        throw system_error(errno, std::string(what));
    }
    return result;
}
