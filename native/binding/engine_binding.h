#pragma once
#include <napi.h>

namespace wam::binding {

/// cpuInfo, createEngine, plan, planSync, abortPlan, engineMemory, closeEngine.
void register_engine(Napi::Object exports);

}  // namespace wam::binding
