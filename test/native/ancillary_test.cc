// Tests of core/ancillary.h, on control data made by hand.
#include "core/ancillary.h"

#include <netinet/in.h>

#include <cstring>
#include <ctime>

#include "check.h"
#include "core/platform.h"
#include "pipe.h"

using fdpass::ControlSpace;
using fdpass::OutgoingControl;
using fdpass::ParseControl;
using fdpass::UniqueFd;

namespace {

// Control data as the kernel would lay it out.
class ControlBuffer {
 public:
  void Add(int level, int type, const void* payload, size_t size) {
    auto* header = reinterpret_cast<cmsghdr*>(bytes_ + used_);
    header->cmsg_level = level;
    header->cmsg_type = type;
    header->cmsg_len = CMSG_LEN(size);
    std::memcpy(CMSG_DATA(header), payload, size);
    used_ += CMSG_SPACE(size);
  }

  void AddFd(int type, UniqueFd fd) {
    const int number = fd.release();
    Add(SOL_SOCKET, type, &number, sizeof(number));
  }

  msghdr Message(int flags = 0) {
    msghdr message{};
    message.msg_control = bytes_;
    message.msg_controllen = used_;
    message.msg_flags = flags;
    return message;
  }

 private:
  alignas(cmsghdr) char bytes_[512] = {};
  size_t used_ = 0;
};

}  // namespace

TEST("nothing asked for takes no control space") {
  CHECK_EQ(ControlSpace({0, false, false, false}), 0u);
  CHECK_EQ(ControlSpace({1, false, false, false}), CMSG_SPACE(sizeof(int)));
  CHECK_EQ(ControlSpace({0, true, false, false}), CMSG_SPACE(sizeof(ucred)));
  CHECK_EQ(ControlSpace({0, false, false, true}), CMSG_SPACE(sizeof(timespec)));
}

TEST("a pidfd has room behind as many descriptors as anybody can send") {
  const size_t all = CMSG_SPACE(fdpass::kMaxFdsPerMessage * sizeof(int)) + CMSG_SPACE(sizeof(int));
  CHECK_EQ(ControlSpace({0, false, true, false}), all);
  CHECK_EQ(ControlSpace({1, false, true, false}), all);
}

TEST("everything asked for fits the largest control space") {
  CHECK_EQ(ControlSpace({fdpass::kMaxFdsPerMessage, true, true, true}), fdpass::kMaxControlSpace);
}

TEST("an empty list of descriptors adds no header") {
  OutgoingControl control;
  MUST(control.AddRights(nullptr, 0));
  msghdr message{};
  control.AttachTo(&message);
  CHECK(message.msg_control == nullptr);
  CHECK_EQ(message.msg_controllen, 0u);
}

TEST("253 descriptors fit one message and 254 are refused") {
  const std::vector<int> fds(254, 0);
  OutgoingControl control;
  MUST(control.AddRights(fds.data(), 253));
  msghdr message{};
  control.AttachTo(&message);
  CHECK_EQ(CMSG_FIRSTHDR(&message)->cmsg_len, CMSG_LEN(253 * sizeof(int)));
  CHECK_FAILS(OutgoingControl().AddRights(fds.data(), 254), EINVAL, "sendmsg");
}

TEST("descriptors of several headers are all owned, in order") {
  Pipe pipe;
  const int numbers[] = {pipe.reader.get(), pipe.writer.get()};
  ControlBuffer buffer;
  buffer.AddFd(SCM_RIGHTS, std::move(pipe.reader));
  buffer.AddFd(SCM_RIGHTS, std::move(pipe.writer));
  std::vector<UniqueFd> fds;
  const auto control = ParseControl(buffer.Message(), &fds);
  CHECK_EQ(control.fd_count, 2u);
  CHECK_EQ(fds.size(), 2u);
  CHECK_EQ(fds[0].get(), numbers[0]);
  CHECK_EQ(fds[1].get(), numbers[1]);
}

TEST("a pidfd that nobody asked for is closed") {
  Pipe pipe;
  ControlBuffer buffer;
  buffer.AddFd(fdpass::kScmPidFd, std::move(pipe.writer));
  std::vector<UniqueFd> fds;
  CHECK_EQ(ParseControl(buffer.Message(), &fds).fd_count, 0u);
  CHECK(pipe.HasNoWriter());
}

TEST("headers of another level are noticed and skipped") {
  const int value = 7;
  ControlBuffer buffer;
  buffer.Add(IPPROTO_IP, SCM_RIGHTS, &value, sizeof(value));
  std::vector<UniqueFd> fds;
  const auto control = ParseControl(buffer.Message(), &fds);
  CHECK(control.any);
  CHECK(fds.empty());
}

TEST("truncated credentials are no credentials") {
  const ucred whole{1, 2, 3};
  ControlBuffer buffer;
  buffer.Add(SOL_SOCKET, SCM_CREDENTIALS, &whole, sizeof(whole) - 1);
  std::vector<UniqueFd> fds;
  const auto control = ParseControl(buffer.Message(MSG_CTRUNC), &fds);
  CHECK(!control.credentials.has_value());
  CHECK(control.truncated);
}

TEST("credentials of process 0 are no credentials") {
  const ucred nobody{0, 65534, 65534};
  ControlBuffer buffer;
  buffer.Add(SOL_SOCKET, SCM_CREDENTIALS, &nobody, sizeof(nobody));
  std::vector<UniqueFd> fds;
  CHECK(!ParseControl(buffer.Message(), &fds).credentials.has_value());
}

TEST("a header shorter than itself ends the parsing") {
  ControlBuffer buffer;
  const int value = 7;
  buffer.Add(SOL_SOCKET, SCM_RIGHTS, &value, sizeof(value));
  auto message = buffer.Message();
  CMSG_FIRSTHDR(&message)->cmsg_len = 1;
  std::vector<UniqueFd> fds;
  CHECK(!ParseControl(message, &fds).any);
  CHECK(fds.empty());
}

TEST("a message without control data has none") {
  std::vector<UniqueFd> fds;
  const auto control = ParseControl(msghdr{}, &fds);
  CHECK(!control.any);
  CHECK(!control.truncated);
  CHECK(!control.credentials.has_value());
}
