// The nearest token of the GPU backend: the float search in the CPU backend's order of summation decides, bit for bit,
// and float64 says whether that order is any good. Up to 32 queries measure every token; more go by tensor-core bounds.

#include <algorithm>
#include <limits>

#include "cpu/cpu_backend.h"
#include "cuda/cuda_backend.h"
#include "test/gpu/gpu_support.h"

namespace wam::test {
namespace {

struct Search {
  int rows = 0, vocab = 0, dim = 0;
  bool normalise = false;
  std::vector<float> query, table;
};

std::string describe(const Search& s) {
  return std::to_string(s.rows) + " queries, " + std::to_string(s.vocab) + " x " + std::to_string(s.dim) +
         (s.normalise ? " normalised" : "");
}

/// 1 / max(|x|, 1e-12): 16 float lanes over 64 dimensions, their sums in double.
double reference_inverse(const float* x, int dim) {
  double square = 0;
  for (int begin = 0; begin < dim; begin += 64) {
    float lane[16] = {};
    for (int p = begin; p < std::min(dim, begin + 64); ++p) lane[p % 16] = std::fma(x[p], x[p], lane[p % 16]);
    double part[4] = {};
    for (int l = 0; l < 16; ++l) part[l % 4] += static_cast<double>(lane[l]);
    square += (part[0] + part[1]) + (part[2] + part[3]);
  }
  if (!(square < 1e37)) {
    double part[8] = {};
    for (int p = 0; p < dim; ++p) part[p % 8] += static_cast<double>(x[p]) * static_cast<double>(x[p]);
    square = ((part[0] + part[4]) + (part[2] + part[6])) + ((part[1] + part[5]) + (part[3] + part[7]));
  }
  const double norm = std::sqrt(square);
  return 1 / (norm < 1e-12 ? 1e-12 : norm);
}

std::vector<float> reference_rows(const std::vector<float>& rows, int dim, bool normalise) {
  std::vector<float> z = rows;
  if (!normalise) return z;
  for (std::size_t at = 0; at < rows.size(); at += static_cast<std::size_t>(dim)) {
    const double inverse = reference_inverse(&rows[at], dim);
    const auto high = static_cast<float>(inverse), rest = static_cast<float>(inverse - static_cast<double>(high));
    for (int p = 0; p < dim; ++p) z[at + p] = std::fma(rows[at + p], high, rows[at + p] * rest);
  }
  return z;
}

/// Differences, then squares, over 16 dimensions, these over 256, these in turn.
float reference_distance(const float* z, const float* q, int dim) {
  float sum = 0;
  for (int group = 0; group < dim; group += 256) {
    float group_sum = 0;
    for (int begin = group; begin < std::min(dim, group + 256); begin += 16) {
      float part = 0;
      for (int p = begin; p < std::min(dim, begin + 16); ++p) {
        const float difference = z[p] - q[p];
        part = std::fma(difference, difference, part);
      }
      group_sum += part;
    }
    sum += group_sum;
  }
  return sum;
}

struct Found {
  std::vector<std::int32_t> token;
  std::vector<float> distance2;
};

Found reference(const Search& s) {
  const auto table = reference_rows(s.table, s.dim, s.normalise), query = reference_rows(s.query, s.dim, s.normalise);
  Found found;
  for (int r = 0; r < s.rows; ++r) {
    float least = std::numeric_limits<float>::infinity();
    std::int32_t token = 0;
    for (int v = 0; v < s.vocab; ++v) {
      const float d = reference_distance(&table[static_cast<std::size_t>(v) * s.dim],
                                         &query[static_cast<std::size_t>(r) * s.dim], s.dim);
      if (d < least) least = d, token = v;
    }
    found.token.push_back(token);
    found.distance2.push_back(least);
  }
  return found;
}

/// The result as bits, tokens first. `offset` floats before both matrices take their alignment away.
std::vector<std::uint32_t> run(const Search& s, int offset = 0) {
  const auto backend = simt::make_backend({});
  const auto shifted = [&](const std::vector<float>& values) {
    std::vector<float> moved(static_cast<std::size_t>(offset), 0.0f);
    moved.insert(moved.end(), values.begin(), values.end());
    return DeviceArray<float>(*backend, moved);
  };
  const auto query = shifted(s.query), table = shifted(s.table);
  const auto rows = static_cast<std::size_t>(s.rows);
  DeviceArray<std::int32_t> token(*backend, rows);
  DeviceArray<float> distance2(*backend, rows);
  backend->nearest_token(s.rows, s.vocab, s.dim, query.data() + offset, table.data() + offset, s.normalise,
                         token.data(), distance2.data());
  const auto tokens = token.get();
  std::vector<std::uint32_t> bits(tokens.begin(), tokens.end());
  for (const float d : distance2.get()) bits.push_back(std::bit_cast<std::uint32_t>(d));
  return bits;
}

void check_found(const std::vector<std::uint32_t>& bits, const Found& expected) {
  const std::size_t rows = expected.token.size();
  CHECK_EQ(bits.size(), 2 * rows);
  if (bits.size() != 2 * rows) return;
  CHECK_SAME_BITS(reinterpret_cast<const std::int32_t*>(bits.data()), expected.token.data(), rows);
  CHECK_SAME_BITS(reinterpret_cast<const float*>(bits.data() + rows), expected.distance2.data(), rows);
}

/// The chosen token is within rounding of the nearest in float64: 40 roundings of the distance, and of the rows where
/// they are normalised.
void check_float64(const Search& s, const Found& found) {
  const auto exact = [&](const std::vector<float>& rows, int row) {
    std::vector<double> z(rows.begin() + row * s.dim, rows.begin() + (row + 1) * s.dim);
    double norm = 0;
    for (const double v : z) norm += v * v;
    if (s.normalise)
      for (double& v : z) v /= std::max(std::sqrt(norm), 1e-12);
    return z;
  };
  std::vector<std::vector<double>> table;
  for (int v = 0; v < s.vocab; ++v) table.push_back(exact(s.table, v));
  double worst = 0;
  for (int r = 0; r < s.rows; ++r) {
    const auto q = exact(s.query, r);
    double least = HUGE_VAL, chosen = 0;
    for (int v = 0; v < s.vocab; ++v) {
      double d = 0;
      for (std::size_t p = 0; p < q.size(); ++p) d += (table[v][p] - q[p]) * (table[v][p] - q[p]);
      least = std::min(least, d);
      if (v == found.token[static_cast<std::size_t>(r)]) chosen = d;
    }
    const double rounding = 1e-6 * chosen + (s.normalise ? 4e-7 * std::sqrt(chosen) + 4e-14 : 0);
    worst = std::max(
        {worst, (chosen - least) / (rounding + 1e-300),
         std::abs(chosen - static_cast<double>(found.distance2[static_cast<std::size_t>(r)])) / (rounding + 1e-300)});
  }
  CHECK(worst <= 1);
}

Search random_search(int rows, int vocab, int dim, bool normalise, std::uint32_t seed) {
  Search s = {rows,
              vocab,
              dim,
              normalise,
              normal_values(static_cast<std::size_t>(rows) * dim, seed),
              normal_values(static_cast<std::size_t>(vocab) * dim, seed + 1)};
  // The last row repeats the first, and a query lies on it: the first must win, at distance 0.
  std::copy_n(s.table.begin(), dim, s.table.end() - dim);
  if (rows > 2) std::copy_n(s.table.begin(), dim, s.query.begin() + dim);
  return s;
}

TEST(gpu_nearest_token_is_that_of_a_full_search) {
  struct Shape {
    int rows, vocab, dim;
  };
  // Around the tiles: 8 and 64 queries, 16, 64 and 128 tokens, 16, 32, 64 and 256 dimensions.
  for (const Shape& shape :
       {Shape{1, 1, 2}, Shape{7, 2, 16}, Shape{33, 1, 3}, Shape{33, 2, 64}, Shape{7, 15, 33}, Shape{33, 15, 2},
        Shape{33, 17, 130}, Shape{9, 17, 64}, Shape{1, 401, 64}, Shape{33, 401, 33}, Shape{70, 401, 64},
        Shape{32, 130, 16}, Shape{130, 129, 16}, Shape{33, 300, 257}, Shape{5, 67, 530}}) {
    for (const bool normalise : {false, true}) {
      const Search s = random_search(shape.rows, shape.vocab, shape.dim, normalise, 17);
      const Context at(describe(s));
      const Found expected = reference(s);
      check_found(run(s), expected);
      check_float64(s, expected);
      check_no_reports();
    }
  }
}

// Where the CPU has fused multiply-adds, as every GPU has, the two give the same tokens and the same distances.
TEST(gpu_nearest_token_is_that_of_the_cpu_backend) {
  bool any = false;
  for (const cpu::Isa isa : {cpu::Isa::avx2, cpu::Isa::avx512}) {
    if (!cpu::isa_supported(isa)) continue;
    any = true;
    const auto backend = cpu::make_cpu_backend(nullptr, isa);
    for (const int rows : {6, 37}) {
      for (const bool normalise : {false, true}) {
        Search s = random_search(rows, 330, 67, normalise, 73);
        for (std::size_t i = 0; i < s.table.size(); ++i) {  // a third of the rows very near a query, or of any size
          const std::size_t row = i / 67;
          if (row % 3 == 1) s.table[i] = s.query[i % 67] + 1e-6f * s.table[i];
          if (row % 3 == 2) s.table[i] *= std::pow(10.0f, static_cast<float>(row % 40) - 15);
        }
        const Context at(describe(s));
        Found expected = {std::vector<std::int32_t>(static_cast<std::size_t>(rows)),
                          std::vector<float>(static_cast<std::size_t>(rows))};
        backend->nearest_token(rows, s.vocab, s.dim, s.query.data(), s.table.data(), normalise, expected.token.data(),
                               expected.distance2.data());
        check_found(run(s), expected);
        check_no_reports();
      }
    }
  }
  if (!any) skip("no instruction set with fused multiply-adds here");
}

TEST(gpu_nearest_token_is_the_same_under_each_schedule) {
  // Two blocks' worth of queries, three tiles of tokens, three slices of dimensions; and the search without bounds.
  for (const Search& s : {random_search(70, 300, 80, true, 19), random_search(9, 130, 70, true, 20)}) {
    const Context at(describe(s));
    check_found(same_under_each_schedule([&] { return run(s); }), reference(s));
  }
}

TEST(gpu_nearest_token_without_distances) {
  for (const int rows : {4, 40}) {
    const Search s = random_search(rows, 50, 20, false, 21);
    const auto backend = simt::make_backend({});
    const DeviceArray<float> query(*backend, s.query), table(*backend, s.table);
    DeviceArray<std::int32_t> token(*backend, static_cast<std::size_t>(rows));
    backend->nearest_token(rows, 50, 20, query.data(), table.data(), false, token.data(), nullptr);
    CHECK(token.get() == reference(s).token);
    check_no_reports();
  }
}

TEST(gpu_nearest_token_takes_any_alignment) {
  for (const int rows : {5, 35}) {
    for (const int dim : {8, 33, 64}) {
      const Search s = random_search(rows, 150, dim, true, 23);
      const Context at(describe(s));
      const Found expected = reference(s);
      for (const int offset : {1, 2, 3}) check_found(run(s, offset), expected);
      check_no_reports();
    }
  }
}

TEST(gpu_nearest_token_over_the_whole_vocabulary) {
  for (const int rows : {1, 7, 33}) {
    const Search s = random_search(rows, 20001, 16, rows == 33, 29);
    const Context at(describe(s));
    check_found(run(s), reference(s));
    check_no_reports();
  }
}

/// Unit vectors along a curve, 1e-4 apart, as a trained table of numbers has them; queries on and between them.
Search curve_search(int rows, int vocab, int dim, bool normalise) {
  Search s = {rows, vocab, dim, normalise, {}, {}};
  const auto point = [&](double t, std::vector<float>& to, float scale) {
    for (int p = 0; p < dim / 2; ++p) {
      const double angle = t * (p + 1) * 1e-4 / (0.6 * dim);
      to.push_back(static_cast<float>(scale * std::cos(angle) / std::sqrt(dim / 2)));
      to.push_back(static_cast<float>(scale * std::sin(angle) / std::sqrt(dim / 2)));
    }
  };
  const auto stretch = normal_values(static_cast<std::size_t>(vocab), 5);
  for (int v = 0; v < vocab; ++v)
    point(v, s.table, normalise ? 1 + 0.1f * std::abs(stretch[static_cast<std::size_t>(v)]) : 1);
  const auto where = uniform_integers(static_cast<std::size_t>(rows), 4 * vocab, 6);
  for (int r = 0; r < rows; ++r) point(where[static_cast<std::size_t>(r)] / 4.0, s.query, 1);
  return s;
}

TEST(gpu_nearest_token_along_a_curve_of_numbers) {
  for (const bool normalise : {false, true}) {
    const Search s = curve_search(40, 3000, 64, normalise);
    const Found expected = reference(s);
    check_float64(s, expected);
    check_found(run(s), expected);
    check_no_reports();
  }
}

// Every token within the error of the bounds: all groups are measured, and the search is the full one.
TEST(gpu_nearest_token_where_bounds_rule_out_nothing) {
  for (const float spread : {0.0f, 1e-7f, 1e-5f}) {
    Search s = {34, 2000, 64, false, {}, {}};
    const auto base = normal_values(64, 31), noise = normal_values(static_cast<std::size_t>(2034) * 64, 32, spread);
    for (std::size_t i = 0; i < noise.size(); ++i)
      (i < std::size_t{2000} * 64 ? s.table : s.query).push_back(base[i % 64] + noise[i]);
    const Context at("spread " + std::to_string(spread));
    const Found expected = reference(s);
    check_found(run(s), expected);
    if (spread == 0) CHECK(expected.token == std::vector<std::int32_t>(34, 0));
    check_no_reports();
  }
}

// Rows that differ in the last bit of one element, in every order, with the least at each end of a group.
TEST(gpu_nearest_token_at_one_ulp) {
  for (const int rows : {3, 36}) {
    Search s = {rows, 160, 33, false, normal_values(static_cast<std::size_t>(rows) * 33, 41), {}};
    for (int v = 0; v < s.vocab; ++v) {
      std::vector<float> z(s.query.begin(), s.query.begin() + 33);
      for (float& x : z) x += 0.25f;
      float& element = z[static_cast<std::size_t>(v * 7 % 33)];
      element = std::nextafter(element, v % 3 == 0 ? 10.0f : v % 3 == 1 ? -10.0f : element);
      s.table.insert(s.table.end(), z.begin(), z.end());
    }
    for (int r = 1; r < rows; ++r)  // queries an ulp apart as well
      for (int p = 0; p < 33; ++p)
        s.query[static_cast<std::size_t>(r * 33 + p)] = p == r % 33 ? std::nextafter(s.query[p], 10.0f) : s.query[p];
    const Context at(describe(s));
    check_found(same_under_each_schedule([&] { return run(s); }), reference(s));
  }
}

// Rows of zeros, beyond float's range when squared, near its least, and no numbers at all, among ordinary ones.
TEST(gpu_nearest_token_of_extreme_rows) {
  constexpr float kInfinite = std::numeric_limits<float>::infinity(), kNan = std::numeric_limits<float>::quiet_NaN();
  for (const int dim : {5, 64, 70}) {
    for (const int rows : {8, 48}) {
      for (const bool normalise : {false, true}) {
        Search s = random_search(rows, 300, dim, normalise, 43);
        const float scales[] = {0, 1e-15f, 3e-13f, 1e-8f, 1e6f, 3e12f, 1e18f, 1e25f};
        for (int v = 0; v < s.vocab; v += 3)
          for (int p = 0; p < dim; ++p) s.table[static_cast<std::size_t>(v * dim + p)] *= scales[v / 3 % 8];
        for (int r = 0; r < rows; ++r)
          for (int p = 0; p < dim; ++p) s.query[static_cast<std::size_t>(r * dim + p)] *= scales[r * 5 % 8];
        const auto spoil = [&](std::vector<float>& m, int row, float value) {
          m[static_cast<std::size_t>(row * dim + row % dim)] = value;
        };
        spoil(s.table, 0, kNan), spoil(s.table, 17, kInfinite), spoil(s.table, 100, -kInfinite);
        spoil(s.table, 299, kNan), spoil(s.query, 2, kNan), spoil(s.query, 3, kInfinite);
        const Context at(describe(s));
        const Found expected = reference(s);
        check_found(run(s), expected);
        CHECK_EQ(expected.token[2], 0);
        check_no_reports();
      }
    }
  }
  for (const int rows : {2, 40}) {  // nothing but no numbers: token 0
    Search s = random_search(rows, 20, 4, false, 47);
    std::fill(s.table.begin(), s.table.end(), kNan);
    check_found(run(s), reference(s));
    check_no_reports();
  }
}

// One scaled row decides between tensor-core copies of very different magnitude inside a row.
TEST(gpu_nearest_token_with_elements_of_all_magnitudes) {
  Search s = random_search(40, 400, 48, false, 53);
  for (std::size_t i = 0; i < s.table.size(); ++i) s.table[i] *= std::ldexp(1.0f, -static_cast<int>(i * 5 % 36));
  for (std::size_t i = 0; i < s.query.size(); ++i) s.query[i] *= std::ldexp(1.0f, -static_cast<int>(i * 7 % 36));
  const Found expected = reference(s);
  check_found(run(s), expected);
  check_float64(s, expected);
  check_no_reports();
}

TEST(gpu_nearest_token_does_not_depend_on_the_batch) {
  const Search all = random_search(100, 260, 40, true, 59);
  const auto whole = run(all);
  for (const int row : {0, 1, 63, 99}) {
    Search one = all;
    one.rows = 1;
    one.query.assign(all.query.begin() + row * 40, all.query.begin() + (row + 1) * 40);
    const auto bits = run(one);
    CHECK_EQ(bits[0], whole[static_cast<std::size_t>(row)]);
    CHECK_EQ(bits[1], whole[static_cast<std::size_t>(100 + row)]);
  }
  check_no_reports();
}

// The harness has 8 multiprocessors: a part is 512 KiB. 256 rows of 1,024 dimensions in 16 bits are one.
TEST(gpu_nearest_token_of_a_table_in_parts) {
  const Search s = random_search(33, 600, 1024, true, 61);
  check_found(run(s), reference(s));
  check_no_reports();
}

// Bounds of 2,560 tokens are 640 bytes a query, so 768 queries are a part.
TEST(gpu_nearest_token_of_a_batch_in_parts) {
  const Search s = random_search(800, 2500, 2, true, 67);
  check_found(run(s), reference(s));
  check_no_reports();
}

// Both: each part of the batch prepares each part of the table again.
TEST(gpu_nearest_token_of_a_table_and_a_batch_in_parts) {
  simt::HarnessOptions options = simt::harness_options();
  options.multiprocessors = 1;
  const simt::ScopedOptions scope(options);
  const Search s = random_search(150, 2200, 32, true, 71);
  check_found(run(s), reference(s));
  check_no_reports();
}

}  // namespace
}  // namespace wam::test
