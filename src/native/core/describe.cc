#include "describe.h"

#include <sys/socket.h>
#include <sys/stat.h>

#include "socket_ops.h"

namespace fdpass {

Result<FdDescription> Describe(BorrowedFd fd) {
  struct stat status;
  if (::fstat(fd.get(), &status) == -1) return SysError{errno, "fstat"};
  FdDescription description;
  description.mode = status.st_mode;
  description.inode = status.st_ino;
  description.device = status.st_dev;
  if (!S_ISSOCK(status.st_mode)) return description;
  const struct {
    int option;
    int* value;
  } questions[] = {{SO_DOMAIN, &description.domain},
                   {SO_TYPE, &description.type},
                   {SO_PROTOCOL, &description.protocol},
                   {SO_ACCEPTCONN, &description.listening}};
  for (const auto& question : questions) {
    auto answer = GetOption(fd, SOL_SOCKET, question.option);
    // fstat(2) took it and this does not: an O_PATH descriptor of a socket file. It has a kind and
    // nothing else.
    if (!answer.ok())
      return answer.error().code == EBADF ? description : Result<FdDescription>(answer.error());
    *question.value = answer.value();
  }
  return description;
}

}  // namespace fdpass
