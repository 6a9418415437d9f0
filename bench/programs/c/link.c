// Sockets and waiting for them.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "bench.h"

static bool IsKind(const struct options* options, const char* kind) {
  return strcmp(options->kind, kind) == 0;
}

bool IsPacket(const struct options* options) {
  return IsKind(options, "dgram") || IsKind(options, "seqpacket");
}

static struct sockaddr_un UnixName(const char* path, const char* suffix) {
  struct sockaddr_un name = {.sun_family = AF_UNIX};
  const int length = snprintf(name.sun_path, sizeof name.sun_path, "%s%s", path, suffix);
  if (length >= (int)sizeof name.sun_path) {
    errno = ENAMETOOLONG;
    Fail(path);
  }
  return name;
}

static int Open(const struct options* options) {
  if (IsKind(options, "tcp")) return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int type = IsKind(options, "dgram")       ? SOCK_DGRAM
                   : IsKind(options, "seqpacket") ? SOCK_SEQPACKET
                                                  : SOCK_STREAM;
  return socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
}

// A blocking receiver wakes up now and then, to see whether it is to stop.
static void SetUp(int fd, const struct options* options) {
  const int one = 1;
  if (IsKind(options, "tcp")) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (options->sndbuf != 0) {
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &options->sndbuf, sizeof options->sndbuf);
  }
  if (options->mode == kBlocking) {
    const struct timeval idle = {.tv_usec = kIdleMs * 1000};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &idle, sizeof idle);
  } else if (fcntl(fd, F_SETFL, O_NONBLOCK) == -1) {
    Fail("fcntl");
  }
}

static int ListenTcp(const struct options* options) {
  const int fd = Open(options);
  struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  socklen_t size = sizeof name;
  if (bind(fd, (struct sockaddr*)&name, size) == -1) Fail("bind");
  if (listen(fd, 511) == -1) Fail("listen");
  getsockname(fd, (struct sockaddr*)&name, &size);
  printf("{\"ready\":\"127.0.0.1:%d\"}\n", ntohs(name.sin_port));
  return fd;
}

int Listen(const struct options* options) {
  int fd;
  if (IsKind(options, "tcp")) {
    fd = ListenTcp(options);
  } else {
    fd = Open(options);
    const struct sockaddr_un name = UnixName(options->address, "");
    if (bind(fd, (const struct sockaddr*)&name, sizeof name) == -1) Fail("bind");
    if (!IsKind(options, "dgram") && listen(fd, 511) == -1) Fail("listen");
    printf("{\"ready\":\"%s\"}\n", options->address);
  }
  if (IsKind(options, "dgram")) SetUp(fd, options);
  fflush(stdout);
  return fd;
}

int Accept(int listener, const struct options* options) {
  if (IsKind(options, "dgram")) return listener;
  const int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
  if (fd == -1) Fail("accept");
  SetUp(fd, options);
  return fd;
}

int Connect(const struct options* options) {
  const int fd = Open(options);
  if (IsKind(options, "tcp")) {
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    const char* colon = strchr(options->address, ':');
    name.sin_port = htons((unsigned short)atoi(colon == NULL ? "0" : colon + 1));
    if (connect(fd, (struct sockaddr*)&name, sizeof name) == -1) Fail("connect");
  } else {
    const struct sockaddr_un name = UnixName(options->address, "");
    const bool answered = strcmp(options->pattern, "pingpong") == 0;
    if (IsKind(options, "dgram") && answered) {
      const struct sockaddr_un own = UnixName(options->address, ".client");
      if (bind(fd, (const struct sockaddr*)&own, sizeof own) == -1) Fail("bind");
    }
    if (connect(fd, (const struct sockaddr*)&name, sizeof name) == -1) Fail("connect");
  }
  SetUp(fd, options);
  return fd;
}

int EpollOn(int fd, unsigned events) {
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  struct epoll_event event = {.events = events, .data = {.fd = fd}};
  if (epoll == -1 || epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == -1) Fail("epoll");
  return epoll;
}

bool Wait(int epoll) {
  struct epoll_event event;
  return epoll_wait(epoll, &event, 1, kIdleMs) > 0;
}

bool ToldToStop(void) {
  struct pollfd input = {.fd = 0, .events = POLLIN};
  return poll(&input, 1, 0) > 0;
}
