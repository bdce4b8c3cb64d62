#pragma once
// The tables of kernels, one an instruction set. kernels_<isa>.cpp compiles the same *.inl files three times and exports
// both tables; flow_kernels.inl defines flow_kernels() for the table that flow_kernels.h declares.

#include <cstddef>
#include <cstdint>

#include "core/backend.h"
#include "cpu/isa.h"

namespace wam::cpu {

struct Kernels;
struct FlowKernels;

namespace portable {
const Kernels& kernels();
const FlowKernels& flow_kernels();
}  // namespace portable
#if WAM_HAS_AVX
namespace avx2 {
const Kernels& kernels();
const FlowKernels& flow_kernels();
}  // namespace avx2
namespace avx512 {
const Kernels& kernels();
const FlowKernels& flow_kernels();
}  // namespace avx512
#endif

}  // namespace wam::cpu
