// Rotary embedding, key/value cache, token tables and cross entropy of the GPU backend against float64.
#include <algorithm>
#include <cmath>
#include <cstdio>

#include "core/error.h"
#include "cuda/cuda_backend_impl.h"
#include "cuda/kv_cache_launch.h"
#include "test/gpu/operands.h"

namespace wam::test {
namespace {

/// Positions that a float angle would lose the fraction of among them.
std::vector<std::int32_t> test_positions(int rows) {
  const std::vector<std::int32_t> some = {0, 1, 16777215, 2, 731, 65535, 1048579, 77, 9999991, 3, 700, 16777216};
  std::vector<std::int32_t> list;
  for (int r = 0; r < rows; ++r) list.push_back(some[static_cast<std::size_t>(r) % some.size()]);
  return list;
}

/// Rotates `heads` heads of a row of doubles.
void rotate_reference(double* row, int heads, int dim, std::int32_t position, double theta, bool inverse) {
  for (int h = 0; h < heads; ++h) {
    for (int i = 0; i < dim / 2; ++i) {
      const double angle = position * std::pow(theta, -2.0 * i / dim);
      const double c = std::cos(angle), s = inverse ? -std::sin(angle) : std::sin(angle);
      double &a = row[h * dim + i], &b = row[h * dim + dim / 2 + i];
      const double x = a;
      a = x * c - b * s, b = b * c + x * s;
    }
  }
}

TEST(gpu_rope) {
  struct Case {
    int rows, heads, dim, gap;
    float theta;
  };
  double worst = 0;
  for (const Case& c : {Case{1, 1, 2, 0, 10000},
                        {12, 3, 6, 5, 10000},
                        {25, 5, 32, 3, 10000},
                        {13, 8, 128, 0, 1e6f},
                        {7, 2, 256, 1, 5e5f},
                        {40, 4, 80, 4, 10000}}) {
    for (const bool inverse : {false, true}) {
      const Context at(std::to_string(c.heads) + " heads of " + std::to_string(c.dim) + (inverse ? " inverse" : ""));
      const int ld = c.heads * c.dim + c.gap;
      const std::vector<float> x = normal_values(static_cast<std::size_t>((c.rows - 1) * ld + c.heads * c.dim), 11);
      const std::vector<std::int32_t> position = test_positions(c.rows);
      std::vector<double> expected = as_doubles(x);
      for (int r = 0; r < c.rows; ++r)
        rotate_reference(&expected[static_cast<std::size_t>(r * ld)], c.heads, c.dim,
                         position[static_cast<std::size_t>(r)], static_cast<double>(c.theta), inverse);
      const auto compute = [&](Backend& b, Operands& o) {
        float* y = o.put(x);
        b.rope(c.rows, c.heads, c.dim, o.put(position), c.theta, inverse, y, ld);
        return o.get(y, x.size());
      };
      worst = std::max(worst, check_in_all_orders(compute, expected, 3e-7));
    }
  }
  std::printf("rope: worst error %.2g\n", worst);
}

TEST(gpu_rope_refuses_odd_and_very_wide_heads) {
  const std::unique_ptr<Backend> backend = simt::make_backend({});
  Operands o(*backend, 0);
  float* x = o.put(std::vector<float>(300));
  const std::int32_t* position = o.put(std::vector<std::int32_t>{0});
  CHECK_THROWS(backend->rope(1, 1, 7, position, 10000, false, x, 7), Error);
  CHECK_THROWS(backend->rope(1, 1, 258, position, 10000, false, x, 258), Error);
}

double decode(float x) { return x; }
double decode(simt::bf16 x) {
  const std::uint32_t bits = static_cast<std::uint32_t>(x.bits) << 16;
  float y;
  std::memcpy(&y, &bits, sizeof y);
  return y;
}
double decode(simt::f16 x) {
  const int exponent = x.bits >> 10 & 31, fraction = x.bits & 1023;
  const double magnitude = exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25);
  return (x.bits & 0x8000) != 0 ? -magnitude : magnitude;
}

/// q in place, and the caches decoded, for one type of cache. Rows of -1 are not stored.
template <class T>
double check_kv_cache(gpu::Precision precision, double half_ulp, int rows, int heads, int kv_heads, int dim) {
  const int qkv = (heads + 2 * kv_heads) * dim + 3, ld_cache = kv_heads * dim + 2, cache_rows = rows + 4;
  const float theta = 10000;
  const auto count = [](int r, int ld, int cols) { return static_cast<std::size_t>((r - 1) * ld + cols); };
  const std::vector<float> x = normal_values(count(rows, qkv, (heads + 2 * kv_heads) * dim), 21);
  const std::vector<std::int32_t> position = test_positions(rows);
  std::vector<std::int32_t> cache_row;
  for (int r = 0; r < rows; ++r) cache_row.push_back(r % 5 == 3 ? -1 : (rows + 3 - r));
  const std::size_t cache_size = count(cache_rows, ld_cache, kv_heads * dim);

  const auto compute = [&](Backend& b, Operands& o) {
    float* in = o.put(x);
    T *keys = o.put(std::vector<T>(cache_size)), *values = o.put(std::vector<T>(cache_size));
    simt::KvCacheParams p;
    p.rows = rows, p.heads = heads, p.kv_heads = kv_heads, p.head_dim = dim;
    p.ldq = p.ldk = p.ldv = qkv, p.ld_cache = ld_cache;
    p.position = o.put(position), p.cache_row = o.put(cache_row);
    p.q = in, p.k = in + heads * dim, p.v = in + (heads + kv_heads) * dim;
    p.key_cache = keys, p.value_cache = values;
    simt::launch_kv_cache(static_cast<simt::GpuBackend&>(b).stream(), precision, p, theta);
    std::vector<float> out = o.get(in, x.size());
    for (const T* cache : {keys, values})
      for (const T v : o.get(cache, cache_size)) out.push_back(static_cast<float>(decode(v)));
    return out;
  };

  std::vector<double> expected = as_doubles(x), keys(cache_size), values(cache_size);
  for (int r = 0; r < rows; ++r) {
    double* row = &expected[static_cast<std::size_t>(r * qkv)];
    const std::int32_t at = position[static_cast<std::size_t>(r)], to = cache_row[static_cast<std::size_t>(r)];
    rotate_reference(row, heads, dim, at, static_cast<double>(theta), false);
    if (to < 0) continue;
    std::vector<double> key(row + heads * dim, row + (heads + kv_heads) * dim);
    rotate_reference(key.data(), kv_heads, dim, at, static_cast<double>(theta), false);
    std::copy(key.begin(), key.end(), &keys[static_cast<std::size_t>(to * ld_cache)]);
    std::copy(row + (heads + kv_heads) * dim, row + (heads + 2 * kv_heads) * dim,
              &values[static_cast<std::size_t>(to * ld_cache)]);
  }
  const std::size_t floats = expected.size();
  append_to(expected, keys);
  append_to(expected, values);
  const std::vector<float> result = compute_in_all_orders(compute);
  CHECK_ALL_NEAR(result.data(), expected.data(), static_cast<long>(floats), 3e-7);
  double excess = 0;
  for (std::size_t i = floats; i < expected.size(); ++i)
    excess = std::max(excess, std::abs(result[i] - expected[i]) - half_ulp * std::abs(expected[i]));
  CHECK_NEAR(excess, 0, 4e-7);
  return excess;
}

TEST(gpu_kv_cache) {
  // Half a unit in the last place, of the least number of a binade.
  check_kv_cache<float>(gpu::Precision::fp32, 0, 7, 4, 2, 32);
  check_kv_cache<float>(gpu::Precision::fp32, 0, 1, 1, 1, 2);
  check_kv_cache<simt::bf16>(gpu::Precision::bf16, 0x1p-8, 33, 3, 3, 18);
  check_kv_cache<simt::bf16>(gpu::Precision::bf16, 0x1p-8, 5, 16, 4, 128);
  check_kv_cache<simt::f16>(gpu::Precision::f16, 0x1p-11, 12, 6, 1, 64);
}

TEST(gpu_embedding) {
  struct Case {
    int rows, cols, vocab, gap;
  };
  for (const Case& c : {Case{1, 1, 1, 0}, {24, 256, 401, 0}, {9, 7, 5, 3}, {130, 36, 11, 4}, {5, 1026, 9, 1}}) {
    for (const bool add : {false, true}) {
      const std::vector<float> table = normal_values(static_cast<std::size_t>(c.vocab * c.cols), 31);
      std::vector<std::int32_t> id = uniform_integers(static_cast<std::size_t>(c.rows), c.vocab, 32);
      id.back() = c.vocab - 1;
      const int ld = c.cols + c.gap;
      const std::vector<float> out = normal_values(static_cast<std::size_t>((c.rows - 1) * ld + c.cols), 33);
      std::vector<double> expected = as_doubles(out);
      for (int r = 0; r < c.rows; ++r) {
        for (int j = 0; j < c.cols; ++j) {
          const float v = table[static_cast<std::size_t>(id[static_cast<std::size_t>(r)] * c.cols + j)];
          double& to = expected[static_cast<std::size_t>(r * ld + j)];
          to = add ? static_cast<double>(static_cast<float>(to) + v) : static_cast<double>(v);
        }
      }
      const auto compute = [&](Backend& b, Operands& o) {
        float* y = o.put(out);
        b.embedding(c.rows, c.cols, o.put(table), o.put(id), y, ld, add);
        return o.get(y, out.size());
      };
      check_in_all_orders(compute, expected, 0);
    }
  }
}

struct ScatterCase {
  int rows, cols, vocab, ids, gap;  // ids: how many different ones
};
// Rows around 256 of a block, an id that all of three blocks' rows share, a vocabulary far larger than the rows.
const ScatterCase kScatterCases[] = {{1, 1, 1, 1, 0},       {255, 12, 40, 40, 0}, {600, 8, 3, 1, 4},
                                     {300, 5, 9, 7, 2},     {70, 1030, 6, 5, 0},  {40, 4, 122401, 122401, 0},
                                     {520, 33, 300, 200, 1}};

TEST(gpu_embedding_backward_in_row_order) {
  for (const ScatterCase& c : kScatterCases) {
    const Context at(std::to_string(c.rows) + " rows of " + std::to_string(c.cols));
    std::vector<std::int32_t> id = uniform_integers(static_cast<std::size_t>(c.rows), c.ids, 41);
    id.back() = c.ids - 1;
    const int ld = c.cols + c.gap;
    const std::vector<float> dout = normal_values(static_cast<std::size_t>((c.rows - 1) * ld + c.cols), 42);
    const std::vector<float> dtable = normal_values(static_cast<std::size_t>(c.vocab * c.cols), 43);
    std::vector<float> expected = dtable;  // in float, one row after the other: the CPU's bits
    for (int r = 0; r < c.rows; ++r)
      for (int j = 0; j < c.cols; ++j)
        expected[static_cast<std::size_t>(id[static_cast<std::size_t>(r)] * c.cols + j)] +=
            dout[static_cast<std::size_t>(r * ld + j)];
    const auto run = [&](Backend& b, Operands& o) {
      float* to = o.put(dtable);
      b.embedding_backward(c.rows, c.cols, o.put(id), o.put(dout), ld, to);
      return o.get(to, dtable.size());
    };
    const std::vector<float> result = compute_in_all_orders(run);
    CHECK_SAME_BITS(result.data(), expected.data(), expected.size());

    gpu::Options fast;
    fast.deterministic = false;
    const std::unique_ptr<Backend> backend = simt::make_backend(fast);
    Operands o(*backend, 1);
    const std::vector<float> atomic = run(*backend, o);
    CHECK_ALL_NEAR(atomic.data(), expected.data(), static_cast<long>(expected.size()), 1e-5);
    check_no_reports();
  }
}

struct LossCase {
  int rows, vocab, gap, dgap;
  float smear;
  double scale, offset;
};
// Vocabularies around 512 and 2048, what a block takes at a time; the planners' 401 and 20001, the largest 122401.
const LossCase kLossCases[] = {{3, 1, 0, 0, 0, 1, 0},       {4, 2, 1, 0, 2, 1, 0},          {9, 401, 0, 0, 2, 3, 0},
                               {5, 511, 2, 3, 0.5f, 1, 80}, {5, 513, 0, 1, 0.2f, 5, -3000}, {4, 2049, 4, 0, 30, 10, 0},
                               {3, 6145, 0, 4, 2, 1, 1e4},  {2, 20001, 0, 0, 2, 4, 0},      {1, 122401, 0, 0, 4, 4, 0},
                               {3, 40, 0, 0, 1000, 1, 0}};

/// loss [rows], then dlogits in rows of ld with the gaps unchanged.
std::vector<double> reference_loss(const LossCase& c, const std::vector<float>& logits, int ldl,
                                   const std::vector<std::int32_t>& target, const std::vector<float>& weight,
                                   const std::vector<float>& before, int lddl) {
  std::vector<double> loss(static_cast<std::size_t>(c.rows)), d = as_doubles(before);
  for (int r = 0; r < c.rows; ++r) {
    const float* x = &logits[static_cast<std::size_t>(r * ldl)];
    double* dx = &d[static_cast<std::size_t>(r * lddl)];
    const int t = target[static_cast<std::size_t>(r)];
    std::fill(dx, dx + c.vocab, 0.0);
    if (t == -100) continue;
    const double peak = *std::max_element(x, x + c.vocab), w = weight[static_cast<std::size_t>(r)];
    double z = 0, mass = 0, expected = 0;
    for (int j = 0; j < c.vocab; ++j) z += std::exp(x[j] - peak);
    const int radius = std::min(c.vocab, static_cast<int>(4 * static_cast<double>(c.smear)));
    const auto share = [&](int j) {
      if (std::abs(j - t) > radius) return 0.0;
      return j == t ? 1.0 : std::exp(-0.5 * (j - t) * (j - t) / (static_cast<double>(c.smear) * c.smear));
    };
    for (int j = 0; j < c.vocab; ++j) mass += share(j), expected += share(j) * (x[j] - peak);
    loss[static_cast<std::size_t>(r)] = w * (std::log(z) - expected / mass);
    for (int j = 0; j < c.vocab; ++j) dx[j] = w * (std::exp(x[j] - peak) / z - share(j) / mass);
  }
  append_to(loss, d);
  return loss;
}

TEST(gpu_cross_entropy) {
  double worst = 0;
  for (const LossCase& c : kLossCases) {
    const Context at("vocabulary " + std::to_string(c.vocab) + " smear " + std::to_string(c.smear));
    const int ldl = c.vocab + c.gap, lddl = c.vocab + c.dgap;
    const auto count = [&](int ld) { return static_cast<std::size_t>((c.rows - 1) * ld + c.vocab); };
    std::vector<float> logits = normal_values(count(ldl), 51, static_cast<float>(c.scale));
    for (float& v : logits) v += static_cast<float>(c.offset);
    std::vector<std::int32_t> target = uniform_integers(static_cast<std::size_t>(c.rows), c.vocab, 52);
    target[0] = c.vocab - 1;
    if (c.rows > 1) target[1] = 0;
    if (c.rows > 2) target[2] = -100;
    std::vector<float> weight = normal_values(static_cast<std::size_t>(c.rows), 53);
    const std::vector<float> before = normal_values(count(lddl), 54), losses(static_cast<std::size_t>(c.rows), 7.0f);

    // The loss's terms are as large as logits are apart; logits far from 0 are exact numbers all the same.
    const double tolerance = 4e-7 * std::max(1.0, c.scale);
    const auto apart = [&](Backend& b, Operands& o) {
      float *loss = o.put(losses), *d = o.put(before);
      b.cross_entropy(c.rows, c.vocab, o.put(logits), ldl, o.put(target), c.smear, o.put(weight), loss, d, lddl);
      std::vector<float> out = o.get(loss, losses.size());
      append_to(out, o.get(d, before.size()));
      return out;
    };
    worst = std::max(
        worst, check_in_all_orders(apart, reference_loss(c, logits, ldl, target, weight, before, lddl), tolerance));

    const auto in_place = [&](Backend& b, Operands& o) {
      float *loss = o.put(losses), *x = o.put(logits);
      b.cross_entropy(c.rows, c.vocab, x, ldl, o.put(target), c.smear, o.put(weight), loss, x, ldl);
      std::vector<float> out = o.get(loss, losses.size());
      append_to(out, o.get(x, logits.size()));
      return out;
    };
    check_in_all_orders(in_place, reference_loss(c, logits, ldl, target, weight, logits, ldl), tolerance);

    std::vector<double> only = reference_loss(c, logits, ldl, target, weight, before, lddl);
    only.resize(losses.size());
    const auto loss_only = [&](Backend& b, Operands& o) {
      float* loss = o.put(losses);
      b.cross_entropy(c.rows, c.vocab, o.put(logits), ldl, o.put(target), c.smear, o.put(weight), loss, nullptr, 0);
      return o.get(loss, losses.size());
    };
    check_in_all_orders(loss_only, only, tolerance);
  }
  std::printf("cross entropy: worst error %.2g\n", worst);
}

TEST(gpu_cross_entropy_of_impossible_tokens) {
  // -inf has probability 0, also where a thread sees nothing else.
  std::vector<float> logits(1300, -HUGE_VALF);
  logits[700] = 2, logits[1299] = 1;
  const std::vector<float> result = compute_in_all_orders([&](Backend& b, Operands& o) {
    float *x = o.put(logits), *loss = o.put(std::vector<float>{0});
    b.cross_entropy(1, 1300, x, 1300, o.put(std::vector<std::int32_t>{700}), 0, o.put(std::vector<float>{1}), loss, x,
                    1300);
    std::vector<float> out = o.get(loss, 1);
    append_to(out, o.get(x, logits.size()));
    return out;
  });
  const double p = 1 / (1 + std::exp(-1.0));
  CHECK_NEAR(result[0], -std::log(p), 1e-6);
  CHECK_NEAR(result[701], p - 1, 1e-6);
  CHECK_NEAR(result[1300], 1 - p, 1e-6);
  CHECK_EQ(std::count(result.begin() + 1, result.end(), 0.0f), 1298);
}

}  // namespace
}  // namespace wam::test
