#include "ancillary.h"

#include <sys/time.h>
#include <cstring>

#include "platform.h"

namespace fdpass {

// Descriptors come before the pidfd: with room for `max_fds` alone a sender of more would hide who
// it is.
size_t ControlSpace(const ControlRequest& request) {
  const size_t fds = request.pidfd ? kMaxFdsPerMessage : request.max_fds;
  return (fds > 0 ? CMSG_SPACE(fds * sizeof(int)) : 0) +
         (request.credentials ? CMSG_SPACE(sizeof(ucred)) : 0) +
         (request.pidfd ? CMSG_SPACE(sizeof(int)) : 0) +
         (request.timestamp ? CMSG_SPACE(sizeof(timeval)) : 0);
}

Result<void> OutgoingControl::AddRights(const int* fds, size_t count) {
  if (count == 0) return {};
  if (count > kMaxFdsPerMessage) return SysError{EINVAL, "sendmsg"};
  Add(SCM_RIGHTS, fds, count * sizeof(int));
  return {};
}

void OutgoingControl::AddCredentials(const ucred& credentials) {
  Add(SCM_CREDENTIALS, &credentials, sizeof(credentials));
}

void OutgoingControl::Add(int type, const void* payload, size_t size) {
  char* start = bytes_.data() + used_;
  std::memset(start, 0, CMSG_SPACE(size));
  auto* header = reinterpret_cast<cmsghdr*>(start);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = type;
  header->cmsg_len = CMSG_LEN(size);
  std::memcpy(CMSG_DATA(header), payload, size);
  used_ += CMSG_SPACE(size);
}

void OutgoingControl::AttachTo(msghdr* message) {
  message->msg_control = used_ == 0 ? nullptr : bytes_.data();
  message->msg_controllen = used_;
}

namespace {

size_t OwnRights(const cmsghdr* header, std::vector<UniqueFd>* fds) {
  const size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
  const auto* payload = CMSG_DATA(header);
  for (size_t i = 0; i < count; i++) {
    int fd;
    std::memcpy(&fd, payload + i * sizeof(int), sizeof(int));
    fds->emplace_back(fd);
  }
  return count;
}

// The kernel writes a negative errno where it could make no descriptor, as for a sender that has
// been reaped.
UniqueFd OwnPidFd(const cmsghdr* header) {
  int fd = -1;
  if (header->cmsg_len >= CMSG_LEN(sizeof(int))) std::memcpy(&fd, CMSG_DATA(header), sizeof(int));
  return fd < 0 ? UniqueFd() : UniqueFd(fd);
}

// A short control buffer leaves a partial struct behind (unlike descriptors): cmsg_len tells.
std::optional<ucred> ReadCredentials(const cmsghdr* header) {
  if (header->cmsg_len < CMSG_LEN(sizeof(ucred))) return std::nullopt;
  ucred credentials;
  std::memcpy(&credentials, CMSG_DATA(header), sizeof(credentials));
  // A message that was queued before SO_PASSCRED shows pid 0 and the overflow ids: nobody's word.
  if (credentials.pid == 0) return std::nullopt;
  return credentials;
}

}  // namespace

const cmsghdr* FirstHeader(const msghdr& message) {
  const auto* header = static_cast<const cmsghdr*>(message.msg_control);
  if (message.msg_controllen < CMSG_LEN(0)) return nullptr;
  const bool whole = header->cmsg_len >= CMSG_LEN(0) && header->cmsg_len <= message.msg_controllen;
  return whole ? header : nullptr;
}

const cmsghdr* NextHeader(const msghdr& message, const cmsghdr* header) {
  const auto* start = static_cast<const char*>(message.msg_control);
  const size_t at = static_cast<size_t>(reinterpret_cast<const char*>(header) - start) +
                    CMSG_ALIGN(header->cmsg_len);
  if (at >= message.msg_controllen) return nullptr;
  msghdr rest{};
  rest.msg_control = const_cast<char*>(start + at);
  rest.msg_controllen = message.msg_controllen - at;
  return FirstHeader(rest);
}

ReceivedControl ParseControl(const msghdr& message, std::vector<UniqueFd>* fds) {
  ReceivedControl control;
  control.truncated = (message.msg_flags & MSG_CTRUNC) != 0;
  for (const cmsghdr* header = FirstHeader(message); header != nullptr;
       header = NextHeader(message, header)) {
    control.any = true;
    if (header->cmsg_level != SOL_SOCKET) continue;
    if (header->cmsg_type == SCM_RIGHTS) control.fd_count += OwnRights(header, fds);
    if (header->cmsg_type == SCM_CREDENTIALS) control.credentials = ReadCredentials(header);
    if (header->cmsg_type == kScmPidFd) control.pidfd = OwnPidFd(header);
  }
  return control;
}

}  // namespace fdpass
