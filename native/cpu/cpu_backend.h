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

/// Of packed weights. bf16: stored so, products in fp32 with the rounded weights. int8: whole numbers up to 127 times a
/// scale of the output channel, activations the same with a scale of their row, sums exact. Products without a packed
/// weight, so all of training, and everything else are fp32 whatever it is.
enum class Precision { fp32, bf16, int8 };

/// The CPU backend. With `pool` null everything runs on the calling thread. The pool must outlive the backend, and the
/// backend serves one caller at a time. Results do not depend on the number of threads provided that the caller holds a
/// FlushDenormals like the workers do. Throws ERR_DEVICE_UNAVAILABLE when `isa` cannot run here.
std::unique_ptr<Backend> make_cpu_backend(ThreadPool* pool, Isa isa, Precision precision = Precision::fp32);

}  // namespace wam::cpu
