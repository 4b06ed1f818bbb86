// Which line of the source an address belongs to, and who has called whom (elfutils' libdwfl).
#pragma once

#include <cxxabi.h>
#include <elfutils/libdwfl.h>
#include <sys/types.h>

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

/// A place in the source. `function` has no arguments; of a coroutine it is the function's name.
struct Place {
    std::string file;
    int line = 0;
    std::string function;
};

/// Where the bracket at `at` is closed.
inline std::size_t find_end(std::string_view name, std::size_t at) {
    int depth = 0;
    for (; at < name.size(); ++at) {
        const char character = name[at];
        depth += (character == '<' || character == '(' || character == '{');
        depth -= (character == '>' || character == ')' || character == '}');
        if (depth == 0) {
            return at;
        }
    }
    return name.size() - 1;
}

/// `Type<int>::name` of `void Type<int>::name(char) const`, and `name::(lambda)` of what a function
/// has inside.
inline std::string name_without_arguments(std::string name) {
    constexpr std::string_view anonymous = "(anonymous namespace)::";
    if (const std::size_t at = name.find(anonymous); at != std::string::npos) {
        name.erase(at, anonymous.size());
    }
    std::string result;
    for (std::size_t at = 0; at < name.size(); ++at) {
        const std::size_t end = find_end(name, at);
        switch (name[at]) {
            case ' ': result.clear(); break;  // What it returns, which only a template's name has.
            case '{': return result + "(lambda)";
            case '(':
                if (name.compare(end + 1, 2, "::") != 0) {
                    return result;
                }
                at = end;
                break;
            case '<': {
                const std::string arguments = name.substr(at, end + 1 - at);
                result += arguments.find("{lambda") == std::string::npos ? arguments : "<(lambda)>";
                at = end;
                break;
            }
            default: result += name[at];
        }
    }
    return result;
}

/// `ns::Type::name` of `_ZN2ns4Type4nameEi`. What g++ makes of a coroutine has the function's own
/// symbol in its symbol:
/// `_Z4echoPZ4echoR6SocketE15_Z4echoR6Socket.Frame.actor`.
inline std::string name_function(std::string_view symbol) {
    if (const std::size_t frame = symbol.find(".Frame"); frame != symbol.npos) {
        symbol = symbol.substr(0, frame);
        symbol = symbol.substr(symbol.rfind("_Z"));
    }
    const std::string mangled(symbol.substr(0, symbol.find('.')));
    int status = 0;
    const std::unique_ptr<char, decltype(&std::free)> demangled(
        abi::__cxa_demangle(mangled.c_str(), nullptr, nullptr, &status), &std::free);
    return name_without_arguments(demangled ? demangled.get() : mangled);
}

/// The program and the libraries of one process.
class Lines {
public:
    explicit Lines(pid_t process) : dwfl_(::dwfl_begin(&callbacks)) {
        ::dwfl_linux_proc_report(dwfl_, process);
        ::dwfl_report_end(dwfl_, nullptr, nullptr);
        ::dwfl_linux_proc_attach(dwfl_, process, true);
    }
    Lines(const Lines&) = delete;
    Lines& operator=(const Lines&) = delete;
    ~Lines() { ::dwfl_end(dwfl_); }

    Place find(std::uint64_t address) const {
        Place place;
        Dwfl_Module* const module = ::dwfl_addrmodule(dwfl_, address);
        if (!module) {
            return place;
        }
        if (const char* symbol = ::dwfl_module_addrname(module, address)) {
            place.function = name_function(symbol);
        }
        if (Dwfl_Line* const line = ::dwfl_module_getsrc(module, address)) {
            if (const char* file =
                    ::dwfl_lineinfo(line, nullptr, &place.line, nullptr, nullptr, nullptr)) {
                place.file = file;
            }
        }
        return place;
    }

    /// Where the thread stands, and who has called it, inner ones first. The thread must be
    /// stopped.
    std::vector<Place> stack(pid_t thread) const {
        std::vector<std::uint64_t> addresses;
        ::dwfl_getthread_frames(
            dwfl_, thread,
            [](Dwfl_Frame* frame, void* list) {
                Dwarf_Addr address = 0;
                bool is_exact = false;
                if (::dwfl_frame_pc(frame, &address, &is_exact)) {
                    // A return address stands behind the call; the line is that of the call.
                    static_cast<std::vector<std::uint64_t>*>(list)->push_back(
                        is_exact ? address : address - 1);
                }
                return static_cast<int>(DWARF_CB_OK);
            },
            &addresses);
        std::vector<Place> places;
        for (const std::uint64_t address : addresses) {
            places.push_back(find(address));
        }
        return places;
    }

    struct Symbol {
        std::string name;
        std::uint64_t address;
    };

    /// All functions for whose symbol `is_wanted` holds.
    template <typename Predicate>
    std::vector<Symbol> list_functions(Predicate is_wanted) const {
        struct Search {
            Predicate& is_wanted;
            std::vector<Symbol> found;
        } search{is_wanted, {}};
        ::dwfl_getmodules(
            dwfl_,
            [](Dwfl_Module* module, void**, const char*, Dwarf_Addr, void* argument) {
                auto& to = *static_cast<Search*>(argument);
                const int count = ::dwfl_module_getsymtab(module);
                for (int i = 1; i < count; ++i) {
                    GElf_Sym symbol;
                    GElf_Addr address = 0;
                    const char* name = ::dwfl_module_getsym_info(module, i, &symbol, &address,
                                                                 nullptr, nullptr, nullptr);
                    if (name && GELF_ST_TYPE(symbol.st_info) == STT_FUNC &&
                        symbol.st_shndx != SHN_UNDEF && to.is_wanted(name)) {
                        to.found.push_back({name, address});
                    }
                }
                return static_cast<int>(DWARF_CB_OK);
            },
            &search, 0);
        return search.found;
    }

    /// Whether the address lies in the program or in a library that was loaded when this object was
    /// made.
    bool knows(std::uint64_t address) const { return ::dwfl_addrmodule(dwfl_, address) != nullptr; }

private:
    static inline char* debug_path = nullptr;
    static constexpr Dwfl_Callbacks callbacks{
        .find_elf = ::dwfl_linux_proc_find_elf,
        .find_debuginfo = ::dwfl_standard_find_debuginfo,
        .section_address = nullptr,
        .debuginfo_path = &debug_path,
    };

    Dwfl* dwfl_;
};
