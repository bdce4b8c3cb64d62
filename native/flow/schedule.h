#pragma once
// The inverse temperature beta(t) of a metric path p_t(y|x1) = softmax_y(-beta(t) d(y,x1)), t in [0,1], and what a
// refinement step multiplies its rates with. All in double; the backend receives the results as `real`.

#include "core/backend.h"

namespace wam::flow {

struct PathSchedule {
  enum class Kind {
    published,     // beta = c (t/(1-t))^a, the constants of the paper's code: a 0.9, c 3
    kernel_width,  // exp(-beta d) falls to 1/e at distance w(t); w shrinks geometrically from w(0) to w(1)
  };
  Kind kind = Kind::published;
  double a = 0.9, c = 3;
  // kernel_width: w(t) = initial_width^(1-t) final_width^t in the unit of the coordinate that distances are taken in
  // (metres when the coordinate is in metres); beta = w(t)^-power - w(0)^-power, so that p_0 is uniform.
  double initial_width = 1, final_width = 0.004;
  double power = 1;  // of the metric d = |u_i - u_j|^power

  /// Throws Error(ERR_CONFIG) when a parameter has no meaning (not finite, not positive, growing width).
  void check() const;

  /// beta(t) >= 0, ascending; infinite at t = 1 in the published form.
  double beta(double t) const;

  /// d beta / dt. The published form at t = 0 gives 0, as its code defines it (with a < 1 the limit is infinite).
  double beta_derivative(double t) const;

  /// Kernel width: beta(t)^(-1/power), infinite at t = 0. What to look at when choosing constants.
  double width(double t) const;

  /// Factor of the rates for a step from t to t+h. released: h beta'(t), and 0 at t = 0 in every form, which is what the
  /// rule means. integrated: beta(t+h) - beta(t). renoise: 0, that rule has no rates.
  double step_weight(StepRule rule, double t, double h) const;
};

/// t_k = k/n. Never summed up from 1/n: a sum misses 1 for n = 49, 98, ... and costs a step too many.
inline double step_time(int k, int n) { return static_cast<double>(k) / static_cast<double>(n); }

}  // namespace wam::flow
