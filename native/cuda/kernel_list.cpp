// The registry of all kernels.
#include "cuda/kernel_info.h"

namespace wam::WAM_GPU {

std::vector<KernelInfo> all_kernels() {
  std::vector<KernelInfo> kernels;
  list_attention_kernels(kernels);
  list_gemm_kernels(kernels);
  list_rows_kernels(kernels);
  list_elements_kernels(kernels);
  list_path_kernels(kernels);
  list_tokens_kernels(kernels);
  return kernels;
}

}  // namespace wam::WAM_GPU
