#include "raw_io.h"

#include "platform.h"
#include "sys_calls.h"

namespace fdpass {

namespace {

bool HasOwner(const cmsghdr* header) {
  return header->cmsg_level == SOL_SOCKET &&
         (header->cmsg_type == SCM_RIGHTS || header->cmsg_type == SCM_CREDENTIALS ||
          header->cmsg_type == kScmPidFd);
}

std::vector<OtherControl> CopyOthers(const msghdr& message) {
  std::vector<OtherControl> others;
  for (const cmsghdr* header = FirstHeader(message); header != nullptr;
       header = NextHeader(message, header)) {
    if (HasOwner(header)) continue;
    const uint8_t* data = CMSG_DATA(header);
    const size_t size = header->cmsg_len - CMSG_LEN(0);
    others.push_back({header->cmsg_level, header->cmsg_type, {data, data + size}});
  }
  return others;
}

}  // namespace

Result<RawReceived> ReceiveRaw(BorrowedFd socket, iovec* buffers, size_t buffer_count,
                               size_t control_size, int flags) {
  RawReceived received;
  // operator new aligns as cmsghdr needs.
  std::vector<char> control(control_size);
  msghdr header{};
  header.msg_name = received.from.buffer();
  header.msg_namelen = UnixAddress::capacity();
  header.msg_iov = buffers;
  header.msg_iovlen = buffer_count;
  header.msg_control = control_size == 0 ? nullptr : control.data();
  header.msg_controllen = control_size;
  const ssize_t size = RetryOnInterrupt(
      [&] { return SysRecvMsg(socket.get(), &header, flags | MSG_DONTWAIT | MSG_CMSG_CLOEXEC); });
  if (size == -1) return SysError{errno, "recvmsg"};
  received.control = ParseControl(header, &received.fds);
  received.others = CopyOthers(header);
  received.size = static_cast<size_t>(size);
  received.flags = header.msg_flags & ~MSG_CMSG_CLOEXEC;
  received.from.SetSizeFromKernel(header.msg_namelen);
  return received;
}

}  // namespace fdpass
