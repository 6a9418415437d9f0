// Requests over connections that the server closes behind its answer, from several client
// addresses: the load of the pools.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "bench.h"

enum { kMostAtOnce = 1024, kMostTimes = 1 << 20, kMostAnswer = 1024 };

static const char kRequest[] = "GET / HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n";
static const char kGood[] = "HTTP/1.1 200 ";

// One that is under way.
struct visit {
  int fd;
  double begun;
  size_t length;
  char answer[kMostAnswer];
};

static struct visit visits[kMostAtOnce];
static double times[kMostTimes];  // of the measured ones, as far as there is room

// From 127.0.0.1, 127.0.0.2, ... in turn: a pool may choose the worker by that. The port is chosen
// in connect(), where it may be one that another address uses.
static int Visit(const struct sockaddr_in* to, long number, int addresses) {
  struct sockaddr_in from = {.sin_family = AF_INET};
  from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + (in_addr_t)(number % addresses));
  const int one = 1;
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd == -1) Fail("socket");
  setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
  if (bind(fd, (const struct sockaddr*)&from, sizeof from) == -1) Fail("bind");
  if (connect(fd, (const struct sockaddr*)to, sizeof *to) == 0 &&
      send(fd, kRequest, sizeof kRequest - 1, MSG_NOSIGNAL) == sizeof kRequest - 1) {
    return fd;
  }
  close(fd);
  return -1;
}

// Whether it is over.
static bool Read(struct visit* visit, bool* good) {
  while (visit->length < kMostAnswer) {
    const ssize_t count =
        recv(visit->fd, visit->answer + visit->length, kMostAnswer - visit->length, MSG_DONTWAIT);
    if (count == -1 && errno == EAGAIN) return false;
    if (count <= 0) {
      // The body is one line.
      *good = count == 0 && visit->length > sizeof kGood &&
              memcmp(visit->answer, kGood, sizeof kGood - 1) == 0 &&
              visit->answer[visit->length - 1] == '\n';
      return true;
    }
    visit->length += (size_t)count;
  }
  *good = false;
  return true;
}

struct load {
  struct course course;
  bool going;
  double ended;
  long begun, failed, timed;
  struct visit* idle[kMostAtOnce];
  int idle_count;
};

// Nothing is counted behind the end: what is under way by then would have had no others beside it.
static void Count(struct load* load, bool good) {
  if (!good) load->failed++;
  if (!load->going) return;
  load->course.sent++;
  load->going = CourseGoesOn(&load->course);
  if (!load->going) load->ended = NowUs();
}

static void BeginAll(struct load* load, const struct options* options, int epoll) {
  const char* colon = strchr(options->address, ':');
  const struct sockaddr_in to = {.sin_family = AF_INET,
                                 .sin_port = htons((in_port_t)atoi(colon == NULL ? "" : colon + 1)),
                                 .sin_addr = {htonl(INADDR_LOOPBACK)}};
  while (load->going && load->idle_count > 0) {
    struct visit* visit = load->idle[load->idle_count - 1];
    visit->begun = NowUs();
    visit->length = 0;
    visit->fd = Visit(&to, load->begun++, options->addresses);
    if (visit->fd == -1) {
      Count(load, false);
      continue;
    }
    load->idle_count--;
    struct epoll_event event = {.events = EPOLLIN, .data = {.ptr = visit}};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, visit->fd, &event) == -1) Fail("epoll_ctl");
  }
}

static void Take(struct load* load, struct visit* visit) {
  bool good = false;
  if (!Read(visit, &good)) return;
  close(visit->fd);
  load->idle[load->idle_count++] = visit;
  if (load->course.measured_from != 0 && load->timed < kMostTimes) {
    times[load->timed++] = NowUs() - visit->begun;
  }
  Count(load, good);
}

static void Report(const struct load* load) {
  const struct course* course = &load->course;
  printf("{\"role\":\"sender\",\"total\":%ld,\"measured\":%ld,\"cpuUs\":%.0f,\"failed\":%ld,",
         course->sent, course->sent - course->sent_before, CpuUs() - course->cpu, load->failed);
  printf("\"fromUs\":%.0f,\"toUs\":%.0f,\"p99Us\":%.1f}\n", course->measured_from, load->ended,
         Percentile(times, load->timed, 0.99));
}

// `sockets` of them at any time, or so many at once, again and again.
void RequestsSender(const struct options* options) {
  static struct load load;
  const int all = options->sockets < kMostAtOnce ? options->sockets : kMostAtOnce;
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  load.course = NewCourse(options);
  load.course.check_every = 1;
  load.going = true;
  for (; load.idle_count < all; load.idle_count++)
    load.idle[load.idle_count] = &visits[load.idle_count];
  while (true) {
    if (!options->bursts || load.idle_count == all) BeginAll(&load, options, epoll);
    if (!load.going && load.idle_count == all) break;
    struct epoll_event events[64];
    const int count = epoll_wait(epoll, events, 64, -1);
    for (int i = 0; i < count; i++) Take(&load, events[i].data.ptr);
  }
  Report(&load);
}
