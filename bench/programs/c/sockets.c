// One message on each of many connections, an answer on each, then the next round.
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "bench.h"

static void Watch(int epoll, int fd) {
  struct epoll_event event = {.events = EPOLLIN, .data = {.fd = fd}};
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == -1) Fail("epoll_ctl");
}

void SocketsReceiver(const struct options* options) {
  char* data = malloc(options->size);
  const int listener = Listen(options);
  const int epoll = EpollOn(listener, EPOLLIN);
  struct meter meter = NewMeter(options);
  for (int open = -1; open != 0;) {
    struct epoll_event events[64];
    const int count = epoll_wait(epoll, events, 64, kIdleMs);
    if (count == 0 && ToldToStop()) break;
    for (int i = 0; i < count; i++) {
      const int fd = events[i].data.fd;
      if (fd == listener) {
        Watch(epoll, Accept(listener, options));
        open = open == -1 ? 1 : open + 1;
        continue;
      }
      const ssize_t size = recv(fd, data, options->size, 0);
      if (size > 0) {
        send(fd, data, (size_t)size, MSG_NOSIGNAL);
        MeterAdd(&meter, 1);
      } else if (size == 0 || errno != EAGAIN) {
        close(fd);
        open--;
      }
    }
  }
  ReportReceived(&meter);
}

void SocketsSender(const struct options* options) {
  int* fds = malloc(sizeof(int) * (size_t)options->sockets);
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  for (int i = 0; i < options->sockets; i++) Watch(epoll, fds[i] = Connect(options));
  char* data = calloc(1, options->size);
  struct course course = NewCourse(options);
  course.check_every = 1;
  while (CourseGoesOn(&course)) {
    for (int i = 0; i < options->sockets; i++) send(fds[i], data, options->size, MSG_NOSIGNAL);
    for (int answers = 0; answers < options->sockets;) {
      struct epoll_event events[64];
      const int count = epoll_wait(epoll, events, 64, 1000);
      if (count == 0 && ToldToStop()) Fail("the receiver has ended");
      for (int i = 0; i < count; i++) {
        if (recv(events[i].data.fd, data, options->size, 0) > 0) answers++;
      }
    }
    course.sent += options->sockets;
  }
  ReportSent(&course);
}
