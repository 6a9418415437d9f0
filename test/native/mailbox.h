// Mailbox: an Inbox with a slab of its own, and what the message tests send into it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "check.h"
#include "core/message_io.h"

class Mailbox {
 public:
  explicit Mailbox(size_t slots = 1, size_t slot_size = 64)
      : slab_(slots * slot_size), slot_size_(slot_size), inbox_(slab_.data(), slots, slot_size) {}

  fdpass::Result<size_t> Receive(const fdpass::UniqueFd& socket,
                                 const fdpass::Inbox::Options& options = {}) {
    return inbox_.Receive(socket.borrow(), options);
  }

  const fdpass::ReceivedMessage& message(size_t index = 0) const { return inbox_.message(index); }
  std::string_view text(size_t index = 0) const {
    return {reinterpret_cast<const char*>(slab_.data()) + index * slot_size_, message(index).size};
  }
  fdpass::UniqueFd TakeFd(size_t index) { return fdpass::UniqueFd(inbox_.TakeFd(index)); }
  bool ended() const { return inbox_.ended(); }

 private:
  std::vector<uint8_t> slab_;
  size_t slot_size_;
  fdpass::Inbox inbox_;
};

inline fdpass::Result<size_t> SendText(const fdpass::UniqueFd& socket, std::string_view text,
                                       const fdpass::UnixAddress* to = nullptr,
                                       const std::vector<int>& fds = {}) {
  iovec buffer{const_cast<char*>(text.data()), text.size()};
  fdpass::OutgoingMessage message;
  message.buffers = &buffer;
  message.buffer_count = 1;
  message.to = to;
  message.fds = fds.data();
  message.fd_count = fds.size();
  return fdpass::SendMessage(socket.borrow(), message);
}
