// The vector functions of the portable set, against the C library in float64. The AVX sets run the same source; the
// tests of the operations compare them bit for bit with each other.
#define WAM_ISA portable
#define WAM_ISA_PORTABLE
#include "cpu/simd.h"
#include "test/cpu_support.h"

namespace wam::test {
namespace {

using cpu::portable::kLanes;
using cpu::portable::load;
using cpu::portable::Vec;

/// Largest error of f against g over [low, high]: relative where `relative`, else absolute.
double worst_error(Vec (*f)(Vec), double (*g)(double), double low, double high, bool relative) {
  double worst = 0;
  constexpr int kSteps = 100000;
  for (int i = 0; i < kSteps; i += kLanes) {
    real x[kLanes], y[kLanes];
    for (int l = 0; l < kLanes; ++l) x[l] = static_cast<real>(low + (high - low) * (i + l) / kSteps);
    store(y, f(load(x)));
    for (int l = 0; l < kLanes; ++l) {
      const double exact = g(static_cast<double>(x[l]));
      const double error = std::abs(static_cast<double>(y[l]) - exact) / (relative ? std::abs(exact) : 1);
      if (exact != 0 && !(error <= worst)) worst = error;
    }
  }
  return worst;
}

std::vector<real> apply(Vec (*f)(Vec), const std::vector<double>& x) {
  real t[kLanes] = {};
  for (std::size_t i = 0; i < x.size(); ++i) t[i] = static_cast<real>(x[i]);
  store(t, f(load(t)));
  return {t, t + x.size()};
}

Vec cdf(Vec x) {
  Vec bell;
  return normal_cdf(x, &bell);
}
Vec bell_curve(Vec x) {
  Vec bell;
  normal_cdf(x, &bell);
  return bell;
}

Vec power_of_two(Vec x) { return cpu::portable::Exp2(cpu::portable::zero())(x); }
Vec power_of_two_against_7(Vec x) { return cpu::portable::Exp2(cpu::portable::splat(7))(x); }

constexpr double kInf = HUGE_VAL;

}  // namespace

TEST(vector_functions_are_accurate) {
  CHECK(worst_error(cpu::portable::exp, std::exp, -87.3, 0, true) < 1.2e-7);
  CHECK(worst_error(cpu::portable::exp, std::exp, 0, 88.7, true) < 1.2e-7);
  CHECK(worst_error(cpu::portable::log, std::log, 1e-30, 0.9, true) < 2e-7);
  CHECK(worst_error(cpu::portable::log, std::log, 0.9, 1.1, true) < 2e-7);
  CHECK(worst_error(cpu::portable::log, std::log, 1.1, 1e30, true) < 2e-7);
}

TEST(vector_powers_of_two_are_accurate) {
  CHECK(worst_error(power_of_two, std::exp2, -1, 1, true) < 2e-7);
  CHECK(worst_error(power_of_two, std::exp2, -126, 100, true) < 2e-7);
  const std::vector<real> x = apply(power_of_two, {0, -0.5, 0.5, 3, -126, -1000, -kInf, std::nan("")});
  CHECK_EQ(x[0], 1);
  CHECK_EQ(x[3], 8);
  CHECK_EQ(x[4], std::exp2(-126));
  for (const int i : {5, 6}) CHECK(x[i] >= 0 && x[i] <= std::exp2(-126));
  CHECK(std::isnan(x[7]));
  // the base changes the exponent and nothing else
  std::vector<double> values;
  for (int i = 0; i < kLanes; ++i) values.push_back(-90 + 9.37 * i);
  const std::vector<real> y = test::apply(power_of_two, values);
  const std::vector<real> z = test::apply(power_of_two_against_7, values);
  for (std::size_t i = 0; i < y.size(); ++i) CHECK_NEAR(z[i] * 128, y[i], kIsDouble ? 1e-13 * y[i] : 0);
}

TEST(vector_normal_distribution_is_accurate) {
  const auto exact_cdf = [](double x) { return 0.5 * std::erfc(-x / std::sqrt(2.0)); };
  const auto exact_bell = [](double x) { return std::exp(-x * x / 2); };
  CHECK(worst_error(cdf, exact_cdf, -9, 9, false) < 1.2e-7);
  CHECK(worst_error(bell_curve, exact_bell, -9, 9, false) < 1e-7);
}

TEST(vector_functions_at_the_ends) {
  const std::vector<real> e = apply(cpu::portable::exp, {-kInf, kInf, 1000, -1000, 0, std::nan("")});
  CHECK_EQ(e[0], 0);
  CHECK_EQ(e[1], kInf);
  CHECK_EQ(e[2], kInf);
  CHECK_EQ(e[3], 0);
  CHECK_EQ(e[4], 1);
  CHECK(std::isnan(e[5]));
  const std::vector<real> l = apply(cpu::portable::log, {0, 1, kInf, -1, std::nan("")});
  CHECK_EQ(l[0], -kInf);
  CHECK_EQ(l[1], 0);
  CHECK_EQ(l[2], kInf);
  CHECK(std::isnan(l[3]));
  CHECK(std::isnan(l[4]));
  const std::vector<real> s = apply(cdf, {-kInf, kInf, -30, 30, std::nan("")});
  CHECK_EQ(s[0], 0);
  CHECK_EQ(s[1], 1);
  CHECK_NEAR(s[2], 0, 1e-30);
  CHECK_EQ(s[3], 1);
  CHECK(std::isnan(s[4]));
}

TEST(vector_tails_touch_nothing_beyond) {
  const std::vector<real> source = random_values(kLanes, 31);
  for (int n = 0; n <= kLanes; ++n) {
    const std::vector<real> exact(source.begin(), source.begin() + n);  // a read beyond is one beyond the vector
    real x[kLanes], y[kLanes + 1];
    store(x, cpu::portable::load_partial(exact.data(), n, 7));
    for (real& value : y) value = -1;
    store_partial(y, load(source.data()), n);
    bool right = true;
    for (int i = 0; i <= kLanes; ++i) {
      if (i < kLanes) right = right && x[i] == (i < n ? source[static_cast<std::size_t>(i)] : 7);
      right = right && y[i] == (i < n ? source[static_cast<std::size_t>(i)] : -1);
    }
    CHECK(right);
    CHECK_EQ(bits(cpu::portable::first_lanes(n)), (1u << n) - 1u);
  }
}

TEST(vector_transpose_of_fours_stays_within_groups_of_lanes) {
  Vec r[4];
  for (int i = 0; i < 4; ++i) r[i] = cpu::portable::iota() + cpu::portable::splat(static_cast<real>(100 * i));
  transpose_fours(r);
  for (int i = 0; i < 4; ++i) {
    real row[kLanes];
    store(row, r[i]);
    for (int j = 0; j < kLanes; ++j) CHECK_EQ(row[j], 100 * (j % 4) + j / 4 * 4 + i);
  }
}

TEST(vector_transpose_exchanges_rows_and_columns) {
  Vec r[kLanes];
  for (int i = 0; i < kLanes; ++i) r[i] = cpu::portable::iota() + cpu::portable::splat(static_cast<real>(100 * i));
  transpose(r);
  for (int i = 0; i < kLanes; ++i) {
    real row[kLanes];
    store(row, r[i]);
    for (int j = 0; j < kLanes; ++j) CHECK_EQ(row[j], 100 * j + i);
  }
}

}  // namespace wam::test
