// Triplet margin and generalised KL of the GPU backend against their definitions in float64.

#include <algorithm>
#include <limits>

#include "cuda/cuda_backend.h"
#include "test/gpu/gpu_support.h"

namespace wam::test {
namespace {

struct Triplets {
  int count = 0, vocab = 0, dim = 0;
  bool normalise = false;
  std::vector<float> table, margin, before;  // before [vocab, dim]: what the gradient is added to
  std::vector<std::int32_t> a, p, n;
};

Triplets random_triplets(int count, int vocab, int dim, bool normalise, std::uint32_t seed) {
  Triplets t;
  t.count = count, t.vocab = vocab, t.dim = dim, t.normalise = normalise;
  const auto size = static_cast<std::size_t>(vocab) * static_cast<std::size_t>(dim);
  t.table = normal_values(size, seed), t.before = normal_values(size, seed + 1);
  const auto n = static_cast<std::size_t>(count);
  t.a = uniform_integers(n, vocab, seed + 2), t.p = uniform_integers(n, vocab, seed + 3);
  t.n = uniform_integers(n, vocab, seed + 4);
  for (int i = 0; i < count; ++i) t.margin.push_back(0.05f * static_cast<float>(i % 12));
  if (count > 3) t.p[2] = t.a[2], t.n[3] = t.a[3];  // a distance of 0 has no direction
  return t;
}

std::string describe(const Triplets& t) {
  return std::to_string(t.count) + " triplets of " + std::to_string(t.vocab) + " x " + std::to_string(t.dim) +
         (t.normalise ? " normalised" : "");
}

struct Result {
  double loss = 0;
  std::vector<double> gradient;  // with what was there before
};

using Row = std::vector<double>;

double length(const Row& x) {
  double square = 0;
  for (const double v : x) square += v * v;
  return std::sqrt(square);
}

double loss_of(const Triplets& t, const std::vector<double>& table) {
  const auto unit = [&](std::int32_t v) {
    Row x(table.begin() + v * t.dim, table.begin() + (v + 1) * t.dim);
    const double norm = std::max(length(x), 1e-12);
    if (t.normalise)
      for (double& e : x) e /= norm;
    return x;
  };
  double sum = 0;
  for (std::size_t i = 0; i < t.a.size(); ++i) {
    Row to_positive = unit(t.a[i]), to_negative = to_positive;
    const Row zp = unit(t.p[i]), zn = unit(t.n[i]);
    for (std::size_t k = 0; k < zp.size(); ++k) {
      const double eps = t.normalise ? 0 : 1e-6;
      to_positive[k] += eps - zp[k], to_negative[k] += eps - zn[k];
    }
    sum += std::max(0.0, length(to_positive) - length(to_negative) + static_cast<double>(t.margin[i]));
  }
  return sum / t.count;
}

/// By the chain rule, row by row: d|x| = x/|x| (0 at 0), and through z = x/|x| its projection.
Result reference(const Triplets& t, double scale) {
  Result r;
  r.loss = scale * loss_of(t, {t.table.begin(), t.table.end()});
  r.gradient.assign(t.before.begin(), t.before.end());
  const double eps = t.normalise ? 0 : 1e-6;
  for (std::size_t i = 0; i < t.a.size(); ++i) {
    const std::int32_t id[3] = {t.a[i], t.p[i], t.n[i]};
    Row z[3];
    double norm[3];
    for (int role = 0; role < 3; ++role) {
      z[role].assign(t.table.begin() + id[role] * t.dim, t.table.begin() + (id[role] + 1) * t.dim);
      norm[role] = t.normalise ? length(z[role]) : 1;
      for (double& e : z[role]) e /= std::max(norm[role], 1e-12);
    }
    Row pull(z[0].size()), push(z[0].size());
    for (std::size_t k = 0; k < pull.size(); ++k) pull[k] = z[0][k] - z[1][k] + eps, push[k] = z[0][k] - z[2][k] + eps;
    const double positive = length(pull), negative = length(push);
    if (!(positive - negative + static_cast<double>(t.margin[i]) > 0)) continue;
    for (double& e : pull) e = positive > 0 ? e * scale / t.count / positive : 0;
    for (double& e : push) e = negative > 0 ? e * scale / t.count / negative : 0;
    for (int role = 0; role < 3; ++role) {
      Row d(pull.size());
      double along = 0;
      for (std::size_t k = 0; k < d.size(); ++k) {
        d[k] = role == 0 ? pull[k] - push[k] : role == 1 ? -pull[k] : push[k];
        along += z[role][k] * d[k];
      }
      const bool projected = t.normalise && norm[role] >= 1e-12;
      for (std::size_t k = 0; k < d.size(); ++k)
        r.gradient[static_cast<std::size_t>(id[role] * t.dim) + k] +=
            (d[k] - (projected ? z[role][k] * along : 0)) / std::max(norm[role], 1e-12);
    }
  }
  return r;
}

struct Computed {
  double loss = 0;
  std::vector<float> gradient;
};

Computed run(const Triplets& t, double scale, bool deterministic = true) {
  gpu::Options options;
  options.deterministic = deterministic;
  const auto backend = simt::make_backend(options);
  const DeviceArray<float> table(*backend, t.table), margin(*backend, t.margin);
  const DeviceArray<std::int32_t> a(*backend, t.a), p(*backend, t.p), n(*backend, t.n);
  DeviceArray<float> gradient(*backend, t.before);
  const auto call = [&](float* dtable) {
    return backend->triplet_margin(t.count, t.vocab, t.dim, table.data(), a.data(), p.data(), n.data(), margin.data(),
                                   t.normalise, dtable, scale);
  };
  Computed c;
  c.loss = call(gradient.data());
  CHECK_EQ(c.loss, call(nullptr));
  c.gradient = gradient.get();
  return c;
}

/// One rounding of the result, and those of a sum in double.
constexpr double kRounding = 6.1e-8;

TEST(gpu_triplet_margin_reference_has_the_gradient_of_its_loss) {
  for (const bool normalise : {false, true}) {
    Triplets t = random_triplets(40, 9, 5, normalise, 3);
    std::fill(t.before.begin(), t.before.end(), 0.0f);
    const Result r = reference(t, 1);
    std::vector<double> rows(t.table.begin(), t.table.end()), expected;
    for (double& v : rows) {
      const double keep = v, step = 1e-6;
      v = keep + step;
      const double above = loss_of(t, rows);
      v = keep - step;
      expected.push_back((above - loss_of(t, rows)) / (2 * step));
      v = keep;
    }
    CHECK_ALL_NEAR(r.gradient.data(), expected.data(), static_cast<long>(expected.size()), 2e-6);
  }
}

TEST(gpu_triplet_margin_and_its_gradient) {
  struct Shape {
    int count, vocab, dim;
  };
  // Around 32 triplets of a block, 32 places of a step, 8 lanes, 128 dimensions; few rows shared by many triplets; more
  // blocks than sums.
  for (const Shape& shape :
       {Shape{1, 3, 2}, Shape{1, 1, 1}, Shape{33, 400, 64}, Shape{100, 24, 16}, Shape{31, 1000, 33}, Shape{300, 2, 7},
        Shape{70, 17, 130}, Shape{12, 5, 300}, Shape{8300, 5000, 3}}) {
    for (const bool normalise : {false, true}) {
      const Triplets t = random_triplets(shape.count, shape.vocab, shape.dim, normalise, 11);
      const Context at(describe(t));
      const Result expected = reference(t, 2.5);
      const Computed c = run(t, 2.5);
      CHECK_NEAR(c.loss, expected.loss, 1e-12);
      CHECK_ALL_NEAR(c.gradient.data(), expected.gradient.data(), static_cast<long>(c.gradient.size()), kRounding);
      check_no_reports();
    }
  }
}

TEST(gpu_triplet_margin_is_the_same_under_each_schedule) {
  for (const Triplets& t : {random_triplets(90, 20, 40, true, 13), random_triplets(70, 500, 8, false, 14)}) {
    const Context at(describe(t));
    same_under_each_schedule([&] {
      const Computed c = run(t, 1);
      std::vector<double> all(c.gradient.begin(), c.gradient.end());
      all.push_back(c.loss);
      return all;
    });
  }
}

TEST(gpu_triplet_margin_with_atomics) {
  for (const Triplets& t : {random_triplets(200, 24, 16, true, 15), random_triplets(64, 300, 140, false, 16)}) {
    const Context at(describe(t));
    const Result expected = reference(t, 3);
    each_schedule([&] {
      const Computed c = run(t, 3, false);
      CHECK_NEAR(c.loss, expected.loss, 1e-12);
      CHECK_ALL_NEAR(c.gradient.data(), expected.gradient.data(), static_cast<long>(c.gradient.size()), 1e-6);
    });
  }
}

// Rows of zeros and below the norm's floor are scaled, not projected; neighbours 1e-7 apart keep their direction.
TEST(gpu_triplet_margin_of_extreme_rows) {
  Triplets t = random_triplets(150, 40, 24, true, 17);
  std::fill(t.before.begin(), t.before.end(), 0.0f);
  const float scales[] = {1, 0, 3e-14f, 1e-9f, 1e15f, 1e-5f};
  for (int v = 0; v < t.vocab; ++v)
    for (int k = 0; k < t.dim; ++k) t.table[static_cast<std::size_t>(v * t.dim + k)] *= scales[v % 6];
  for (int k = 0; k < t.dim; ++k)  // rows 6 and 12 are neighbours
    t.table[static_cast<std::size_t>(12 * t.dim + k)] =
        t.table[static_cast<std::size_t>(6 * t.dim + k)] * (1 + 1.2e-7f * static_cast<float>(k % 3));
  t.a[5] = 6, t.p[5] = 12, t.a[6] = 12, t.n[6] = 6;
  const Result expected = reference(t, 1);
  const Computed c = run(t, 1);
  CHECK_NEAR(c.loss, expected.loss, 1e-12);
  for (int v = 0; v < t.vocab; ++v) {  // rows have very different scales
    double largest = 1e-300;
    for (int k = 0; k < t.dim; ++k) largest = std::max(largest, std::abs(expected.gradient[v * t.dim + k]));
    for (int k = 0; k < t.dim; ++k)
      CHECK_NEAR(c.gradient[v * t.dim + k] / largest, expected.gradient[v * t.dim + k] / largest, 1e-7);
  }
  check_no_reports();
}

// What cannot be compared does not pull, as on the CPU: the triplet's hinge is not above 0.
TEST(gpu_triplet_margin_leaves_out_what_is_no_number) {
  Triplets t = random_triplets(20, 50, 8, true, 19);
  t.table[8 * 30 + 3] = std::numeric_limits<float>::quiet_NaN();
  std::replace(t.a.begin(), t.a.end(), 30, 31), std::replace(t.p.begin(), t.p.end(), 30, 31);
  std::replace(t.n.begin(), t.n.end(), 30, 31);
  t.n[4] = 30;
  const Result expected = reference(t, 1);
  const Computed c = run(t, 1);
  CHECK_NEAR(c.loss, expected.loss, 1e-12);
  CHECK_ALL_NEAR(c.gradient.data(), expected.gradient.data(), static_cast<long>(c.gradient.size()), kRounding);
  check_no_reports();
}

TEST(gpu_triplet_margin_of_no_triplets_is_zero) {
  Triplets t = random_triplets(1, 4, 4, false, 21);
  t.count = 0;
  const Computed c = run(t, 1);
  CHECK_EQ(c.loss, 0.0);
  CHECK(c.gradient == t.before);
  check_no_reports();
}

struct KlRows {
  int rows = 0, vocab = 0;
  std::vector<float> logits;
  std::vector<std::int32_t> x_1, x_t;
  std::vector<double> rate;
};

KlRows random_kl(int rows, int vocab, std::uint32_t seed) {
  KlRows k = {rows,
              vocab,
              normal_values(static_cast<std::size_t>(rows) * static_cast<std::size_t>(vocab), seed, 3),
              uniform_integers(static_cast<std::size_t>(rows), vocab, seed + 1),
              uniform_integers(static_cast<std::size_t>(rows), vocab, seed + 2),
              {}};
  for (int i = 0; i < rows; ++i) k.rate.push_back(i == 1 ? 1e4 : 0.3 * i);
  if (rows > 3) k.x_t[3] = k.x_1[3];
  return k;
}

/// Loss and gradient by definition: -rate [p(x_t) - same + (1 - same) log p(x_1)].
void kl_reference(const KlRows& k, std::vector<double>& loss, std::vector<double>& gradient) {
  for (int r = 0; r < k.rows; ++r) {
    const float* l = &k.logits[static_cast<std::size_t>(r) * k.vocab];
    const double highest = *std::max_element(l, l + k.vocab);
    std::vector<double> p(static_cast<std::size_t>(k.vocab));
    double total = 0;
    for (int y = 0; y < k.vocab; ++y) total += p[y] = std::exp(static_cast<double>(l[y]) - highest);
    for (double& v : p) v /= total;
    const int one = k.x_1[r], here = k.x_t[r];
    const double moving = one == here ? 0 : 1;
    const double log_p = static_cast<double>(l[one]) - highest - std::log(total);
    loss.push_back(-k.rate[r] * (p[here] - (1 - moving) + moving * log_p));
    for (int y = 0; y < k.vocab; ++y) {
      const double dp_here = p[here] * ((y == here) - p[y]), dlog = (y == one) - p[y];
      gradient.push_back(-k.rate[r] * (dp_here + moving * dlog));
    }
  }
}

/// Loss, then gradient; `in_place` puts the gradient where the logits were.
std::vector<float> run(const KlRows& k, bool in_place) {
  const auto backend = simt::make_backend({});
  DeviceArray<float> logits(*backend, k.logits), dlogits(*backend, k.logits.size());
  const DeviceArray<std::int32_t> x_1(*backend, k.x_1), x_t(*backend, k.x_t);
  const DeviceArray<double> rate(*backend, k.rate);
  DeviceArray<float> loss(*backend, k.rate.size()), alone(*backend, k.rate.size());
  backend->generalized_kl(k.rows, k.vocab, logits.data(), x_1.data(), x_t.data(), rate.data(), alone.data(), nullptr);
  DeviceArray<float>& gradient = in_place ? logits : dlogits;
  backend->generalized_kl(k.rows, k.vocab, logits.data(), x_1.data(), x_t.data(), rate.data(), loss.data(),
                          gradient.data());
  std::vector<float> all = loss.get();
  CHECK_SAME_BITS(alone.get().data(), all.data(), all.size());
  const auto more = gradient.get();
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

void check_kl(const KlRows& k, const std::vector<float>& computed) {
  std::vector<double> expected, gradient;
  kl_reference(k, expected, gradient);
  expected.insert(expected.end(), gradient.begin(), gradient.end());
  CHECK_EQ(computed.size(), expected.size());
  CHECK_ALL_NEAR(computed.data(), expected.data(), static_cast<long>(expected.size()), kRounding);
}

TEST(gpu_generalised_kl_and_its_gradient) {
  for (const int vocab : {1, 2, 33, 401, 511, 513, 1100}) {
    const KlRows k = random_kl(6, vocab, 23);
    const Context at("vocab " + std::to_string(vocab));
    for (const bool in_place : {false, true}) {
      check_kl(k, run(k, in_place));
      check_no_reports();
    }
  }
  const KlRows whole = random_kl(2, 20001, 29);
  check_kl(whole, run(whole, false));
  check_no_reports();
}

TEST(gpu_generalised_kl_is_the_same_under_each_schedule) {
  const KlRows k = random_kl(3, 700, 31);
  check_kl(k, same_under_each_schedule([&] { return run(k, true); }));
}

// Logits of -inf have no weight; a posterior all on x_t = x_1 loses nothing; logits far from 0 overflow nothing.
TEST(gpu_generalised_kl_of_extreme_logits) {
  KlRows k = random_kl(5, 50, 37);
  k.x_1 = {7, 8, 9, 10, 11}, k.x_t = {7, 12, 13, 10, 14};
  for (int y = 0; y < 50; ++y) {
    if (y != 7) k.logits[static_cast<std::size_t>(y)] = -std::numeric_limits<float>::infinity();
    if (y % 3 == 0 && y != 8) k.logits[static_cast<std::size_t>(50 + y)] = -std::numeric_limits<float>::infinity();
    k.logits[static_cast<std::size_t>(100 + y)] += 3e4f;
    k.logits[static_cast<std::size_t>(150 + y)] *= 1e3f;
    k.logits[static_cast<std::size_t>(200 + y)] = -88;
  }
  k.rate = {1e6, 2, 3, 4, 5};
  const auto computed = run(k, false);
  check_kl(k, computed);
  CHECK_EQ(computed[0], 0.0f);
  check_no_reports();
}

}  // namespace
}  // namespace wam::test
