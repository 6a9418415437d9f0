// The C contender: the limit that the others are compared with.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"

// A process that nobody waits for any more ends by itself.
enum { kLongestRunSeconds = 120 };

static const struct {
  const char* name;
  void (*receiver)(const struct options*);
  void (*sender)(const struct options*);
} kPatterns[] = {
    {"pingpong", PingPongReceiver, PingPongSender},
    {"oneway", OneWayReceiver, OneWaySender},
    {"connect", ConnectReceiver, ConnectSender},
    {"sockets", SocketsReceiver, SocketsSender},
    {"queued", Hold, NULL},
    {"requests", NULL, RequestsSender},
};

int main(int argc, char** argv) {
  const struct options options = ParseOptions(argc, argv);
  alarm(kLongestRunSeconds);
  for (size_t i = 0; i < sizeof kPatterns / sizeof *kPatterns; i++) {
    if (strcmp(kPatterns[i].name, options.pattern) != 0) continue;
    const bool sends = strcmp(options.role, "sender") == 0;
    void (*run)(const struct options*) = sends ? kPatterns[i].sender : kPatterns[i].receiver;
    if (run == NULL) break;
    run(&options);
    return 0;
  }
  fprintf(stderr, "'%s' has no role '%s'\n", options.pattern, options.role);
  return 2;
}
