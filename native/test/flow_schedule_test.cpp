// Schedules, mixture path, value grids and the released posteriors, which are plain double arithmetic.
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "core/error.h"
#include "flow/grid.h"
#include "flow/mixture.h"
#include "flow/order.h"
#include "flow/schedule.h"
#include "test/flow_reference.h"
#include "test/test.h"

namespace wam::test {
namespace {

using flow::CompandedGrid;
using flow::LinearGrid;
using flow::MixtureSchedule;
using flow::PathSchedule;

PathSchedule kernel_width(double initial, double final, double power = 1) {
  PathSchedule s;
  s.kind = PathSchedule::Kind::kernel_width, s.initial_width = initial, s.final_width = final, s.power = power;
  return s;
}

template <class F>
double slope(F f, double t) {
  const double step = 1e-6;
  return (f(t + step) - f(t - step)) / (2 * step);
}

TEST(published_schedule_has_the_published_values) {
  const PathSchedule s;
  const double known[][2] = {{0, 0},       {0.1, 0.415}, {0.2, 0.862},  {0.3, 1.399},  {0.4, 2.083},    {0.5, 3},
                             {0.6, 4.321}, {0.7, 6.431}, {0.8, 10.447}, {0.9, 21.674}, {0.999, 1502.21}};
  for (const auto& [t, beta] : known) CHECK_NEAR(s.beta(t), beta, 5e-4 * (1 + beta * 0.01));
  CHECK(std::isinf(s.beta(1)));
  CHECK_EQ(s.beta_derivative(0), 0.0);
  for (const double t : {0.01, 0.3, 0.5, 0.97}) {
    CHECK_NEAR(s.beta_derivative(t), slope([&](double x) { return s.beta(x); }, t), 1e-5 * s.beta_derivative(t));
  }
}

TEST(kernel_width_shrinks_geometrically) {
  for (const double power : {1.0, 2.0, 4.0}) {
    const PathSchedule s = kernel_width(25, 0.1, power);
    CHECK_EQ(s.beta(0), 0.0);
    for (const double t : {0.0, 0.2, 0.5, 0.9, 1.0}) {
      const double w = 25 * std::pow(0.1 / 25, t);
      CHECK_NEAR(s.beta(t), std::pow(w, -power) - std::pow(25, -power), 1e-11 * std::pow(w, -power));
      if (t > 0.4) CHECK_NEAR(s.width(t) / w, 1, 0.15);  // the kernel of the full range widens it a little
    }
    CHECK_NEAR(s.beta_derivative(0.5), slope([&](double x) { return s.beta(x); }, 0.5), 1e-6 * s.beta_derivative(0.5));
  }
  CHECK_NEAR(kernel_width(1, 0.004).beta(1), 249, 1e-10);
}

TEST(integrated_steps_add_up_and_released_ones_begin_with_nothing) {
  for (const PathSchedule& s : {PathSchedule(), kernel_width(1, 0.004)}) {
    const int n = 7;
    double sum = 0;
    for (int k = 0; k + 1 < n; ++k) sum += s.step_weight(StepRule::integrated, flow::step_time(k, n), 1.0 / n);
    CHECK_NEAR(sum, s.beta(flow::step_time(n - 1, n)), 1e-9 * sum);
    CHECK_EQ(s.step_weight(StepRule::released, 0, 0.2), 0.0);
    CHECK_NEAR(s.step_weight(StepRule::released, 0.4, 0.2), 0.2 * s.beta_derivative(0.4), 1e-12);
    CHECK_EQ(s.step_weight(StepRule::renoise, 0.4, 0.2), 0.0);
  }
  // h beta' against the exact increase, as the specification lists them for n = 5.
  const PathSchedule s;
  CHECK_NEAR(s.step_weight(StepRule::released, 0.2, 0.2), 0.97, 5e-3);
  CHECK_NEAR(s.step_weight(StepRule::integrated, 0.2, 0.2), 1.22, 5e-3);
}

TEST(schedules_without_meaning_are_refused) {
  PathSchedule bad_a;
  bad_a.a = 0;
  for (const PathSchedule& s : {bad_a, kernel_width(1, 1), kernel_width(1, -0.1), kernel_width(NAN, 0.1)})
    CHECK_THROWS(s.check(), Error);
  PathSchedule().check();
  kernel_width(30, 0.1).check();
  MixtureSchedule polynomial{MixtureSchedule::Kind::polynomial, -1};
  CHECK_THROWS(polynomial.check(), Error);
  MixtureSchedule vp{MixtureSchedule::Kind::vp, 1, 5, 2};
  CHECK_THROWS(vp.check(), Error);
}

const MixtureSchedule kMixtures[] = {{MixtureSchedule::Kind::cond_ot},
                                     {MixtureSchedule::Kind::polynomial, 2},
                                     {MixtureSchedule::Kind::polynomial, 3.5},
                                     {MixtureSchedule::Kind::cosine},
                                     {MixtureSchedule::Kind::vp},
                                     {MixtureSchedule::Kind::linear_vp}};

TEST(mixture_schedulers_have_their_derivatives_and_inverses) {
  for (const MixtureSchedule& s : kMixtures) {
    for (const double t : {0.05, 0.3, 0.5, 0.77, 0.95}) {
      const auto v = s.at(t);
      CHECK_NEAR(v.d_alpha, slope([&](double x) { return s.at(x).alpha; }, t), 1e-6);
      CHECK_NEAR(v.d_sigma, slope([&](double x) { return s.at(x).sigma; }, t), 1e-6);
      CHECK_NEAR(s.kappa_inverse(v.alpha), t, 1e-9);
      CHECK_NEAR(s.rate(t), v.d_alpha / (1 - v.alpha), 1e-9);
    }
    CHECK_NEAR(s.kappa_inverse(1), 1, 1e-12);
    CHECK(std::isinf(s.rate(1)));
  }
}

TEST(exact_mixture_jumps_compose_to_kappa_and_euler_ones_approach_them) {
  for (const MixtureSchedule& s : kMixtures) {
    const int n = 9;
    double still = 1;
    for (int k = 0; k < n; ++k) still *= 1 - s.jump_probability(StepRule::integrated, flow::step_time(k, n), 1.0 / n);
    CHECK_NEAR(still, 0, 1e-12);  // all have jumped at t = 1
    const double h = 1e-5;
    CHECK_NEAR(s.jump_probability(StepRule::released, 0.4, h) / s.jump_probability(StepRule::integrated, 0.4, h), 1,
               1e-3);
  }
}

TEST(mixture_samples_and_rates_follow_their_definition) {
  const std::int32_t x_0[] = {1, 2, 3, 4}, x_1[] = {5, 6, 7, 8};
  const float uniform[] = {0, 0.69f, 0.71f, 0.99f};
  std::int32_t x_t[4];
  flow::mixture_sample(4, 0.3, x_0, x_1, uniform, x_t);
  CHECK((std::vector<int>(x_t, x_t + 4) == std::vector<int>{1, 2, 7, 8}));

  const real logits[] = {0, 1, 2};
  real velocity[3];
  flow::mixture_velocity(3, 2, logits, 1, velocity);
  const double sum = 1 + std::exp(1) + std::exp(2);
  const double expected[] = {2 / sum, 2 * (std::exp(1) / sum - 1), 2 * std::exp(2) / sum};
  CHECK_ALL_NEAR(velocity, expected, 3, 1e-6);

  // cond_ot at t = 0.25: forward rate 4/3, both ways 1/(0.25 * 0.75) ((0.75) source + 0.25 [y = x_1]).
  const real source[] = {0.5f, 0.25f, 0.25f};
  real rate[3];
  const double total = flow::mixture_rates(3, MixtureSchedule().at(0.25), 0.5, source, 1, 2, rate);
  const double want[] = {0.5 / 0.1875 * 0.75 * 0.5, 0, 4.0 / 3 + 0.5 / 0.1875 * (0.75 * 0.25 + 0.25)};
  CHECK_ALL_NEAR(rate, want, 3, 1e-6);
  CHECK_NEAR(total, want[0] + want[2], 1e-9);
  CHECK_NEAR(flow::mixture_rates(3, MixtureSchedule().at(0.25), 0, nullptr, 2, 2, rate), 0, 0);
}

TEST(linear_grid_takes_the_nearest_value) {
  const LinearGrid grid(-100, 0.01, 20001);
  CHECK_NEAR(grid.max(), 100, 1e-9);
  for (int token = 0; token < grid.count(); ++token) {
    bool clipped = true;
    CHECK_EQ(grid.encode(grid.decode(token) + 0.0049, &clipped), token);
    CHECK_EQ(grid.encode(grid.decode(token) - 0.0049, &clipped), token);
    CHECK(!clipped);
  }
  const LinearGrid coarse(0, 1, 3);
  CHECK_EQ(coarse.encode(0.5, nullptr), 0);  // half way: the lower
  CHECK_EQ(coarse.encode(1.5, nullptr), 1);
  CHECK_NEAR(coarse.coordinate(0), -1, 0);
  CHECK_NEAR(coarse.coordinate(2), 1, 0);
}

TEST(companded_grid_takes_the_nearest_value_and_is_finest_around_zero) {
  const double scale = 7.5;
  const CompandedGrid grid(401, 5);
  CHECK_NEAR(grid.decode(0, scale), -scale, 1e-12);
  CHECK_EQ(grid.decode(200, scale), 0.0);
  CHECK_NEAR(grid.decode(400, scale), scale, 1e-12);
  const double first = grid.decode(201, scale) - grid.decode(200, scale);
  CHECK_NEAR((grid.decode(400, scale) - grid.decode(399, scale)) / first, std::sqrt(26.0), 0.05);
  for (int i = 0; i <= 5000; ++i) {
    const double value = -scale + 2 * scale * i / 5000;
    const int token = grid.encode(value, scale, nullptr);
    int best = 0;
    for (int t = 1; t < 401; ++t)
      if (std::abs(grid.decode(t, scale) - value) < std::abs(grid.decode(best, scale) - value)) best = t;
    CHECK_NEAR(std::abs(grid.decode(token, scale) - value), std::abs(grid.decode(best, scale) - value), 1e-12);
  }
  for (int token = 0; token < 401; ++token) CHECK_EQ(grid.encode(grid.decode(token, scale), scale, nullptr), token);
  const CompandedGrid linear(5, 0);
  CHECK_NEAR(linear.decode(1, 4), -2, 1e-12);
}

TEST(values_outside_a_grid_are_clipped_and_reported) {
  const LinearGrid linear(-1, 0.5, 5);
  const CompandedGrid companded(11, 5);
  const double edge = (companded.decode(10, 1) - companded.decode(9, 1)) / 2;
  struct Case {
    double value;
    bool outside;
  };
  for (const Case& c : {Case{1.24, false}, {1.26, true}, {1e300, true}, {INFINITY, true}}) {
    bool clipped = !c.outside;
    CHECK_EQ(linear.encode(c.value, &clipped), 4);
    CHECK_EQ(clipped, c.outside);
    CHECK_EQ(linear.encode(-c.value, &clipped), 0);
    CHECK_EQ(clipped, c.outside);
  }
  for (const Case& c : {Case{1 + 0.9 * edge, false}, {1 + 1.1 * edge, true}, {INFINITY, true}}) {
    bool clipped = !c.outside;
    CHECK_EQ(companded.encode(-c.value, 1, &clipped), 0);
    CHECK_EQ(clipped, c.outside);
    CHECK_EQ(companded.encode(c.value, 1, &clipped), 10);
    CHECK_EQ(clipped, c.outside);
  }
  CHECK_THROWS(linear.encode(NAN, nullptr), Error);
  CHECK_THROWS(companded.encode(NAN, 1, nullptr), Error);
  CHECK_THROWS(LinearGrid(0, 0, 5), Error);
  CHECK_THROWS(LinearGrid(0, 1, 1), Error);
  CHECK_THROWS(CompandedGrid(1, 5), Error);
  CHECK_THROWS(CompandedGrid(5, NAN), Error);
}

TEST(order_violations_count_pairs_that_do_not_grow) {
  const real ordered[] = {1, 0, 0.9f, 0.1f, 0.5f, 0.5f, 0, 3};
  CHECK_EQ(flow::count_order_violations(4, 2, ordered, 1).violations, 0);
  CHECK_EQ(flow::count_order_violations(4, 2, ordered, 1).pairs, 6);
  CHECK_EQ(flow::count_order_violations(4, 2, ordered, 2).pairs, 4);
  const real turned[] = {1, 0, 0, 1, 0.5f, 0.5f, 0, 1};  // from 0: 2 is nearer than 1; from 1: 3 is 1 itself
  CHECK_EQ(flow::count_order_violations(4, 2, turned, 1).violations, 2);
}

}  // namespace
}  // namespace wam::test
