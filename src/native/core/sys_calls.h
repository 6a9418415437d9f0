// System calls as the kernel has them, with errno, and not as the C library does: the hot ones.
//
// musl's sendmsg() copies the control data into 1 KiB of its own, so that more than 252 descriptors
// end with ENOMEM, and its sendmmsg() makes one system call of each message (src/network/sendmsg.c,
// sendmmsg.c). glibc's are cancellation points, which in a process with threads takes a tenth of
// the time of closing a descriptor.
//
// On 64-bit machines struct msghdr of glibc is the kernel's; musl's has its padding as members,
// which `msghdr header{}` sets to 0.
#pragma once

#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

// Linux 5.9; newer than the headers of some systems that have a compiler for this.
#ifndef SYS_close_range
#define SYS_close_range 436
#endif

namespace fdpass {

inline int SysClose(int fd) { return static_cast<int>(::syscall(SYS_close, fd)); }

inline int SysCloseRange(int first, int last) {
  return static_cast<int>(::syscall(SYS_close_range, first, last, 0));
}

inline ssize_t SysSend(int socket, const void* data, size_t size, int flags) {
  return ::syscall(SYS_sendto, socket, data, size, flags, nullptr, 0);
}

inline ssize_t SysSendMsg(int socket, const msghdr* message, int flags) {
  return ::syscall(SYS_sendmsg, socket, message, flags);
}

inline ssize_t SysRecvFrom(int socket, void* data, size_t size, int flags, void* from,
                           socklen_t* from_size) {
  return ::syscall(SYS_recvfrom, socket, data, size, flags, from, from_size);
}

inline ssize_t SysRecvMsg(int socket, msghdr* message, int flags) {
  return ::syscall(SYS_recvmsg, socket, message, flags);
}

inline int SysSendMMsg(int socket, mmsghdr* messages, unsigned count, int flags) {
  return static_cast<int>(::syscall(SYS_sendmmsg, socket, messages, count, flags));
}

inline int SysRecvMMsg(int socket, mmsghdr* messages, unsigned count, int flags) {
  return static_cast<int>(::syscall(SYS_recvmmsg, socket, messages, count, flags, nullptr));
}

}  // namespace fdpass
