#include "bench/cpu/inputs.h"

#include <cmath>
#include <numbers>

namespace wam::bench {

Generator::Generator(std::string_view name) : key_(2166136261u) {
  for (const char c : name) key_ = (key_ ^ static_cast<unsigned char>(c)) * 16777619u;
  key_ ^= kSeed;
}

std::uint32_t Generator::hash(std::int64_t index) const {
  std::uint32_t h = key_ + static_cast<std::uint32_t>(index) * 0x9E3779B9u;
  h ^= h >> 16;
  h *= 0x7feb352du;
  h ^= h >> 15;
  h *= 0x846ca68bu;
  return h ^ (h >> 16);
}

float Generator::uniform(std::int64_t index) const { return static_cast<float>(hash(index) >> 8) * 0x1p-24f; }

float Generator::between(std::int64_t index, float scale) const { return (2 * uniform(index) - 1) * scale; }

std::int32_t Generator::integer(std::int64_t index, std::int32_t bound) const {
  return static_cast<std::int32_t>(hash(index) % static_cast<std::uint32_t>(bound));
}

std::vector<float> uniform_values(std::string_view name, std::int64_t count) {
  const Generator generator(name);
  std::vector<float> values(static_cast<std::size_t>(count));
  for (std::int64_t i = 0; i < count; ++i) values[static_cast<std::size_t>(i)] = generator.uniform(i);
  return values;
}

std::vector<real> signed_values(std::string_view name, std::int64_t count, double scale) {
  const Generator generator(name);
  std::vector<real> values(static_cast<std::size_t>(count));
  for (std::int64_t i = 0; i < count; ++i)
    values[static_cast<std::size_t>(i)] = generator.between(i, static_cast<float>(scale));
  return values;
}

std::vector<std::int32_t> integer_values(std::string_view name, std::int64_t count, std::int32_t bound) {
  const Generator generator(name);
  std::vector<std::int32_t> values(static_cast<std::size_t>(count));
  for (std::int64_t i = 0; i < count; ++i) values[static_cast<std::size_t>(i)] = generator.integer(i, bound);
  return values;
}

double linear_scale(int fan_in) { return std::sqrt(3.0 / fan_in); }

void write_transposed_linear(std::string_view name, int in, int out, real* rows) {
  const Generator generator(name);
  const float scale = static_cast<float>(linear_scale(in));
  for (std::int64_t j = 0; j < out; ++j) {
    for (std::int64_t i = 0; i < in; ++i) rows[j * in + i] = generator.between(i * out + j, scale);
  }
}

std::vector<real> token_circle(int vocab, int dim) {
  std::vector<real> rows = signed_values("W4.emb", static_cast<std::int64_t>(vocab) * dim, 0.05);
  for (int v = 0; v < vocab; ++v) {
    real* row = &rows[static_cast<std::size_t>(v) * static_cast<std::size_t>(dim)];
    row[0] = static_cast<real>(std::cos(std::numbers::pi * v / vocab) * 2);
    row[1] = static_cast<real>(std::sin(std::numbers::pi * v / vocab) * 2);
  }
  return rows;
}

}  // namespace wam::bench
