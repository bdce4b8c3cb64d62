#pragma once
#include <napi.h>

namespace wam::binding {

/// Sets exports.kernels: the single operations behind lib/kernels, typed in lib/kernel-addon.ts.
void register_kernels(Napi::Env env, Napi::Object exports);

// Parts of it, by subject.
void add_network_kernels(Napi::Object kernels);
void add_training_kernels(Napi::Object kernels);
void add_path_kernels(Napi::Object kernels);
void add_token_kernels(Napi::Object kernels);

}  // namespace wam::binding
