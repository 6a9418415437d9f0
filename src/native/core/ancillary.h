// Control data of one message: built from borrowed descriptors, parsed into owned ones. cmsg(3),
// unix(7)
#pragma once

#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <optional>
#include <vector>

#include "result.h"
#include "unique_fd.h"

namespace fdpass {

// SCM_MAX_FD of include/net/scm.h: descriptors in one message, over all its SCM_RIGHTS headers.
inline constexpr size_t kMaxFdsPerMessage = 253;

// What a receiver asked the kernel for.
struct ControlRequest {
  size_t max_fds = 0;        // per message; none: no room, and the kernel closes what was sent
  bool credentials = false;  // SO_PASSCRED is set on the socket
  bool pidfd = false;        // SO_PASSPIDFD is set
  bool timestamp = false;    // SO_TIMESTAMP is set
};

// Bytes of control buffer for it.
size_t ControlSpace(const ControlRequest& request);
inline constexpr size_t kMaxControlSpace = CMSG_SPACE(kMaxFdsPerMessage * sizeof(int)) +
                                           CMSG_SPACE(sizeof(ucred)) + CMSG_SPACE(sizeof(int)) +
                                           CMSG_SPACE(16);

// Control data to send. Descriptors are borrowed until the send has returned.
class OutgoingControl {
 public:
  // An empty list adds no header: some peers drop a connection on an empty SCM_RIGHTS.
  // EINVAL above 253, as the kernel says.
  Result<void> AddRights(const int* fds, size_t count);
  // Once. The kernel checks them: EPERM for the ids or the pid of somebody else, unless privileged.
  void AddCredentials(const ucred& credentials);
  void AttachTo(msghdr* message);

 private:
  void Add(int type, const void* payload, size_t size);

  alignas(cmsghdr) std::array<char, CMSG_SPACE(kMaxFdsPerMessage * sizeof(int)) +
                                        CMSG_SPACE(sizeof(ucred))> bytes_;
  size_t used_ = 0;
};

struct ReceivedControl {
  size_t fd_count = 0;               // appended to the list that ParseControl() was given
  UniqueFd pidfd;                    // of the sender; Linux 6.5
  std::optional<ucred> credentials;  // only what the kernel vouched for: pid 0 is "unknown"
  bool truncated = false;            // MSG_CTRUNC: something did not fit and was closed
  bool any = false;                  // there was a control message of whatever kind
};

// The control messages of `message`, one after the other; null behind the last. As CMSG_FIRSTHDR
// and CMSG_NXTHDR, which glibc turns into a function that musl does not have.
const cmsghdr* FirstHeader(const msghdr& message);
const cmsghdr* NextHeader(const msghdr& message, const cmsghdr* header);

// Owns every descriptor in `message` before looking at anything else.
ReceivedControl ParseControl(const msghdr& message, std::vector<UniqueFd>* fds);

}  // namespace fdpass
