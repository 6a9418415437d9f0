# What the addon is made of. It lies here and not in the folder of the package, because npm compiles whatever has a
# binding.gyp there, also where a prebuilt binary fits: `npm ci` does so from a lock file, which does not know
# `gypfile: false`. The one of the repository's top level includes this one; `fdpass build` takes it as it is.
{
  "variables": { "werror%": "", "native_dir%": "<(module_root_dir)" },
  "targets": [
    {
      "target_name": "fdpass",
      "sources": [
        "core/ancillary.cc",
        "core/describe.cc",
        "core/fd_ops.cc",
        "core/inet_address.cc",
        "core/memfd.cc",
        "core/message_io.cc",
        "core/poll_thread.cc",
        "core/process_ops.cc",
        "core/raw_io.cc",
        "core/socket_ops.cc",
        "core/unix_address.cc",
        "node/addon.cc",
        "node/convert.cc",
        "node/env_data.cc",
        "node/fd_binding.cc",
        "node/memfd_binding.cc",
        "node/message_binding.cc",
        "node/poll_queue.cc",
        "node/process_binding.cc",
        "node/raw_binding.cc",
        "node/runtime.cc",
        "node/socket_binding.cc",
        "node/sys_error.cc",
        "node/thread_watcher.cc",
        "node/uv_watcher.cc",
        "node/watcher.cc",
        "node/watcher_binding.cc"
      ],
      "include_dirs": ["<!(node -p \"require('node-addon-api').include_dir\")"],
      "defines": [
        "NAPI_VERSION=8",
        "NAPI_DISABLE_CPP_EXCEPTIONS",
        # In a worker thread that is being terminated nothing can be thrown: not a reason to abort the process.
        "NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS"
      ],
      # Symbols of one glibc: fcntl64 of 2.28, and the __*_chk that musl does not have.
      "defines!": ["_FILE_OFFSET_BITS=64"],
      # The time goes into system calls: -O3 gave three times the size and nothing else. A file that
      # every message passes through asks for -O2 by itself: core/hot_path.h.
      "cflags!": ["-O3"],
      "cflags": [
        "-Os",
        # Across files: a twelfth of the binary.
        "-flto",
        # The bytes do not depend on where they were compiled.
        "-ffile-prefix-map=<(native_dir)=.",
        "-Wall",
        "-Wextra",
        "<(werror)",
        "-fvisibility=hidden",
        "-ffunction-sections",
        "-fdata-sections",
        # Nothing throws through the addon, so nobody unwinds it: a sixth of the file.
        "-fno-asynchronous-unwind-tables",
        "-fno-unwind-tables",
        "-U_FORTIFY_SOURCE"
      ],
      "cflags_cc!": ["-std=gnu++17", "-std=gnu++20"],
      "cflags_cc": [
        "-std=c++17",
        "-fno-exceptions",
        "-fno-rtti",
        "-fno-threadsafe-statics"
      ],
      # No library is named in the binary: runtime.cc has what C++ needs, and the process has libc, libuv and Node-API.
      "ldflags": [
        "-nodefaultlibs",
        "-Wl,--gc-sections",
        "-Wl,-z,relro",
        "-Wl,-z,now",
        "-Wl,--version-script=<(native_dir)/node/exports.map"
      ],
      "conditions": [["target_arch=='arm64'", { "cflags": ["-mno-outline-atomics"] }]]
    }
  ]
}
