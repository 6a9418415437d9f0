// Entry point of the addon: called once for every environment that loads it.
#include "bindings.h"
#include "env_data.h"

namespace {

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  fdpass::EnvData::Install(env);
  fdpass::ExportFdBinding(env, exports);
  fdpass::ExportMemfdBinding(env, exports);
  fdpass::ExportSocketBinding(env, exports);
  fdpass::ExportMessageBinding(env, exports);
  fdpass::ExportProcessBinding(env, exports);
  fdpass::ExportRawBinding(env, exports);
  fdpass::ExportWatcherBinding(env, exports);
  return exports;
}

}  // namespace

NODE_API_MODULE(fdpass, Init)
