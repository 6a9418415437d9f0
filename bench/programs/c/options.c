// The command line: key=value words.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

static enum mode ParseMode(const char* text) {
  if (strcmp(text, "blocking") == 0) return kBlocking;
  return strcmp(text, "batched") == 0 ? kBatched : kEpoll;
}

// Keys that this program has no use for are other contenders' business.
struct options ParseOptions(int argc, char** argv) {
  struct options options = {
      .role = "", .pattern = "", .kind = "", .address = "", .window = 64, .addresses = 1};
  for (int i = 1; i < argc; i++) {
    const char* equals = strchr(argv[i], '=');
    if (equals == NULL) continue;
    const char* value = equals + 1;
    const size_t length = (size_t)(equals - argv[i]);
#define IS(name) (length == strlen(name) && strncmp(argv[i], name, length) == 0)
    if (IS("role")) options.role = value;
    if (IS("pattern")) options.pattern = value;
    if (IS("kind")) options.kind = value;
    if (IS("address")) options.address = value;
    if (IS("mode")) options.mode = ParseMode(value);
    if (IS("size")) options.size = (size_t)atol(value);
    if (IS("fds")) options.fds = atoi(value);
    if (IS("sockets")) options.sockets = atoi(value);
    if (IS("addresses")) options.addresses = atoi(value);
    if (IS("bursts")) options.bursts = atoi(value) != 0;
    if (IS("unconnected")) options.unconnected = atoi(value) != 0;
    if (IS("closeRuns")) options.close_runs = atoi(value) != 0;
    if (IS("keep")) options.keep = (size_t)atol(value);
    if (IS("sndbuf")) options.sndbuf = atoi(value);
    if (IS("warmMs")) options.warm_us = atof(value) * 1000;
    if (IS("runMs")) options.run_us = atof(value) * 1000;
    if (IS("messages")) options.messages = atol(value);
    if (IS("window")) options.window = atol(value);
#undef IS
  }
  return options;
}
