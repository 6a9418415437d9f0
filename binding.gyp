# The addon in build/Release, as node-gyp and prebuildify look for it: src/native/binding.gyp, seen from here.
{
  "includes": ["src/native/binding.gyp"],
  "variables": { "native_dir": "<(module_root_dir)/src/native" }
}
