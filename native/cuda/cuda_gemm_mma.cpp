// Launches of the matrix products on tensor cores.
#include "cuda/gemm_launch.h"
#include "kernels/gemm_mma.cuh"

namespace wam::WAM_GPU {
namespace {

template <class Config, int kShape>
void launch_shape(cudaStream_t stream, const GemmPlan& plan, const GemmParams& p) {
  static_assert(kGemmMmaShapes[kShape].m == Config::kM && kGemmMmaShapes[kShape].n == Config::kN);
  launch(stream, "gemm_mma", gemm_mma<Config>, {gemm_grid(plan), dim3(Config::kThreads), Config::kSharedBytes}, p);
}

template <class T, bool kPacked>
void launch_type(cudaStream_t stream, const GemmPlan& plan, const GemmParams& p) {
  if (plan.shape == 0) return launch_shape<GemmMmaLarge<T, kPacked>, 0>(stream, plan, p);
  launch_shape<GemmMmaSmall<T, kPacked>, 1>(stream, plan, p);
}

template <class Config>
KernelInfo info(std::vector<KernelCase> cases) {
  KernelInfo k;
  k.family = "gemm_mma";
  k.symbol = kernel_symbol<&gemm_mma<Config>>();
  k.threads = Config::kThreads, k.shared_bytes = Config::kSharedBytes;
  k.min_arch = std::is_same_v<typename Config::T, bf16> ? 80 : 75;
  k.tensor_cores = true, k.hot = true;
  k.cases = std::move(cases);
  return k;
}

template <class T>
void list_type(std::vector<KernelInfo>& out) {
  out.push_back(
      info<GemmMmaLarge<T, true>>({gemm_case<GemmMmaLarge<T, true>>("vla prefill, attention in", 700, 6144, 2048, 2),
                                   gemm_case<GemmMmaLarge<T, true>>("vla prefill, down", 700, 2048, 5632, 2)}));
  out.push_back(
      info<GemmMmaSmall<T, true>>({gemm_case<GemmMmaSmall<T, true>>("vla step, gate and up", 32, 11264, 2048, 2),
                                   gemm_case<GemmMmaSmall<T, true>>("vla step, head", 32, 20001, 2048, 2),
                                   gemm_case<GemmMmaSmall<T, true>>("mini step, up", 24, 1024, 256, 2)}));
  out.push_back(
      info<GemmMmaLarge<T, false>>({gemm_case<GemmMmaLarge<T, false>>("vla training, up", 2928, 5632, 2048, 4)}));
  out.push_back(info<GemmMmaSmall<T, false>>(
      {gemm_case<GemmMmaSmall<T, false>>("mini training, attention out", 960, 256, 256, 4)}));
}

}  // namespace

void launch_gemm_mma(cudaStream_t stream, gpu::Precision precision, const GemmPlan& plan, const GemmParams& p) {
  const bool packed = p.packed != nullptr;
  if (precision == gpu::Precision::bf16) {
    packed ? launch_type<bf16, true>(stream, plan, p) : launch_type<bf16, false>(stream, plan, p);
  } else {
    packed ? launch_type<f16, true>(stream, plan, p) : launch_type<f16, false>(stream, plan, p);
  }
}

void list_gemm_mma_kernels(std::vector<KernelInfo>& out) {
  list_type<bf16>(out);
  list_type<f16>(out);
}

}  // namespace wam::WAM_GPU
