// What the core needs from Linux and the oldest supported headers lack.
#pragma once

#if !defined(__linux__)
#error "fdpass is built on Linux only; on other platforms the package loads without its addon"
#endif

namespace fdpass {

// asm-generic/socket.h: the same numbers on x64 and arm64.
inline constexpr int kSoPassPidFd = 76;   // Linux 6.5
inline constexpr int kSoPeerPidFd = 77;   // Linux 6.5
inline constexpr int kSoPassRights = 83;  // Linux 6.16

// linux/socket.h
inline constexpr int kScmPidFd = 4;  // Linux 6.5

// linux/memfd.h
inline constexpr unsigned kMfdNoExecSeal = 0x0008U;  // Linux 6.3

}  // namespace fdpass
