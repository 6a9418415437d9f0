{
  "variables": { "werror%": "" },
  "targets": [
    {
      "target_name": "fdpass",
      "sources": [
        "src/native/core/ancillary.cc",
        "src/native/core/describe.cc",
        "src/native/core/fd_ops.cc",
        "src/native/core/inet_address.cc",
        "src/native/core/memfd.cc",
        "src/native/core/message_io.cc",
        "src/native/core/poll_thread.cc",
        "src/native/core/raw_io.cc",
        "src/native/core/socket_ops.cc",
        "src/native/core/unix_address.cc",
        "src/native/node/addon.cc",
        "src/native/node/convert.cc",
        "src/native/node/env_data.cc",
        "src/native/node/fd_binding.cc",
        "src/native/node/memfd_binding.cc",
        "src/native/node/message_binding.cc",
        "src/native/node/poll_queue.cc",
        "src/native/node/raw_binding.cc",
        "src/native/node/runtime.cc",
        "src/native/node/socket_binding.cc",
        "src/native/node/sys_error.cc",
        "src/native/node/thread_watcher.cc",
        "src/native/node/uv_watcher.cc",
        "src/native/node/watcher.cc",
        "src/native/node/watcher_binding.cc"
      ],
      "include_dirs": ["<!(node -p \"require('node-addon-api').include_dir\")"],
      "defines": ["NAPI_VERSION=8", "NAPI_DISABLE_CPP_EXCEPTIONS"],
      # Symbols of one glibc: fcntl64 of 2.28, and the __*_chk that musl does not have.
      "defines!": ["_FILE_OFFSET_BITS=64"],
      # The time goes into system calls: -O3 gave three times the size and nothing else.
      "cflags!": ["-O3"],
      "cflags": [
        "-Os",
        "-Wall",
        "-Wextra",
        "<(werror)",
        "-fvisibility=hidden",
        "-ffunction-sections",
        "-fdata-sections",
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
        "-Wl,--version-script=<(module_root_dir)/src/native/node/exports.map"
      ],
      "conditions": [["target_arch=='arm64'", { "cflags": ["-mno-outline-atomics"] }]]
    }
  ]
}
