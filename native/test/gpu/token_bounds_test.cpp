// The lower bounds that rule tokens out, against distances in float64: never above one, whatever the rows are, and
// close enough to be of use. Launches the kernels themselves, as nearest_token does.

#include <algorithm>
#include <limits>

#include "cuda/launch.h"
#include "cuda/runtime.h"
#include "kernels/token_bounds.cuh"
#include "test/gpu/gpu_support.h"

namespace wam::simt {
// Those of native/cuda, whose memory accesses are checked, and not copies compiled here.
extern template void token_norms<TokenNormsConfig>(TokenNormsParams);
extern template void token_bounds<TokenBoundsConfig>(TokenBoundsParams);
}  // namespace wam::simt

namespace wam::test {
namespace {

using simt::f16;
using simt::RowStats;

template <class T>
struct Buffer {
  explicit Buffer(std::size_t count) : size(count) {
    void* memory = nullptr;
    CHECK(simt::cudaMalloc(&memory, count * sizeof(T)) == simt::cudaSuccess);
    data = static_cast<T*>(memory);
  }
  explicit Buffer(const std::vector<T>& values) : Buffer(values.size()) {
    simt::cudaMemcpy(data, values.data(), size * sizeof(T), simt::cudaMemcpyHostToDevice);
  }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer() { simt::cudaFree(data); }
  std::vector<T> get() const {
    std::vector<T> values(size);
    simt::cudaMemcpy(values.data(), data, size * sizeof(T), simt::cudaMemcpyDeviceToHost);
    return values;
  }
  T* data;
  std::size_t size;
};

int padded_to(int n, int multiple) { return (n + multiple - 1) / multiple * multiple; }

struct Rows {
  int count, dim;
  std::vector<float> values;
};

/// Copies and stats of rows, as nearest_token takes them.
struct Prepared {
  Prepared(const Rows& rows, int width, int padded)
      : copy(static_cast<std::size_t>(rows.count) * width), stats(static_cast<std::size_t>(padded)) {
    const Buffer<float> values(rows.values);
    simt::TokenNormsParams p;
    p.rows = values.data;
    p.count = rows.count;
    p.dim = rows.dim;
    p.copy = copy.data;
    p.copy_width = width;
    p.stats = stats.data;
    p.padded = padded;
    using Config = simt::TokenNormsConfig;
    simt::launch(nullptr, "token_norms", &simt::token_norms<Config>,
                 {simt::dim3((padded + Config::kRows - 1) / Config::kRows), simt::dim3(Config::kThreads), 0}, p);
    simt::cudaDeviceSynchronize();
  }
  Buffer<f16> copy;
  Buffer<RowStats> stats;
};

/// [query, group of 16 tokens]
std::vector<float> bounds_of(const Rows& query, const Rows& table, int tiles_per_block) {
  using Config = simt::TokenBoundsConfig;
  const int width = padded_to(query.dim, Config::kSlice), padded = padded_to(table.count, Config::kTokens);
  const Prepared q(query, width, query.count), t(table, width, padded);
  const Buffer<float> bound(static_cast<std::size_t>(query.count) * (padded / simt::kBoundGroup));
  simt::TokenBoundsParams p;
  p.query = q.copy.data;
  p.query_stats = q.stats.data;
  p.table = t.copy.data;
  p.table_stats = t.stats.data;
  p.rows = query.count;
  p.tokens = table.count;
  p.width = width;
  p.tiles_per_block = tiles_per_block;
  p.bound = bound.data;
  p.ldb = padded / simt::kBoundGroup;
  const int tiles = padded / Config::kTokens;
  simt::launch(nullptr, "token_bounds", &simt::token_bounds<Config>,
               {simt::dim3((query.count + Config::kQueries - 1) / Config::kQueries,
                           (tiles + tiles_per_block - 1) / tiles_per_block),
                simt::dim3(Config::kThreads), Config::kSharedBytes},
               p);
  simt::cudaDeviceSynchronize();
  return bound.get();
}

/// Bounds hold, and lack at most `share` of (|q| + |e|)^2, the largest |e| of the group.
void check_bounds(const Rows& query, const Rows& table, double share, int tiles_per_block = 2) {
  const auto bound = bounds_of(query, table, tiles_per_block);
  check_no_reports();
  const int groups = padded_to(table.count, 128) / 16, dim = query.dim;
  double over = -HUGE_VAL, lack = 0;
  for (int q = 0; q < query.count; ++q) {
    double own = 0;
    for (int p = 0; p < dim; ++p) own += std::pow(static_cast<double>(query.values[q * dim + p]), 2);
    for (int g = 0; g * 16 < table.count; ++g) {
      double least = HUGE_VAL, largest = 0;
      for (int v = 16 * g; v < std::min(table.count, 16 * g + 16); ++v) {
        double d = 0, norm = 0;
        for (int p = 0; p < dim; ++p) {
          const double e = static_cast<double>(table.values[v * dim + p]);
          d += std::pow(e - static_cast<double>(query.values[q * dim + p]), 2);
          norm += e * e;
        }
        least = std::min(least, d);
        largest = std::max(largest, norm);
      }
      const double b = static_cast<double>(bound[static_cast<std::size_t>(q * groups + g)]);
      const double size = std::pow(std::sqrt(own) + std::sqrt(largest), 2) + 1e-300;
      over = std::max(over, (b - least) / size);
      lack = std::max(lack, (least - b) / size);
    }
  }
  CHECK(over <= 0);
  CHECK_NEAR(lack, 0, share);
}

Rows random_rows(int count, int dim, std::uint32_t seed, float scale = 1) {
  return {count, dim, normal_values(static_cast<std::size_t>(count) * static_cast<std::size_t>(dim), seed, scale)};
}

// 2^-11 is the rounding of one element to f16, width * 2^-22 the tensor core's: of 2 |q| |e|, at most half the size.
constexpr double share_of(int dim) { return 2.2 * 0x1p-11 + 1.2 * dim * 0x1p-22; }

TEST(gpu_token_bounds_hold_for_random_rows) {
  struct Shape {
    int queries, tokens, dim;
  };
  for (const Shape& s :
       {Shape{1, 1, 1}, Shape{64, 128, 32}, Shape{65, 129, 33}, Shape{130, 400, 100}, Shape{20, 40, 700}}) {
    const Context at(std::to_string(s.queries) + " queries, " + std::to_string(s.tokens) + " x " +
                     std::to_string(s.dim));
    for (const int tiles : {1, 2, 4})
      check_bounds(random_rows(s.queries, s.dim, 3), random_rows(s.tokens, s.dim, 4), share_of(s.dim), tiles);
  }
}

// Elements in the middle between two f16 values, all off to the same side: the roundings of a row and a query add up
// instead of averaging out, in a row along the query, where the product is largest.
TEST(gpu_token_bounds_hold_where_all_roundings_agree) {
  // Alternating signs, the same in every row.
  const auto add = [](Rows& rows, int steps, float below) {
    for (int r = 0; r < rows.count; ++r)
      for (int p = 0; p < rows.dim; ++p)
        rows.values.push_back((1 + (static_cast<float>(r % steps) + below) * 0x1p-10f) * (p % 3 == 0 ? -1.0f : 1.0f));
  };
  for (const int dim : {16, 64, 200}) {
    for (const float below : {0.49f, 0.51f}) {
      Rows query = {20, dim, {}}, table = {64, dim, {}};
      add(query, 7, below), add(table, 11, below);
      check_bounds(query, table, share_of(dim));
    }
  }
}

// Magnitudes of 2^-80 to 1 within a row, and rows from 2^-38 to 2^38.
TEST(gpu_token_bounds_hold_for_all_magnitudes) {
  Rows query = random_rows(30, 48, 5), table = random_rows(200, 48, 6);
  for (std::size_t i = 0; i < query.values.size(); ++i) {
    const int row = static_cast<int>(i) / 48;
    query.values[i] *= std::ldexp(1.0f, (row % 5 - 2) * 18 - static_cast<int>(i * 7 % 40));
  }
  for (std::size_t i = 0; i < table.values.size(); ++i) {
    const int row = static_cast<int>(i) / 48;
    table.values[i] *= std::ldexp(1.0f, (row / 16 % 5 - 2) * 18 - static_cast<int>(i * 5 % 40));
  }
  check_bounds(query, table, share_of(48));
}

TEST(gpu_token_bounds_of_rows_of_zeros) {
  const Rows none = {20, 40, std::vector<float>(800, 0.0f)};
  check_bounds(none, random_rows(50, 40, 7), share_of(40));
  check_bounds(random_rows(10, 40, 8), none, share_of(40));
  check_bounds(none, none, 0);
}

// Rows that are not to be squared in float never rule anything out, and leave the bounds of other rows alone.
TEST(gpu_token_bounds_of_wild_rows_are_minus_infinity) {
  constexpr float kInfinite = std::numeric_limits<float>::infinity();
  Rows query = random_rows(10, 20, 9), table = random_rows(100, 20, 10);
  query.values[3 * 20] = std::numeric_limits<float>::quiet_NaN();
  table.values[17 * 20 + 5] = kInfinite;
  for (int p = 0; p < 20; ++p) table.values[50 * 20 + p] *= 1e-20f, table.values[99 * 20 + p] *= 1e20f;
  const auto bound = bounds_of(query, table, 1);
  for (int q = 0; q < 10; ++q) {
    for (int g = 0; g < 7; ++g) {
      const float b = bound[static_cast<std::size_t>(q * 8 + g)];
      CHECK_EQ(b == -kInfinite, q == 3 || g == 1 || g == 3 || g == 6);
    }
  }
  check_no_reports();
}

TEST(gpu_token_bounds_are_the_same_under_each_schedule) {
  const Rows query = random_rows(70, 100, 11), table = random_rows(400, 100, 12);
  same_under_each_schedule([&] { return bounds_of(query, table, 4); });
}

}  // namespace
}  // namespace wam::test
