// core/message_io.h for JS: the hot paths, in plain Node-API. Results are counts or, below zero,
// errnos; no object is made per message.
#include <algorithm>
#include <cstring>
#include <vector>

#include "../core/message_io.h"
#include "bindings.h"
#include "convert.h"
#include "env_data.h"
#include "sys_error.h"

namespace fdpass {

namespace {

napi_value FromInt(napi_env env, int number) {
  napi_value value = nullptr;
  napi_create_int32(env, number, &value);
  return value;
}

// A destination or nothing. The address outlives the call that it is passed to.
class Destination {
 public:
  Destination(napi_env env, napi_value sun_path) : given_(!IsUndefined(env, sun_path)) {
    if (given_) address_ = ToUnixAddress(env, sun_path);
  }
  const UnixAddress* get() const { return given_ ? &address_ : nullptr; }

 private:
  bool given_;
  UnixAddress address_;
};

// Descriptors to lend and credentials to send, where JS gives them: an Int32Array each.
class Attachment {
 public:
  Attachment(napi_env env, napi_value fds, napi_value credentials) {
    if (!IsUndefined(env, fds)) fds_ = ToBytes(env, fds);
    if (IsUndefined(env, credentials)) return;
    const Bytes triple = ToBytes(env, credentials);
    Assert(triple.size == sizeof(credentials_), "expected [pid, uid, gid]");
    std::memcpy(&credentials_, triple.data, sizeof(credentials_));
    has_credentials_ = true;
  }
  void AddTo(OutgoingMessage* message) const {
    message->fds = reinterpret_cast<const int*>(fds_.data);
    message->fd_count = fds_.size / sizeof(int);
    if (has_credentials_) message->credentials = &credentials_;
  }

 private:
  Bytes fds_{nullptr, 0};
  ucred credentials_;
  bool has_credentials_ = false;
};

// Bytes to the connected peer and nothing else: most messages.
Result<size_t> SendPlain(BorrowedFd socket, Bytes data) {
  iovec buffer{data.data, data.size};
  OutgoingMessage message;
  message.buffers = &buffer;
  message.buffer_count = 1;
  return SendMessage(socket, message);
}

// send(fd, data, sunPath?, fds?, credentials?): bytes or -errno
napi_value Send(napi_env env, napi_callback_info info) {
  napi_value arguments[5];
  const size_t given = GetArguments(env, info, arguments, 5);
  const Bytes data = ToBytes(env, arguments[1]);
  if (given == 2) return FromInt(env, CountOrErrno(SendPlain(ToFd(env, arguments[0]), data)));
  const Destination to(env, arguments[2]);
  const Attachment attachment(env, arguments[3], arguments[4]);
  iovec buffer{data.data, data.size};
  OutgoingMessage message;
  message.buffers = &buffer;
  message.buffer_count = 1;
  message.to = to.get();
  attachment.AddTo(&message);
  return FromInt(env, CountOrErrno(SendMessage(ToFd(env, arguments[0]), message)));
}

// sendVector(fd, buffers, sunPath?, fds?, credentials?, control?, flags): bytes or -errno
napi_value SendVector(napi_env env, napi_callback_info info) {
  napi_value arguments[7];
  GetArguments(env, info, arguments, 7);
  std::vector<iovec> buffers = ToVectors(env, arguments[1]);
  const Destination to(env, arguments[2]);
  const Attachment attachment(env, arguments[3], arguments[4]);
  OutgoingMessage message;
  message.buffers = buffers.data();
  message.buffer_count = buffers.size();
  message.to = to.get();
  attachment.AddTo(&message);
  if (!IsUndefined(env, arguments[5])) {
    const Bytes control = ToBytes(env, arguments[5]);
    message.control = control.data;
    message.control_size = control.size;
  }
  message.flags = ToInt(env, arguments[6]);
  return FromInt(env, CountOrErrno(SendMessage(ToFd(env, arguments[0]), message)));
}

// sendBatch(fd, packed, sizes, sunPath | undefined): messages or -errno
napi_value SendPacked(napi_env env, napi_callback_info info) {
  napi_value arguments[4];
  GetArguments(env, info, arguments, 4);
  const Bytes packed = ToBytes(env, arguments[1]);
  const Bytes sizes = ToBytes(env, arguments[2]);
  const Destination to(env, arguments[3]);
  const auto* first = reinterpret_cast<const uint32_t*>(sizes.data);
  const size_t count = sizes.size / sizeof(uint32_t);
  // A script can forge the length of an array, but not the bytes behind it.
  uint64_t total = 0;
  for (size_t i = 0; i < count; i++) total += first[i];
  if (total > packed.size) return FromInt(env, -EINVAL);
  return FromInt(
      env, CountOrErrno(SendBatch(ToFd(env, arguments[0]), packed.data, first, count, to.get())));
}

// One row of `records` for each message; src/ts/sockets/inbox.ts reads the same columns.
enum Column {
  kSize,
  kRealSize,
  kFdCount,
  kFdsDropped,
  kNameSize,
  kPid,
  kUid,
  kGid,
  kPidFd,
  kOffset,
  kColumns
};

// What receive() is asked for: in memory, as each argument of a call costs as much as reading all
// of these. inbox.ts writes the same columns.
enum Request {
  kFd,
  kMaxMessages,
  kMaxFds,
  kAsked,
  kPoolUsed,
  kDirect,
};

// The core inbox together with the JS arrays it reads and writes. They are kept alive by a
// reference each.
struct ScriptInbox {
  ScriptInbox(uint8_t* slab, size_t slots, size_t slot_size) : inbox(slab, slots, slot_size) {}

  Inbox inbox;
  const int32_t* request = nullptr;
  int32_t* records = nullptr;
  int32_t* fds = nullptr;
  uint8_t* names = nullptr;
  napi_ref references[5] = {};
};

// openInbox(slab, slots, slotSize, records, names, fds, request): handle
napi_value OpenInbox(napi_env env, napi_callback_info info) {
  napi_value arguments[7];
  GetArguments(env, info, arguments, 7);
  auto* self = new ScriptInbox(ToBytes(env, arguments[0]).data,
                               static_cast<size_t>(ToInt(env, arguments[1])),
                               static_cast<size_t>(ToInt(env, arguments[2])));
  self->records = reinterpret_cast<int32_t*>(ToBytes(env, arguments[3]).data);
  self->names = ToBytes(env, arguments[4]).data;
  self->fds = reinterpret_cast<int32_t*>(ToBytes(env, arguments[5]).data);
  self->request = reinterpret_cast<int32_t*>(ToBytes(env, arguments[6]).data);
  const size_t kept[] = {0, 3, 4, 5, 6};
  for (size_t i = 0; i < 5; i++) {
    napi_create_reference(env, arguments[kept[i]], 1, &self->references[i]);
  }
  const auto finalize = [](napi_env env, void* data, void*) {
    auto* self = static_cast<ScriptInbox*>(data);
    for (napi_ref reference : self->references) napi_delete_reference(env, reference);
    delete self;
  };
  napi_value handle = nullptr;
  napi_create_external(env, self, finalize, nullptr, &handle);
  return handle;
}

// Memory of the script's. Messages are received right into it, or small ones copied to it from
// their slots, one behind the other.
class Pool {
 public:
  Pool(Bytes memory, size_t used) : memory_(memory), used_(used) {}

  // Room for as many messages of `size` bytes as there is, at most options->max_messages. False if
  // there is none: a script can forge the length of an array, but not the bytes behind it.
  bool ReceiveInto(size_t size, Inbox::Options* options) {
    const size_t room = used_ < memory_.size ? (memory_.size - used_) / size : 0;
    if (room == 0) return false;
    options->max_messages = std::min(options->max_messages, room);
    options->direct = memory_.data + used_;
    options->direct_size = size;
    return true;
  }

  // Gives where the bytes are now, or -1 if they stay in their slot.
  int32_t Take(const Inbox& inbox, size_t index, const Inbox::Options& options) {
    const auto& message = inbox.message(index);
    if (message.direct) return static_cast<int32_t>(used_ + index * options.direct_size);
    if (options.direct_size > 0) return -1;
    return Copy(inbox.slot(index), message.size);
  }

 private:
  int32_t Copy(const uint8_t* data, size_t size) {
    if (size > kLargest || used_ + size > memory_.size) return -1;
    std::memcpy(memory_.data + used_, data, size);
    const auto offset = static_cast<int32_t>(used_);
    used_ += (size + 7) & ~size_t{7};
    return offset;
  }

  static constexpr size_t kLargest = 4096;

  Bytes memory_;
  size_t used_;
};

// Ownership of the descriptors moves to JS with the numbers.
void WriteRecord(EnvData* env_data, ScriptInbox* self, size_t index, int32_t** fds) {
  const ReceivedMessage& message = self->inbox.message(index);
  int32_t* record = self->records + index * kColumns;
  const size_t name_size = message.from.sun_path_size();
  std::memcpy(self->names + index * UnixAddress::kMaxSunPathBytes, message.from.sun_path(),
              name_size);
  for (size_t i = 0; i < message.control.fd_count; i++) {
    const int fd = self->inbox.TakeFd(message.first_fd + i);
    env_data->Own(fd);
    *(*fds)++ = fd;
  }
  record[kSize] = static_cast<int32_t>(message.size);
  record[kRealSize] = static_cast<int32_t>(message.real_size);
  record[kFdCount] = static_cast<int32_t>(message.control.fd_count);
  record[kFdsDropped] = message.control.truncated ? 1 : 0;
  record[kNameSize] = static_cast<int32_t>(name_size);
  const auto& credentials = message.control.credentials;
  record[kPid] = credentials ? credentials->pid : 0;
  record[kUid] = credentials ? static_cast<int32_t>(credentials->uid) : 0;
  record[kGid] = credentials ? static_cast<int32_t>(credentials->gid) : 0;
  record[kPidFd] = self->inbox.TakePidFd(index);
  if (record[kPidFd] != -1) env_data->Own(record[kPidFd]);
}

// The bits of `asked`; src/ts/sockets/inbox.ts sets them.
enum Asked { kAskCredentials = 1, kAskPidFd = 2, kAskEnd = 4 };

// receive(inbox, pool): -errno, or twice the number of messages, plus 1 if the end of the stream
// follows them. With kDirect messages of up to so many bytes are received into the pool, else small
// ones copied there. The memory of the pool is looked up each time: whoever has a message has its
// ArrayBuffer, and may transfer it away.
napi_value Receive(napi_env env, napi_callback_info info) {
  napi_value arguments[2];
  GetArguments(env, info, arguments, 2);
  void* data = nullptr;
  Assert(napi_get_value_external(env, arguments[0], &data) == napi_ok, "expected an inbox");
  auto* self = static_cast<ScriptInbox*>(data);
  const int32_t* request = self->request;
  Inbox::Options options;
  options.max_messages = static_cast<size_t>(request[kMaxMessages]);
  options.control.max_fds = static_cast<size_t>(request[kMaxFds]);
  const int asked = request[kAsked];
  options.control.credentials = (asked & kAskCredentials) != 0;
  options.control.pidfd = (asked & kAskPidFd) != 0;
  options.control.timestamp = (asked & kAskEnd) != 0;
  Pool pool(ToBytes(env, arguments[1]), static_cast<size_t>(request[kPoolUsed]));
  const auto direct = static_cast<size_t>(request[kDirect]);
  if (direct > 0 && !pool.ReceiveInto(direct, &options)) return FromInt(env, -EINVAL);
  const auto received = self->inbox.Receive(BorrowedFd(request[kFd]), options);
  if (!received.ok()) return FromInt(env, -received.error().code);
  int32_t* fds = self->fds;
  EnvData* env_data = EnvData::Of(env);
  for (size_t i = 0; i < received.value(); i++) {
    WriteRecord(env_data, self, i, &fds);
    self->records[i * kColumns + kOffset] = pool.Take(self->inbox, i, options);
  }
  const int count = static_cast<int>(received.value());
  return FromInt(env, count * 2 + (self->inbox.ended() ? 1 : 0));
}

}  // namespace

void ExportMessageBinding(Napi::Env env, Napi::Object exports) {
  Export(env, exports, "send", Send);
  Export(env, exports, "sendVector", SendVector);
  Export(env, exports, "sendBatch", SendPacked);
  Export(env, exports, "openInbox", OpenInbox);
  Export(env, exports, "receive", Receive);
}

}  // namespace fdpass
