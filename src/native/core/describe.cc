#include "describe.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "socket_ops.h"

namespace fdpass {

namespace {

// The call itself: glibc before 2.33 exports no fstat(), and musl none of the names that it had
// before. On 64-bit machines the kernel's struct is that of the C library.
int FileStatus(BorrowedFd fd, struct stat* status) {
  return static_cast<int>(::syscall(SYS_fstat, fd.get(), status));
}

}  // namespace

Result<FdDescription> Describe(BorrowedFd fd) {
  struct stat status;
  if (FileStatus(fd, &status) == -1) return SysError{errno, "fstat"};
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
