// Optimiser steps and the gradient norm.

namespace wam::cpu::WAM_ISA {

/// Sum of squares in double, lane i taking elements i, i+16, ...: the same on every instruction set, since the square of
/// a float is exact in double.
double sum_squares(int64_t n, const real* x) {
  double lane[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes)
    for (int l = 0; l < kLanes; ++l) lane[l] += static_cast<double>(x[i + l]) * static_cast<double>(x[i + l]);
  for (int l = 0; i + l < n; ++l) lane[l] += static_cast<double>(x[i + l]) * static_cast<double>(x[i + l]);
  for (int half = kLanes / 2; half > 0; half /= 2)
    for (int l = 0; l < half; ++l) lane[l] += lane[l + half];
  return lane[0];
}

/// m, v: moving means of g and g^2; w = keep w - rate m / (sqrt(v v_scale) + eps), keep = 1 - lr weight_decay.
void adamw(int64_t n, real* w, const real* grad, real* m, real* v, real rate, real v_scale, real beta1, real beta2,
           real eps, real keep, real grad_scale) {
  const Vec b1 = splat(beta1), c1 = splat(1 - beta1), b2 = splat(beta2), c2 = splat(1 - beta2);
  const Vec vs = splat(v_scale), ve = splat(eps), step = splat(rate), vkeep = splat(keep), gs = splat(grad_scale);
  for_long_lanes(n, [=](int64_t i, int k) {
    const Vec g = load_lanes(grad + i, k) * gs;
    const Vec mean = fma(b1, load_lanes(m + i, k), c1 * g);
    const Vec square = fma(b2, load_lanes(v + i, k), c2 * g * g);
    store_lanes(m + i, mean, k);
    store_lanes(v + i, square, k);
    const Vec change = mean / (sqrt(square * vs) + ve);
    store_lanes(w + i, fnma(step, change, load_lanes(w + i, k) * vkeep), k);
  });
}

void ema(int64_t n, real decay, const real* w, real* average) {
  const Vec d = splat(decay), rest = splat(1 - decay);
  map_lanes(n, w, average, average, [=](Vec x, Vec y) { return fma(d, y, rest * x); });
}

}  // namespace wam::cpu::WAM_ISA
