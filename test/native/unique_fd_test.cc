// Tests of core/unique_fd.h.
#include "core/unique_fd.h"

#include "check.h"
#include "pipe.h"

using fdpass::UniqueFd;

TEST("an owner closes at the end of its scope") {
  Pipe pipe;
  { const UniqueFd owner = std::move(pipe.writer); }
  CHECK(pipe.HasNoWriter());
}

TEST("a moved-from owner is empty and the descriptor stays open") {
  Pipe pipe;
  const int number = pipe.writer.get();
  const UniqueFd owner = std::move(pipe.writer);
  CHECK_EQ(owner.get(), number);
  CHECK(!pipe.writer.valid());
  CHECK(IsOpen(number));
}

TEST("assignment closes what the target owned before") {
  Pipe first;
  Pipe second;
  const int number = second.writer.get();
  first.writer = std::move(second.writer);
  CHECK(first.HasNoWriter());
  CHECK_EQ(first.writer.get(), number);
  CHECK(IsOpen(number));
}

TEST("assignment to itself keeps the descriptor open") {
  Pipe pipe;
  UniqueFd& same = pipe.writer;
  pipe.writer = std::move(same);
  CHECK(pipe.writer.valid());
  CHECK(!pipe.HasNoWriter());
}

TEST("a released descriptor is the caller's to close") {
  Pipe pipe;
  const int number = pipe.writer.release();
  CHECK(!pipe.writer.valid());
  CHECK(IsOpen(number));
  ::close(number);
}

TEST("descriptor 0 counts as owned, not as nothing") {
  UniqueFd zero(0);
  CHECK(zero.valid());
  CHECK_EQ(zero.release(), 0);
}

TEST("reset closes once, a second reset does nothing") {
  Pipe pipe;
  pipe.writer.reset();
  CHECK(pipe.HasNoWriter());
  pipe.writer.reset();
  CHECK(!pipe.writer.valid());
}
