#pragma once
// Inputs and weights of the workloads. Each element is a hash of its tensor's name and its index, so that every program,
// in any language, computes on the same bits.

#include <cstdint>
#include <string_view>
#include <vector>

#include "core/real.h"

namespace wam::bench {

inline constexpr std::uint32_t kSeed = 20240607;

/// The values of one tensor by row-major index.
class Generator {
 public:
  explicit Generator(std::string_view name);

  /// In [0, 1), a multiple of 2^-24.
  float uniform(std::int64_t index) const;
  /// In [-scale, scale), rounded to float once.
  float between(std::int64_t index, float scale) const;
  std::int32_t integer(std::int64_t index, std::int32_t bound) const;

 private:
  std::uint32_t hash(std::int64_t index) const;
  std::uint32_t key_;
};

std::vector<float> uniform_values(std::string_view name, std::int64_t count);
std::vector<real> signed_values(std::string_view name, std::int64_t count, double scale);
std::vector<std::int32_t> integer_values(std::string_view name, std::int64_t count, std::int32_t bound);

/// Scale of a weight that is multiplied with `fan_in` inputs.
double linear_scale(int fan_in);
/// A weight [in, out] of y = x W, written as rows [out, in].
void write_transposed_linear(std::string_view name, int in, int out, real* rows);

/// Token embeddings [vocab, dim] of W4 and W5: a half circle in the first two columns, small noise in the others.
std::vector<real> token_circle(int vocab, int dim);

}  // namespace wam::bench
