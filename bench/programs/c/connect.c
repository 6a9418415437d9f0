// Connections that the server closes as soon as it has accepted them.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "bench.h"

void ConnectReceiver(const struct options* options) {
  const int listener = Listen(options);
  if (options->mode != kBlocking) fcntl(listener, F_SETFL, O_NONBLOCK);
  const int epoll = EpollOn(listener, EPOLLIN);
  struct meter meter = NewMeter(options);
  while (true) {
    if (!Wait(epoll)) {
      if (ToldToStop()) break;
      continue;
    }
    for (int fd; (fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) != -1;) {
      close(fd);
      MeterAdd(&meter, 1);
    }
  }
  ReportReceived(&meter);
}

// Takes connections and never reads from one.
void Hold(const struct options* options) {
  const int listener = Listen(options);
  fcntl(listener, F_SETFL, O_NONBLOCK);
  const int epoll = EpollOn(listener, EPOLLIN);
  while (Wait(epoll) || !ToldToStop()) {
    if (accept4(listener, NULL, NULL, SOCK_CLOEXEC) == -1 && errno != EAGAIN) Fail("accept");
  }
  printf("{\"role\":\"receiver\",\"total\":0,\"measured\":0}\n");
}

// `sockets` connections are under way at any time.
void ConnectSender(const struct options* options) {
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  struct course course = NewCourse(options);
  int open = 0;
  for (bool going = true; going || open > 0;) {
    for (; going && open < options->sockets; open++) {
      struct epoll_event event = {.events = EPOLLIN, .data = {.fd = Connect(options)}};
      if (epoll_ctl(epoll, EPOLL_CTL_ADD, event.data.fd, &event) == -1) Fail("epoll_ctl");
    }
    struct epoll_event events[64];
    const int count = epoll_wait(epoll, events, 64, -1);
    for (int i = 0; i < count; i++) {
      char byte;
      if (recv(events[i].data.fd, &byte, 1, 0) == -1 && errno == EAGAIN) continue;
      close(events[i].data.fd);
      open--;
      course.sent++;
      if (going) going = CourseGoesOn(&course);
    }
  }
  ReportSent(&course);
}
