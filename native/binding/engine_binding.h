#pragma once
#include <napi.h>

namespace wam::binding {

/// cpuInfo, deviceInfo, createEngine, plan, planSync, abortPlan, engineMemory, closeEngine.
void register_engine(Napi::Object exports);

}  // namespace wam::binding
