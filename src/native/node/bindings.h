// What each *_binding.cc adds to the exports of the addon. Typed on the other side by
// src/ts/native/binding.ts.
#pragma once

#include <napi.h>

namespace fdpass {

void ExportFdBinding(Napi::Env env, Napi::Object exports);
void ExportMemfdBinding(Napi::Env env, Napi::Object exports);
void ExportSocketBinding(Napi::Env env, Napi::Object exports);
void ExportMessageBinding(Napi::Env env, Napi::Object exports);
void ExportProcessBinding(Napi::Env env, Napi::Object exports);
void ExportRawBinding(Napi::Env env, Napi::Object exports);
void ExportWatcherBinding(Napi::Env env, Napi::Object exports);

}  // namespace fdpass
