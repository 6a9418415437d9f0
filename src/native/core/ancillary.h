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

// Room for what a receiver asked for. No descriptors: no room, and the kernel closes what was sent.
size_t ControlSpace(size_t max_fds, bool credentials, bool timestamp);
inline constexpr size_t kMaxControlSpace =
    CMSG_SPACE(kMaxFdsPerMessage * sizeof(int)) + CMSG_SPACE(sizeof(ucred)) + CMSG_SPACE(16);

// Control data to send. Descriptors are borrowed until the send has returned.
class OutgoingControl {
 public:
  // An empty list adds no header: some peers drop a connection on an empty SCM_RIGHTS.
  // EINVAL above 253, as the kernel says.
  Result<void> AddRights(const int* fds, size_t count);
  void AttachTo(msghdr* message);

 private:
  alignas(cmsghdr) std::array<char, CMSG_SPACE(kMaxFdsPerMessage * sizeof(int))> bytes_;
  size_t used_ = 0;
};

struct ReceivedControl {
  size_t fd_count = 0;               // appended to the list that ParseControl() was given
  std::optional<ucred> credentials;  // only what the kernel vouched for: pid 0 is "unknown"
  bool truncated = false;            // MSG_CTRUNC: something did not fit and was closed
  bool any = false;                  // there was a control message of whatever kind
};

// Owns every descriptor in `message` before looking at anything else.
ReceivedControl ParseControl(const msghdr& message, std::vector<UniqueFd>* fds);

}  // namespace fdpass
