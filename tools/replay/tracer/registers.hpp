// What the tracer has to know of the processor: where a function's arguments are when it begins,
// and how to stop there.
#pragma once

#include <elf.h>
#include <sys/ptrace.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/user.h>

#include <array>
#include <cstdint>

#include "memory.hpp"

#if defined(__x86_64__)

constexpr std::array<std::uint8_t, 1> stop_instruction{0xcc};  // int3
constexpr std::uint64_t stop_length = 1;                       // how far it moves the program on

using Registers = user_regs_struct;

inline std::uint64_t program_counter(const Registers& registers) {
    return registers.rip;
}
inline void set_program_counter(Registers& registers, std::uint64_t address) {
    registers.rip = address;
}
inline std::uint64_t stack_pointer(const Registers& registers) {
    return registers.rsp;
}
inline std::uint64_t first_argument(const Registers& registers) {
    return registers.rdi;
}
inline std::uint64_t second_argument(const Registers& registers) {
    return registers.rsi;
}
/// Where a function that has just begun will return to.
inline std::uint64_t return_address(pid_t process, const Registers& registers) {
    std::uint64_t address = 0;
    read_memory(process, registers.rsp, &address, sizeof address);
    return address;
}

#elif defined(__aarch64__)

constexpr std::array<std::uint8_t, 4> stop_instruction{0x00, 0x00, 0x20, 0xd4};  // brk #0
constexpr std::uint64_t stop_length = 0;

using Registers = user_regs_struct;

inline std::uint64_t program_counter(const Registers& registers) {
    return registers.pc;
}
inline void set_program_counter(Registers& registers, std::uint64_t address) {
    registers.pc = address;
}
inline std::uint64_t stack_pointer(const Registers& registers) {
    return registers.sp;
}
inline std::uint64_t first_argument(const Registers& registers) {
    return registers.regs[0];
}
inline std::uint64_t second_argument(const Registers& registers) {
    return registers.regs[1];
}
inline std::uint64_t return_address(pid_t, const Registers& registers) {
    return registers.regs[30];
}

#else
#error \
    "The tracer knows x86-64 and arm64: tools/replay/tracer/registers.hpp has what a third one needs."
#endif

inline Registers get_registers(pid_t thread) {
    Registers registers{};
    iovec place{&registers, sizeof registers};
    ::ptrace(PTRACE_GETREGSET, thread, NT_PRSTATUS, &place);
    return registers;
}

inline void set_registers(pid_t thread, Registers registers) {
    iovec place{&registers, sizeof registers};
    ::ptrace(PTRACE_SETREGSET, thread, NT_PRSTATUS, &place);
}
