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
        "src/native/core/socket_ops.cc",
        "src/native/core/unix_address.cc",
        "src/native/node/addon.cc",
        "src/native/node/convert.cc",
        "src/native/node/env_data.cc",
        "src/native/node/fd_binding.cc",
        "src/native/node/memfd_binding.cc",
        "src/native/node/message_binding.cc",
        "src/native/node/socket_binding.cc",
        "src/native/node/sys_error.cc",
        "src/native/node/watcher.cc",
        "src/native/node/watcher_binding.cc"
      ],
      "include_dirs": ["<!(node -p \"require('node-addon-api').include_dir\")"],
      "defines": ["NAPI_VERSION=8", "NAPI_DISABLE_CPP_EXCEPTIONS"],
      "cflags": ["-Wall", "-Wextra", "-fvisibility=hidden", "<(werror)"],
      "cflags_cc!": ["-std=gnu++17", "-std=gnu++20"],
      "cflags_cc": [
        "-std=c++17",
        "-fno-exceptions",
        "-fno-rtti"
      ]
    }
  ]
}
