// Time, processor time, memory, and how the program gives up.
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

double NowUs(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

double CpuUs(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  const double user = (double)usage.ru_utime.tv_sec * 1e6 + (double)usage.ru_utime.tv_usec;
  return user + (double)usage.ru_stime.tv_sec * 1e6 + (double)usage.ru_stime.tv_usec;
}

long RssBytes(void) {
  long pages = 0;
  FILE* file = fopen("/proc/self/statm", "r");
  if (file == NULL || fscanf(file, "%*d %ld", &pages) != 1) Fail("/proc/self/statm");
  fclose(file);
  return pages * sysconf(_SC_PAGESIZE);
}

void Fail(const char* what) {
  perror(what);
  exit(1);
}

static int Ascending(const void* left, const void* right) {
  const double a = *(const double*)left;
  const double b = *(const double*)right;
  return (a > b) - (a < b);
}

double Percentile(double* values, long count, double q) {
  if (count == 0) return 0;
  qsort(values, (size_t)count, sizeof(double), Ascending);
  return values[(long)((double)(count - 1) * q)];
}
