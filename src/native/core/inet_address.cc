#include "inet_address.h"

#include <arpa/inet.h>
#include <net/if.h>

#include <cstdlib>
#include <cstring>

namespace fdpass {

namespace {

// A scope is an interface name or its number, 0 for none. ipv6(7), sin6_scope_id
Result<uint32_t> ParseScope(const std::string& text) {
  const uint32_t index = ::if_nametoindex(text.c_str());
  if (index != 0) return index;
  uint64_t number = 0;
  for (const char digit : text) {
    if (digit < '0' || digit > '9') return SysError{EINVAL, "inet_pton"};
    number = number * 10 + static_cast<uint64_t>(digit - '0');
    if (number > UINT32_MAX) return SysError{EINVAL, "inet_pton"};
  }
  if (text.empty()) return SysError{EINVAL, "inet_pton"};
  return static_cast<uint32_t>(number);
}

}  // namespace

Result<InetAddress> InetAddress::Parse(const char* text, uint16_t port) {
  InetAddress address;
  auto* v4 = reinterpret_cast<sockaddr_in*>(&address.storage_);
  if (::inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    address.size_ = sizeof(sockaddr_in);
    return address;
  }
  const std::string whole(text);
  const size_t percent = whole.find('%');
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&address.storage_);
  if (::inet_pton(AF_INET6, whole.substr(0, percent).c_str(), &v6->sin6_addr) != 1) {
    return SysError{EINVAL, "inet_pton"};
  }
  v6->sin6_family = AF_INET6;
  v6->sin6_port = htons(port);
  if (percent != std::string::npos) {
    auto scope = ParseScope(whole.substr(percent + 1));
    if (!scope.ok()) return scope.error();
    v6->sin6_scope_id = scope.value();
  }
  address.size_ = sizeof(sockaddr_in6);
  return address;
}

uint16_t InetAddress::port() const {
  if (family() == AF_INET) return ntohs(reinterpret_cast<const sockaddr_in*>(&storage_)->sin_port);
  return ntohs(reinterpret_cast<const sockaddr_in6*>(&storage_)->sin6_port);
}

std::string InetAddress::text() const {
  char buffer[INET6_ADDRSTRLEN] = "";
  if (family() == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(&storage_);
    return ::inet_ntop(AF_INET, &v4->sin_addr, buffer, sizeof(buffer)) == nullptr ? "" : buffer;
  }
  const auto* v6 = reinterpret_cast<const sockaddr_in6*>(&storage_);
  if (::inet_ntop(AF_INET6, &v6->sin6_addr, buffer, sizeof(buffer)) == nullptr) return "";
  std::string text(buffer);
  char interface[IF_NAMESIZE];
  if (v6->sin6_scope_id == 0) return text;
  const bool named = ::if_indextoname(v6->sin6_scope_id, interface) != nullptr;
  return text + '%' + (named ? interface : std::to_string(v6->sin6_scope_id));
}

}  // namespace fdpass
