// Counting on both sides, and the reports: one line of JSON each.
#include <stdio.h>
#include <stdlib.h>

#include "bench.h"

struct meter NewMeter(const struct options* options) {
  struct meter meter = {.warm_us = options->warm_us, .window = options->window};
  return meter;
}

void MeterWarm(struct meter* meter) {
  const double now = NowUs();
  if (meter->first == 0) meter->first = now;
  if (now - meter->first < meter->warm_us) return;
  meter->started = meter->last = now;
  meter->cpu = CpuUs();
}

void MeterWindow(struct meter* meter) {
  if (meter->window_count == meter->window_room) {
    meter->window_room = meter->window_room == 0 ? 4096 : meter->window_room * 2;
    meter->windows = realloc(meter->windows, sizeof(double) * (size_t)meter->window_room);
    if (meter->windows == NULL) Fail("realloc");
  }
  const double now = NowUs();
  const long amount = meter->measured - meter->closed;
  meter->windows[meter->window_count++] = (now - meter->last) / (double)amount;
  meter->last = now;
  meter->closed = meter->measured;
}

void ReportReceived(struct meter* meter) {
  const double cpu = CpuUs() - meter->cpu;
  const double p99 = Percentile(meter->windows, meter->window_count, 0.99);
  printf(
      "{\"role\":\"receiver\",\"total\":%ld,\"measured\":%ld,\"inWindows\":%ld,\"elapsedUs\":%.1f,",
      meter->total, meter->measured, meter->closed, meter->last - meter->started);
  printf("\"cpuUs\":%.0f,\"p99Us\":%.6f,\"rss\":%ld}\n", cpu, p99, RssBytes());
}

struct course NewCourse(const struct options* options) {
  const long check_every = options->size >= 65536 || options->fds > 1 ? 1 : 64;
  struct course course = {.options = options, .begun = NowUs(), .check_every = check_every};
  return course;
}

bool CourseGoesOn(struct course* course) {
  const struct options* options = course->options;
  if (options->messages != 0 && course->sent >= options->messages) return false;
  if (course->sent < course->check_at) return true;
  course->check_at = course->sent + course->check_every;
  const double spent = NowUs() - course->begun;
  if (course->measured_from == 0 && spent >= options->warm_us) {
    course->measured_from = course->begun + spent;
    course->cpu = CpuUs();
    course->sent_before = course->sent;
  }
  return options->messages != 0 || spent < options->warm_us + options->run_us;
}

void ReportSent(struct course* course) {
  printf("{\"role\":\"sender\",\"total\":%ld,\"measured\":%ld,\"cpuUs\":%.0f}\n", course->sent,
         course->sent - course->sent_before, CpuUs() - course->cpu);
}
