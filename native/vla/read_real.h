#pragma once
#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/real.h"
#include "vla/tensor_source.h"

namespace wam::vla {

/// read_f32 in the engine's arithmetic type.
inline void read_real(const TensorView& tensor, std::int64_t begin, std::int64_t count, float* out) {
  read_f32(tensor, begin, count, out);
}
inline void read_real(const TensorView& tensor, std::int64_t begin, std::int64_t count, double* out) {
  std::vector<float> narrow(static_cast<std::size_t>(count));
  read_f32(tensor, begin, count, narrow.data());
  std::copy(narrow.begin(), narrow.end(), out);
}

/// Throws Error(ERR_CHECKPOINT_CORRUPT) that names the tensor when one of its values [first, first + count) is not finite.
inline void require_finite(const std::string& name, std::int64_t first, const real* values, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) {
    if (std::isfinite(values[i])) continue;
    throw Error("ERR_CHECKPOINT_CORRUPT", name + ": element " + std::to_string(first + i) + " is not a finite number");
  }
}

}  // namespace wam::vla
