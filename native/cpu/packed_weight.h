#pragma once
// A weight as CpuBackend::pack makes it: panels of columns, in the precision of the backend.

#include <cstdint>
#include <memory>

#include "core/backend.h"
#include "cpu/cpu_backend.h"
#include "cpu/weight_memory.h"

namespace wam::cpu {

class CpuPackedWeight final : public PackedWeight {
 public:
  Precision precision = Precision::fp32;
  std::shared_ptr<WeightChunk> memory, scale_memory;
  real* panels = nullptr;          // fp32: [panels][k][panel]
  std::uint8_t* narrow = nullptr;  // [panels] of gemm_bf16.inl or gemm_int8.inl
  real* scale = nullptr;           // int8: [panels][panel], of one column each
};

}  // namespace wam::cpu
