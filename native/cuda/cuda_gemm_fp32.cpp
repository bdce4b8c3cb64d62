// Launches of the matrix products in float.
#include "cuda/gemm_launch.h"
#include "kernels/gemm_fp32.cuh"

namespace wam::WAM_GPU {
namespace {

template <class Config, int kShape>
void launch_shape(cudaStream_t stream, const GemmPlan& plan, const GemmParams& p) {
  static_assert(kGemmFloatShapes[kShape].m == Config::kM && kGemmFloatShapes[kShape].n == Config::kN &&
                kGemmFloatChunk == Config::kChunk);
  launch(stream, "gemm_fp32", gemm_fp32<Config>, {gemm_grid(plan), dim3(Config::kThreads), Config::kSharedBytes}, p);
}

template <class Config>
KernelInfo info(std::vector<KernelCase> cases) {
  KernelInfo k;
  k.family = "gemm_fp32";
  k.symbol = kernel_symbol<&gemm_fp32<Config>>();
  k.threads = Config::kThreads, k.shared_bytes = Config::kSharedBytes;
  k.hot = true;
  k.cases = std::move(cases);
  return k;
}

}  // namespace

void launch_gemm_fp32(cudaStream_t stream, const GemmPlan& plan, const GemmParams& p) {
  if (plan.shape == 0) return launch_shape<GemmFloatLarge, 0>(stream, plan, p);
  if (plan.shape == 1) return launch_shape<GemmFloatMedium, 1>(stream, plan, p);
  launch_shape<GemmFloatSmall, 2>(stream, plan, p);
}

void list_gemm_fp32_kernels(std::vector<KernelInfo>& out) {
  out.push_back(info<GemmFloatLarge>({gemm_case<GemmFloatLarge>("vla prefill, attention in", 700, 6144, 2048, 4)}));
  out.push_back(info<GemmFloatMedium>({gemm_case<GemmFloatMedium>("mini training, up", 960, 1024, 256, 4)}));
  out.push_back(info<GemmFloatSmall>({gemm_case<GemmFloatSmall>("mini step, up", 24, 1024, 256, 4),
                                      gemm_case<GemmFloatSmall>("mini step, head", 24, 20001, 256, 4),
                                      gemm_case<GemmFloatSmall>("mini prefill, attention in", 96, 768, 256, 4)}));
}

}  // namespace wam::WAM_GPU
