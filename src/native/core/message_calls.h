// sendmsg(2), recvmsg(2), sendmmsg(2) and recvmmsg(2) as the kernel has them, with errno. musl's
// functions of these names copy the control data into 1 KiB of their own, so that more than 252
// descriptors end with ENOMEM, and make one system call of each message of a batch. (musl
// src/network/sendmsg.c, sendmmsg.c)
//
// On 64-bit machines struct msghdr of glibc is the kernel's; musl's has its padding as members,
// which `msghdr header{}` sets to 0.
#pragma once

#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace fdpass {

inline ssize_t SysSendMsg(int socket, const msghdr* message, int flags) {
  return ::syscall(SYS_sendmsg, socket, message, flags);
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
