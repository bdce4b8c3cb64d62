#pragma once
// The launches of matrix products, one file for each arithmetic so that nvcc compiles them side by side.

#include <vector>

#include "cuda/cuda_backend.h"
#include "cuda/gemm_plan.h"
#include "cuda/kernel_info.h"
#include "cuda/launch.h"
#include "kernels/gemm_params.cuh"

namespace wam::WAM_GPU {

void launch_gemm_fp32(cudaStream_t stream, const GemmPlan& plan, const GemmParams& p);  // ..._fp32.cpp
void launch_gemm_mma(cudaStream_t stream, gpu::Precision precision, const GemmPlan& plan,
                     const GemmParams& p);  // ..._mma.cpp
void list_gemm_fp32_kernels(std::vector<KernelInfo>& out);
void list_gemm_mma_kernels(std::vector<KernelInfo>& out);

inline dim3 gemm_grid(const GemmPlan& plan) {
  return dim3(static_cast<unsigned>(plan.row_tiles), static_cast<unsigned>(plan.column_tiles),
              static_cast<unsigned>(plan.blocks_of_k));
}

/// A product of the report: c[m,n] = a[m,k] b[k,n], b of `weight_bytes` a value, in tiles of Config.
template <class Config>
KernelCase gemm_case(const char* what, int m, int n, int k, double weight_bytes) {
  KernelCase c;
  c.shape = std::string(what) + ": " + std::to_string(m) + " x " + std::to_string(n) + " x " + std::to_string(k);
  c.flops = 2.0 * m * n * k;
  c.bytes = 4.0 * m * k + weight_bytes * k * n + 4.0 * m * n;
  c.blocks = (m + Config::kM - 1) / Config::kM * ((n + Config::kN - 1) / Config::kN);
  return c;
}

}  // namespace wam::WAM_GPU
