// Messages out and in, with descriptors: sendmsg(2), sendmmsg(2), recvmsg(2), recvmmsg(2).
// Nothing here waits: a full peer and an empty queue are EAGAIN.
#pragma once

#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "ancillary.h"
#include "result.h"
#include "unique_fd.h"
#include "unix_address.h"

namespace fdpass {

// Messages that one system call moves at most: PERF found nothing above 32.
inline constexpr size_t kMaxBatch = 32;

// What one sendmsg(2) sends. Everything is borrowed for the call.
struct OutgoingMessage {
  iovec* buffers = nullptr;
  size_t buffer_count = 0;
  const UnixAddress* to = nullptr;  // null: the connected peer
  const int* fds = nullptr;
  size_t fd_count = 0;
  const ucred* credentials = nullptr;
  const uint8_t* control = nullptr;  // an image of the control buffer, instead of the two above
  size_t control_size = 0;
  int flags = 0;  // MSG_*, besides MSG_DONTWAIT and MSG_NOSIGNAL
};

// Gives the bytes that went: all of them, or fewer on a stream. Descriptors go with the first byte.
Result<size_t> SendMessage(BorrowedFd socket, const OutgoingMessage& message);

// Sends `count` (at most kMaxBatch) messages that lie one behind the other in `packed`.
// Gives how many went; an error only if the first one failed.
Result<size_t> SendBatch(BorrowedFd socket, const uint8_t* packed, const uint32_t* sizes,
                         size_t count, const UnixAddress* to);

struct ReceivedMessage {
  size_t size;       // bytes that are here
  size_t real_size;  // bytes that were sent; more than `size` if the slot was too small
  bool direct;       // it is in Inbox::Options::direct, not in its slot
  size_t first_fd;   // index into Inbox::fds()
  ReceivedControl control;
  UnixAddress from;
};

// Receives batches of messages into slots of a slab that the caller owns and keeps alive.
class Inbox {
 public:
  struct Options {
    size_t max_messages = 1;
    // More than max_fds is closed and reported as truncated. With `timestamp` the end is told from
    // an empty packet, see EnableEndDetection().
    ControlRequest control = {};
    // The caller's memory, where message i is received at `direct + i * direct_size` if it fits
    // there, and into its slot, whole, if it does not and the slot is larger. 0: all go to their
    // slots.
    uint8_t* direct = nullptr;
    size_t direct_size = 0;
    // Nothing but bytes and a name can come: the kernel refuses what else a sender may attach.
    bool bytes_only = false;
  };

  Inbox(uint8_t* slab, size_t slots, size_t slot_size);

  // Gives the number of messages, which ended() may follow. Descriptors of a batch that were not
  // taken by TakeFd() and TakePidFd() are closed by the next call or the destructor.
  Result<size_t> Receive(BorrowedFd socket, const Options& options);

  const ReceivedMessage& message(size_t index) const { return messages_[index]; }
  uint8_t* slot(size_t index) const { return slab_ + index * slot_size_; }
  int TakeFd(size_t index) { return fds_[index].release(); }
  int TakePidFd(size_t index) { return messages_[index].control.pidfd.release(); }
  bool ended() const { return ended_; }

 private:
  size_t SetVectors(size_t index, const Options& options);
  void Judge(size_t index, const Options& options);

  uint8_t* slab_;
  size_t slots_;
  size_t slot_size_;
  bool ended_ = false;
  std::vector<UniqueFd> fds_;
  std::array<ReceivedMessage, kMaxBatch> messages_;
  std::array<mmsghdr, kMaxBatch> headers_;
  std::array<std::array<iovec, 2>, kMaxBatch> vectors_;
  struct ControlSlot {
    alignas(cmsghdr) char bytes[kMaxControlSpace];
  };
  std::array<ControlSlot, kMaxBatch> control_;
};

// recvmsg(2) on a seqpacket socket returns 0 both for an empty packet and at the end. With
// SO_TIMESTAMP every packet carries a control message and the end carries none. (AF_UNIX does not
// switch on the system's packet timestamps: sock_needs_netstamp() in net/core/sock.c.) Not
// SO_TIMESTAMPNS, which does the same here: emulators of Linux lack that one, as qemu-user 7.2.
Result<void> EnableEndDetection(BorrowedFd socket);

}  // namespace fdpass
