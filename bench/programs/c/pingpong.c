// One message there, one back, one at a time.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "bench.h"

// The whole message, which on a stream may come in pieces. False at the end.
static bool ReceiveAll(int fd, int epoll, const struct options* options, char* data) {
  size_t got = 0;
  while (got < options->size) {
    if (options->mode != kBlocking && !Wait(epoll)) {
      if (ToldToStop()) return false;
      continue;
    }
    const ssize_t size = recv(fd, data + got, options->size - got, 0);
    if (size == 0) return false;
    if (size > 0) got += (size_t)size;
    if (size == -1 && (errno != EAGAIN || ToldToStop())) return false;
  }
  return true;
}

static void ConnectBack(int fd, char* data, size_t size) {
  struct sockaddr_un from;
  socklen_t length = sizeof from;
  while (recvfrom(fd, data, size, MSG_PEEK, (struct sockaddr*)&from, &length) == -1) {
    if (errno != EAGAIN || ToldToStop()) Fail("recvfrom");
    usleep(1000);
    length = sizeof from;
  }
  if (connect(fd, (struct sockaddr*)&from, length) == -1) Fail("connect");
}

void PingPongReceiver(const struct options* options) {
  const int listener = Listen(options);
  const int fd = Accept(listener, options);
  char* data = malloc(options->size);
  if (fd == listener) ConnectBack(fd, data, options->size);
  const int epoll = EpollOn(fd, EPOLLIN);
  struct meter meter = NewMeter(options);
  while (ReceiveAll(fd, epoll, options, data)) {
    if (send(fd, data, options->size, MSG_NOSIGNAL) == -1) break;
    MeterAdd(&meter, 1);
  }
  ReportReceived(&meter);
}

void PingPongSender(const struct options* options) {
  const int fd = Connect(options);
  const int epoll = EpollOn(fd, EPOLLIN);
  char* data = calloc(1, options->size);
  enum { kMost = 4 << 20 };
  double* times = malloc(sizeof(double) * kMost);
  long count = 0;
  double cpu = 0;
  const double begun = NowUs();
  const double end = begun + options->warm_us + options->run_us;
  for (double before = begun; before < end && count < kMost;) {
    if (send(fd, data, options->size, MSG_NOSIGNAL) == -1) Fail("send");
    if (!ReceiveAll(fd, epoll, options, data)) Fail("the receiver has ended");
    const double now = NowUs();
    if (before >= begun + options->warm_us) {
      if (count == 0) cpu = CpuUs();
      times[count++] = now - before;
    }
    before = now;
  }
  cpu = CpuUs() - cpu;
  const double p50 = Percentile(times, count, 0.5);
  printf("{\"role\":\"sender\",\"total\":%ld,\"measured\":%ld,\"cpuUs\":%.0f,", count, count, cpu);
  printf("\"p50Us\":%.4f,\"p99Us\":%.4f}\n", p50, Percentile(times, count, 0.99));
}
