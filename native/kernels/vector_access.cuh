#pragma once
// Four neighbouring floats a thread: one 16-byte access where the address allows it, else four of 4 bytes. A thread owns
// the same values either way, so that what is summed does not depend on where a buffer happens to begin.

#include "kernels/device.cuh"

namespace wam::WAM_GPU {

/// Values [i, i+4) of p[n], zeros beyond its end. i is a multiple of 4; `wide`: p is 16-byte aligned.
WAM_DEVICE float4 load_four(const float* p, std::int64_t i, std::int64_t n, bool wide) {
  float4 v = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
  if (i < n) {
    if (wide && i + 4 <= n) {
      v = *reinterpret_cast<const float4*>(p + i);
    } else {
      v.x = p[i];
      if (i + 1 < n) v.y = p[i + 1];
      if (i + 2 < n) v.z = p[i + 2];
      if (i + 3 < n) v.w = p[i + 3];
    }
  }
  return v;
}

/// The counterpart; what lies beyond the end of p[n] is not written.
WAM_DEVICE void store_four(float* p, std::int64_t i, std::int64_t n, bool wide, float4 v) {
  if (i < n) {
    if (wide && i + 4 <= n) {
      *reinterpret_cast<float4*>(p + i) = v;
    } else {
      p[i] = v.x;
      if (i + 1 < n) p[i + 1] = v.y;
      if (i + 2 < n) p[i + 2] = v.z;
      if (i + 3 < n) p[i + 3] = v.w;
    }
  }
}

/// Row and first column of this thread's four elements of a matrix, one thread after the other along the rows. The row
/// may lie beyond the last. In 32 bits: a division in 64 is a hundred instructions.
struct MatrixPlace {
  int row, column;
};
template <class Config>
WAM_DEVICE MatrixPlace matrix_place(int cols) {
  const unsigned groups = (static_cast<unsigned>(cols) + 3) / 4;
  const unsigned index = blockIdx.x * Config::kThreads + threadIdx.x;
  return {static_cast<int>(index / groups), static_cast<int>(index % groups) * 4};
}

/// For launchers: whether all addresses are multiples of 16. Null is.
template <class... T>
bool all_aligned16(const T*... p) {
  return ((reinterpret_cast<std::uintptr_t>(p) | ... | std::uintptr_t{0}) % 16) == 0;
}

}  // namespace wam::WAM_GPU
