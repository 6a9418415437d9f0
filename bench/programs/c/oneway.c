// Messages or bytes in one direction as fast as they go, with descriptors if asked for.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "bench.h"

enum { kStreamBuffer = 256 * 1024 };

union control {
  struct cmsghdr align;
  char bytes[CMSG_SPACE(kMaxFds * sizeof(int))];
};

struct inbox {
  struct mmsghdr headers[kBatch];
  struct iovec vectors[kBatch];
  union control control;
  size_t slot;
  size_t slots;  // that are used in turn, one system call each
  size_t next;
  char* data;
  long closed;  // descriptors that came
};

// `in_runs`: those that follow each other by one call.
static void CloseAll(struct inbox* inbox, struct msghdr* header, bool in_runs) {
  for (struct cmsghdr* c = CMSG_FIRSTHDR(header); c != NULL; c = CMSG_NXTHDR(header, c)) {
    const size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    const int* fds = (const int*)CMSG_DATA(c);
    for (size_t begin = 0, end = 0; begin < count; begin = end) {
      end = begin + 1;
      while (in_runs && end < count && fds[end] == fds[end - 1] + 1) end++;
      if (end - begin == 1)
        close(fds[begin]);
      else
        close_range((unsigned)fds[begin], (unsigned)fds[end - 1], 0);
    }
    inbox->closed += (long)count;
  }
}

static ssize_t ReceiveWithFds(int fd, struct inbox* inbox, bool in_runs) {
  struct iovec vector = {inbox->data, inbox->slot};
  struct msghdr header = {.msg_iov = &vector,
                          .msg_iovlen = 1,
                          .msg_control = inbox->control.bytes,
                          .msg_controllen = sizeof inbox->control.bytes};
  const ssize_t size = recvmsg(fd, &header, MSG_CMSG_CLOEXEC);
  if (size > 0) CloseAll(inbox, &header, in_runs);
  return size;
}

// What one system call brought, in the meter's unit: messages, descriptors or bytes. 0: the end;
// -1: errno.
static long ReceiveOnce(int fd, const struct options* options, struct inbox* inbox) {
  if (options->mode == kBatched) {
    const int count = recvmmsg(fd, inbox->headers, kBatch, 0, NULL);
    return count > 0 && inbox->headers[0].msg_len == 0 ? 0 : count;
  }
  if (options->fds > 0) {
    const long before = inbox->closed;
    const ssize_t size = ReceiveWithFds(fd, inbox, options->close_runs);
    return size > 0 ? inbox->closed - before : size;
  }
  const ssize_t size = recv(fd, inbox->data + inbox->next * inbox->slot, inbox->slot, 0);
  if (++inbox->next >= inbox->slots) inbox->next = 0;
  return size > 0 && IsPacket(options) ? 1 : size;
}

void OneWayReceiver(const struct options* options) {
  static struct inbox inbox;
  inbox.slot = IsPacket(options) ? options->size : kStreamBuffer;
  inbox.slots = options->keep > 0 ? options->keep / inbox.slot : 1;
  inbox.data = malloc(inbox.slot * (inbox.slots > kBatch ? inbox.slots : kBatch));
  for (size_t i = 0; i < kBatch; i++) {
    inbox.vectors[i] = (struct iovec){inbox.data + i * inbox.slot, inbox.slot};
    inbox.headers[i].msg_hdr = (struct msghdr){.msg_iov = &inbox.vectors[i], .msg_iovlen = 1};
  }
  const int fd = Accept(Listen(options), options);
  const int epoll = EpollOn(fd, EPOLLIN);
  struct meter meter = NewMeter(options);
  while (true) {
    const long amount = ReceiveOnce(fd, options, &inbox);
    if (amount > 0) {
      MeterAdd(&meter, amount);
    } else if (amount == 0 || errno != EAGAIN) {
      break;
    } else if ((options->mode == kBlocking || !Wait(epoll)) && ToldToStop()) {
      break;
    }
  }
  ReportReceived(&meter);
}

// How the messages of this case leave.
struct outbox {
  struct msghdr header;  // with descriptors, or with a destination
  struct mmsghdr headers[kBatch];
  struct iovec vector;
  union control control;
  struct sockaddr_un to;
  bool plain;
};

static void Fill(struct outbox* outbox, const struct options* options) {
  outbox->vector = (struct iovec){calloc(1, options->size), options->size};
  outbox->header = (struct msghdr){.msg_iov = &outbox->vector, .msg_iovlen = 1};
  outbox->plain = options->fds == 0 && !options->unconnected;
  if (options->fds > 0) {
    const size_t size = sizeof(int) * (size_t)options->fds;
    outbox->header.msg_control = outbox->control.bytes;
    outbox->header.msg_controllen = CMSG_SPACE(size);
    struct cmsghdr* c = CMSG_FIRSTHDR(&outbox->header);
    *c = (struct cmsghdr){
        .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(size)};
    const int file = open("/dev/null", O_RDONLY | O_CLOEXEC);
    for (int i = 0; i < options->fds; i++) {
      memcpy(CMSG_DATA(c) + (size_t)i * sizeof file, &file, sizeof file);
    }
  }
  if (options->unconnected) {
    outbox->to.sun_family = AF_UNIX;
    strncpy(outbox->to.sun_path, options->address, sizeof outbox->to.sun_path - 1);
    outbox->header.msg_name = &outbox->to;
    outbox->header.msg_namelen = sizeof outbox->to;
  }
  for (size_t i = 0; i < kBatch; i++) outbox->headers[i].msg_hdr = outbox->header;
}

// Messages sent, or -1. `done` of the message at hand are bytes that a stream took already.
static long SendOnce(int fd, const struct options* options, struct outbox* outbox, size_t* done) {
  if (options->mode == kBatched) return sendmmsg(fd, outbox->headers, kBatch, MSG_NOSIGNAL);
  if (!outbox->plain) return sendmsg(fd, &outbox->header, MSG_NOSIGNAL) == -1 ? -1 : 1;
  char* data = outbox->vector.iov_base;
  const ssize_t size = send(fd, data + *done, options->size - *done, MSG_NOSIGNAL);
  if (size == -1) return -1;
  *done += (size_t)size;
  if (*done < options->size) return 0;
  *done = 0;
  return 1;
}

void OneWaySender(const struct options* options) {
  static struct outbox outbox;
  Fill(&outbox, options);
  // An unconnected socket is always writable. What tells that there is room is one connected to the
  // destination.
  const int connected = Connect(options);
  const int fd = options->unconnected ? socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0) : connected;
  const int epoll = EpollOn(connected, EPOLLOUT);
  struct course course = NewCourse(options);
  size_t done = 0;
  while (CourseGoesOn(&course)) {
    const long sent = SendOnce(fd, options, &outbox, &done);
    if (sent > 0) {
      course.sent += sent;
    } else if (sent == -1 && errno == EAGAIN) {
      Wait(epoll);
    } else if (sent == -1) {
      Fail("send");
    }
  }
  ReportSent(&course);
}
