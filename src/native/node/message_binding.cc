// core/message_io.h for JS: the hot paths, in plain Node-API. Results are counts or, below zero,
// errnos; no object is made per message.
#include <algorithm>
#include <cstring>
#include <vector>

#include "../core/message_io.h"
#include "bindings.h"
#include "convert.h"
#include "env_data.h"
#include "script_function.h"
#include "sys_error.h"

#include "../core/hot_path.h"

namespace fdpass {

namespace {

template <typename T>
const T* PointerTo(const std::optional<T>& value) {
  return value.has_value() ? &*value : nullptr;
}

// Borrows all that it is given.
OutgoingMessage MessageOf(iovec* buffers, size_t count, const std::optional<UnixAddress>& to,
                          std::optional<Bytes> fds, const std::optional<ucred>& credentials) {
  OutgoingMessage message;
  message.buffers = buffers;
  message.buffer_count = count;
  message.to = PointerTo(to);
  if (fds.has_value()) {
    message.fds = reinterpret_cast<const int*>(fds->data);
    message.fd_count = fds->size / sizeof(int);
  }
  message.credentials = PointerTo(credentials);
  return message;
}

// send(fd, data): bytes or -errno. Most messages.
napi_value Send(Napi::Env env, BorrowedFd socket, Bytes data) {
  iovec buffer{data.data, data.size};
  OutgoingMessage message;
  message.buffers = &buffer;
  message.buffer_count = 1;
  return FromInt(env, CountOrErrno(SendMessage(socket, message)));
}

// sendTo(fd, data, sunPath?, fds?, credentials?): bytes or -errno
napi_value SendTo(Napi::Env env, BorrowedFd socket, Bytes data,
                  const std::optional<UnixAddress>& to, std::optional<Bytes> fds,
                  const std::optional<ucred>& credentials) {
  iovec buffer{data.data, data.size};
  const auto message = MessageOf(&buffer, 1, to, fds, credentials);
  return FromInt(env, CountOrErrno(SendMessage(socket, message)));
}

// sendVector(fd, buffers, sunPath?, fds?, credentials?, control?, flags): bytes or -errno
napi_value SendVector(Napi::Env env, BorrowedFd socket, std::vector<iovec>& buffers,
                      const std::optional<UnixAddress>& to, std::optional<Bytes> fds,
                      const std::optional<ucred>& credentials, std::optional<Bytes> control,
                      int flags) {
  auto message = MessageOf(buffers.data(), buffers.size(), to, fds, credentials);
  if (control.has_value()) {
    message.control = control->data;
    message.control_size = control->size;
  }
  message.flags = flags;
  return FromInt(env, CountOrErrno(SendMessage(socket, message)));
}

// sendBatch(fd, packed, sizes, count, sunPath | undefined): messages or -errno
napi_value SendPacked(Napi::Env env, BorrowedFd socket, Bytes packed, Bytes sizes, int wanted,
                      const std::optional<UnixAddress>& to) {
  const auto* first = reinterpret_cast<const uint32_t*>(sizes.data);
  const size_t count = std::min(static_cast<size_t>(wanted), sizes.size / sizeof(uint32_t));
  // A script can forge the length of an array, but not the bytes behind it.
  uint64_t total = 0;
  for (size_t i = 0; i < count; i++) total += first[i];
  if (total > packed.size) return FromInt(env, -EINVAL);
  const auto sent = SendBatch(socket, packed.data, first, count, PointerTo(to));
  return FromInt(env, CountOrErrno(sent));
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
  ScriptInbox(EnvData* env_data, uint8_t* slab, size_t slots, size_t slot_size)
      : env_data(env_data), inbox(slab, slots, slot_size) {}

  EnvData* env_data;
  Inbox inbox;
  const int32_t* request = nullptr;
  int32_t* records = nullptr;
  int32_t* fds = nullptr;
  uint8_t* names = nullptr;
  napi_ref references[5] = {};
};

// openInbox(slab, slots, slotSize, records, names, fds, request): handle
napi_value OpenInbox(Napi::Env env, Bytes slab, int slots, int slot_size, Bytes records,
                     Bytes names, Bytes fds, Bytes request) {
  auto* self = new ScriptInbox(EnvData::Of(env), slab.data, static_cast<size_t>(slots),
                               static_cast<size_t>(slot_size));
  self->records = reinterpret_cast<int32_t*>(records.data);
  self->names = names.data;
  self->fds = reinterpret_cast<int32_t*>(fds.data);
  self->request = reinterpret_cast<int32_t*>(request.data);
  const napi_value kept[] = {slab.array, records.array, names.array, fds.array, request.array};
  for (size_t i = 0; i < 5; i++) napi_create_reference(env, kept[i], 1, &self->references[i]);
  const auto finalize = [](napi_env env, void* data, void*) {
    auto* self = static_cast<ScriptInbox*>(data);
    for (napi_ref reference : self->references) napi_delete_reference(env, reference);
    delete self;
  };
  return FromObject(env, self, finalize);
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
void WriteRecord(ScriptInbox* self, size_t index, int32_t** fds) {
  const ReceivedMessage& message = self->inbox.message(index);
  int32_t* record = self->records + index * kColumns;
  const size_t name_size = message.from.sun_path_size();
  uint8_t* name = self->names + index * UnixAddress::kMaxSunPathBytes;
  std::memcpy(name, message.from.sun_path(), name_size);
  for (size_t i = name_size; i % sizeof(int32_t) != 0; i++) name[i] = 0;  // JS compares words
  for (size_t i = 0; i < message.control.fd_count; i++) {
    const int fd = self->inbox.TakeFd(message.first_fd + i);
    self->env_data->Own(fd);
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
  if (record[kPidFd] != -1) self->env_data->Own(record[kPidFd]);
}

// The bits of `asked`; src/ts/sockets/inbox.ts sets them.
enum Asked { kAskCredentials = 1, kAskPidFd = 2, kAskEnd = 4, kAskBytesOnly = 8 };

// receive(inbox, pool): -errno, or twice the number of messages, plus 1 if the end of the stream
// follows them. With kDirect messages of up to so many bytes are received into the pool, else small
// ones copied there. The memory of the pool is looked up each time: whoever has a message has its
// ArrayBuffer, and may transfer it away.
napi_value Receive(Napi::Env env, ScriptInbox* self, Bytes memory) {
  const int32_t* request = self->request;
  Inbox::Options options;
  options.max_messages = static_cast<size_t>(request[kMaxMessages]);
  options.control.max_fds = static_cast<size_t>(request[kMaxFds]);
  const int asked = request[kAsked];
  options.control.credentials = (asked & kAskCredentials) != 0;
  options.control.pidfd = (asked & kAskPidFd) != 0;
  options.control.timestamp = (asked & kAskEnd) != 0;
  options.bytes_only = (asked & kAskBytesOnly) != 0;
  Pool pool(memory, static_cast<size_t>(request[kPoolUsed]));
  const auto direct = static_cast<size_t>(request[kDirect]);
  if (direct > 0 && !pool.ReceiveInto(direct, &options)) return FromInt(env, -EINVAL);
  const auto received = self->inbox.Receive(BorrowedFd(request[kFd]), options);
  if (!received.ok()) return FromInt(env, -received.error().code);
  int32_t* fds = self->fds;
  for (size_t i = 0; i < received.value(); i++) {
    WriteRecord(self, i, &fds);
    self->records[i * kColumns + kOffset] = pool.Take(self->inbox, i, options);
  }
  const int count = static_cast<int>(received.value());
  return FromInt(env, count * 2 + (self->inbox.ended() ? 1 : 0));
}

}  // namespace

void ExportMessageBinding(Napi::Env env, Napi::Object exports) {
  Export<Send>(env, exports, "send");
  Export<SendTo>(env, exports, "sendTo");
  Export<SendVector>(env, exports, "sendVector");
  Export<SendPacked>(env, exports, "sendBatch");
  Export<OpenInbox>(env, exports, "openInbox");
  Export<Receive>(env, exports, "receive");
}

}  // namespace fdpass
