#pragma once
#include <memory>

#include "core/backend.h"
#include "core/thread_pool.h"

namespace wam::cpu {

/// Instruction sets in ascending order. avx2 and avx512 give bit-identical results (both fuse multiply and add);
/// portable differs from them by rounding.
enum class Isa { portable, avx2, avx512 };

/// Whether this build has kernels for `isa` and the processor and operating system can run them.
bool isa_supported(Isa isa);
Isa best_isa();
const char* isa_name(Isa isa);

/// The CPU backend. With `pool` null everything runs on the calling thread. The pool must outlive the backend, and the
/// backend serves one caller at a time. Results do not depend on the number of threads provided that the caller holds a
/// FlushDenormals like the workers do. Throws ERR_DEVICE_UNAVAILABLE when `isa` cannot run here.
std::unique_ptr<Backend> make_cpu_backend(ThreadPool* pool, Isa isa);

}  // namespace wam::cpu
