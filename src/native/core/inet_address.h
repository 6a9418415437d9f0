// InetAddress: a numeric IPv4 or IPv6 address with its port. ip(7), ipv6(7)
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>
#include <string>

#include "result.h"

namespace fdpass {

class InetAddress {
 public:
  InetAddress() = default;

  // Numeric text only ("127.0.0.1", "::1", "fe80::1%eth0"); EINVAL otherwise. Names are for DNS.
  static Result<InetAddress> Parse(const char* text, uint16_t port);

  int family() const { return storage_.ss_family; }
  uint16_t port() const;
  std::string text() const;

  const sockaddr* data() const { return reinterpret_cast<const sockaddr*>(&storage_); }
  socklen_t size() const { return size_; }

  // For system calls that write one: pass buffer() and capacity(), then tell the length they gave.
  sockaddr* buffer() { return reinterpret_cast<sockaddr*>(&storage_); }
  static constexpr socklen_t capacity() { return sizeof(sockaddr_storage); }
  void SetSizeFromKernel(socklen_t size) { size_ = size; }

 private:
  sockaddr_storage storage_{};
  socklen_t size_ = 0;
};

}  // namespace fdpass
