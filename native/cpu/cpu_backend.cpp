// Choice of the instruction set, and the life of the backend.
#include "cpu/cpu_backend.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string>

#include "core/error.h"
#include "cpu/cpu_backend_impl.h"
#include "cpu/cpu_table.h"
#include "cpu/kernels.h"

namespace wam::cpu {
namespace {

const Kernels& kernels_for([[maybe_unused]] Isa isa) {
#if WAM_HAS_AVX
  if (isa == Isa::avx512) return avx512::kernels();
  if (isa == Isa::avx2) return avx2::kernels();
#endif
  return portable::kernels();
}

const FlowKernels& flow_kernels_for([[maybe_unused]] Isa isa) {
#if WAM_HAS_AVX
  if (isa == Isa::avx512) return avx512::flow_kernels();
  if (isa == Isa::avx2) return avx2::flow_kernels();
#endif
  return portable::flow_kernels();
}

}  // namespace

bool isa_supported(Isa isa) {
  if (isa == Isa::portable) return true;
#if WAM_HAS_AVX
  // These read the feature bits and, through XGETBV, whether the operating system saves the wide registers.
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  if (isa == Isa::avx2) return avx2;
  return avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
#else
  return false;
#endif
}

Isa best_isa() {
  return isa_supported(Isa::avx512) ? Isa::avx512 : isa_supported(Isa::avx2) ? Isa::avx2 : Isa::portable;
}

const char* isa_name(Isa isa) { return isa == Isa::avx512 ? "avx512" : isa == Isa::avx2 ? "avx2" : "portable"; }

std::unique_ptr<Backend> make_cpu_backend(ThreadPool* pool, Isa isa, Precision precision) {
  if (!isa_supported(isa))
    throw Error("ERR_DEVICE_UNAVAILABLE", std::string("this processor or build cannot run the instruction set ") +
                                              isa_name(isa) + "; the best one here is " + isa_name(best_isa()));
  const Int8Unit unit = precision == Precision::int8 ? int8_units(isa).front() : Int8Unit::words;
  return std::make_unique<CpuBackend>(pool, isa, precision, kernels_for(isa).int8_kernel(unit));
}

std::unique_ptr<Backend> make_int8_backend(ThreadPool* pool, Isa isa, Int8Unit unit) {
  const std::vector<Int8Unit> units = int8_units(isa);
  if (!isa_supported(isa) || std::find(units.begin(), units.end(), unit) == units.end())
    throw Error("ERR_DEVICE_UNAVAILABLE", "this processor or process cannot use the unit for int8 products");
  return std::make_unique<CpuBackend>(pool, isa, Precision::int8, kernels_for(isa).int8_kernel(unit));
}

CpuBackend::CpuBackend(ThreadPool* pool, Isa isa, Precision precision, const Int8Kernel& int8)
    : pool_(pool),
      isa_(isa),
      precision_(precision),
      int8_(int8),
      kernels_(kernels_for(isa)),
      flow_(flow_kernels_for(isa)),
      worker_scratch_(static_cast<std::size_t>(pool ? pool->threads() : 1)),
      transient_table_(std::make_unique<CpuPackedTable>()) {}

CpuBackend::~CpuBackend() = default;

const char* CpuBackend::name() const {
  return isa_ == Isa::avx512 ? "cpu-avx512" : isa_ == Isa::avx2 ? "cpu-avx2" : "cpu-portable";
}

void* CpuBackend::allocate(std::size_t bytes) {
  constexpr std::size_t kAlign = 256;
  const std::size_t size = std::max<std::size_t>((bytes + kAlign - 1) / kAlign, 1) * kAlign;
  void* memory = std::aligned_alloc(kAlign, size);
  if (memory == nullptr) throw std::bad_alloc();
  std::memset(memory, 0, size);
  return memory;
}

void CpuBackend::release(void* memory) noexcept { std::free(memory); }

void CpuBackend::upload(void* device, const void* host, std::size_t bytes) { std::memcpy(device, host, bytes); }

void CpuBackend::download(void* host, const void* device, std::size_t bytes) { std::memcpy(host, device, bytes); }

void CpuBackend::replay(std::uint64_t, const std::function<void()>& work) { work(); }

}  // namespace wam::cpu
