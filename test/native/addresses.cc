// The address that only the kernel can make, by the plain system call.
#include "addresses.h"

#include <sys/un.h>

#include <algorithm>

std::string BindToPathOf108Bytes(fdpass::BorrowedFd socket, const TempDir& folder) {
  std::string path = folder.path("");
  path.resize(sizeof(sockaddr_un::sun_path), 'x');
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::copy(path.begin(), path.end(), address.sun_path);
  const auto* plain = reinterpret_cast<const sockaddr*>(&address);
  return ::bind(socket.get(), plain, sizeof(address)) == 0 ? path : "bind failed";
}
