#pragma once
// The instances of the tensor-core attention kernels: element and width.

#include <type_traits>

#include "cuda/attention_launch.h"

namespace wam::WAM_GPU {

/// use.template operator()<Element, width>() with the narrowest width that holds a head.
template <class Use>
void with_mma_width(gpu::Precision precision, int head_dim, const Use& use) {
  const auto with_element = [&]<class T>() {
    if (head_dim <= 32) {
      use.template operator()<T, 32>();
    } else if (head_dim <= 64) {
      use.template operator()<T, 64>();
    } else if (head_dim <= 96) {
      use.template operator()<T, 96>();
    } else {
      use.template operator()<T, 128>();
    }
  };
  if (precision == gpu::Precision::bf16) {
    with_element.template operator()<bf16>();
  } else {
    with_element.template operator()<f16>();
  }
}

/// All of them, once each.
template <class Use>
void for_each_mma_width(const Use& use) {
  for (const gpu::Precision precision : {gpu::Precision::bf16, gpu::Precision::f16})
    for (const int width : {32, 64, 96, 128}) with_mma_width(precision, width, use);
}

template <auto kKernel, class Config>
KernelInfo describe_mma_kernel(const char* family) {
  KernelInfo k = describe_attention_kernel<kKernel, Config>(family, true);
  k.tensor_cores = true;
  if constexpr (std::is_same_v<typename Config::Element, bf16>) k.min_arch = 80;
  return k;
}

/// What training meets: batches of the mini model, and of a vision-language-action model.
inline AttentionShape training_shape(int width) {
  return width == 32 ? AttentionShape{8, 120, 120, 8, 32} : AttentionShape{4, 732, 732, 16, width};
}

}  // namespace wam::WAM_GPU
