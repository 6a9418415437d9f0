// What the parts of the C contender share. One process plays one role of one pattern and prints its
// report.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

// Messages in one sendmmsg(2) or recvmmsg(2), as in src/native/core/message_io.h.
enum { kBatch = 32, kMaxFds = 253 };

enum mode { kEpoll, kBlocking, kBatched };

// The command line: key=value words, the same for every contender (bench/README.md).
struct options {
  const char* role;
  const char* pattern;
  const char* kind;
  const char* address;
  enum mode mode;
  size_t size;       // bytes of a message, or of a write to a stream
  int fds;           // descriptors that go with each message
  int sockets;       // connections at once
  int addresses;     // of clients
  bool bursts;       // the next connections begin when all of the last ones have ended
  bool unconnected;  // every datagram names its destination
  bool close_runs;   // descriptors that follow each other: close_range(2)
  size_t keep;     // bytes of packets that are kept until their memory takes others; 0: of the last
  int sndbuf;      // SO_SNDBUF; 0: the default
  double warm_us;  // not measured, at the start
  double run_us;   // measured
  long messages;   // the sender stops after so many; 0: only the time counts
  long window;     // messages between two readings of the clock
};

// options.c
struct options ParseOptions(int argc, char** argv);

// clock.c
double NowUs(void);
double CpuUs(void);  // user and system time of this process
long RssBytes(void);
void Fail(const char* what);                              // errno, then exit
double Percentile(double* values, long count, double q);  // sorts

// meter.c: how much came in how long. Windows, because a clock reading for each message would be
// seen.
struct meter {
  double warm_us;
  double first, started, last;  // microseconds; 0: not yet
  double cpu;
  long total, measured, closed;  // closed: of `measured`, what lies in whole windows
  long window;
  double* windows;
  long window_count, window_room;
};
struct meter NewMeter(const struct options* options);
void MeterWindow(struct meter* meter);
void MeterWarm(struct meter* meter);
static inline void MeterAdd(struct meter* meter, long amount) {
  meter->total += amount;
  if (meter->started == 0) {
    MeterWarm(meter);
    return;
  }
  meter->measured += amount;
  if (meter->measured - meter->closed >= meter->window) MeterWindow(meter);
}
void ReportReceived(struct meter* meter);

// The sender's side: when to stop, and what its processor time was.
struct course {
  const struct options* options;
  double begun, measured_from, cpu;
  long sent, sent_before, check_every, check_at;
};
struct course NewCourse(const struct options* options);
bool CourseGoesOn(struct course* course);  // call it after counting in course->sent
void ReportSent(struct course* course);

// link.c
bool IsPacket(
    const struct options* options);  // datagram or seqpacket: messages keep their boundaries
int Listen(
    const struct options* options);  // a bound datagram socket, or a listener; says it is ready
int Accept(int listener, const struct options* options);
int Connect(const struct options* options);
int EpollOn(int fd, unsigned events);
bool Wait(int epoll);   // false: nothing for kIdleMs
bool ToldToStop(void);  // the harness has closed our stdin
enum { kIdleMs = 20 };

// One file for each pattern.
void PingPongReceiver(const struct options* options);
void PingPongSender(const struct options* options);
void OneWayReceiver(const struct options* options);
void OneWaySender(const struct options* options);
void ConnectReceiver(const struct options* options);
void ConnectSender(const struct options* options);
void SocketsReceiver(const struct options* options);
void SocketsSender(const struct options* options);
void RequestsSender(const struct options* options);
void Hold(const struct options* options);
