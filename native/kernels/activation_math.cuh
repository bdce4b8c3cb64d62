#pragma once
// GELU in both forms and SiLU, with their derivatives: the same formulas as the CPU kernels, so that the two backends
// differ by rounding alone. About 20 instructions each. The reciprocals are approximate (1 ulp): their arguments are
// at least 1, and the correctly rounded division costs as much as the rest of the function.

#include "kernels/device.cuh"

namespace wam::WAM_GPU {

/// P(normal <= x), absolute error below 1.5e-7, and exp(-x^2/2), which it is made of: the upper tail is
/// exp(-u^2/2) R(u), u = |x|, R a minimax polynomial on [0, 6].
WAM_DEVICE float normal_cdf(float x, float* bell) {
  *bell = expf(x * x * -0.5f);
  const float u = fminf(6.0f, fabsf(x));
  float r = -3.155421459e-07f;
  r = fmaf(r, u, 7.708761159e-06f);
  r = fmaf(r, u, -8.477084570e-05f);
  r = fmaf(r, u, 5.636520592e-04f);
  r = fmaf(r, u, -2.590088497e-03f);
  r = fmaf(r, u, 9.003844207e-03f);
  r = fmaf(r, u, -2.547181373e-02f);
  r = fmaf(r, u, 6.192392954e-02f);
  r = fmaf(r, u, -1.328057853e-01f);
  r = fmaf(r, u, 2.499725726e-01f);
  r = fmaf(r, u, -3.989406022e-01f);
  r = fmaf(r, u, 4.999999830e-01f);
  const float tail = *bell * r;
  return x < 0.0f ? tail : 1.0f - tail;
}

/// x Phi(x)
WAM_DEVICE float gelu_erf(float x) {
  float bell;
  return x * normal_cdf(x, &bell);
}
/// Phi(x) + x phi(x)
WAM_DEVICE float gelu_erf_slope(float x) {
  float bell;
  const float phi = normal_cdf(x, &bell);
  return fmaf(x * 0.3989422804f, bell, phi);  // 1/sqrt(2 pi)
}

/// x/2 (1 + tanh u) = x s with s = 1/(1 + exp(-2u)), u = sqrt(2/pi) (x + 0.044715 x^3): keeps the left tail exact.
struct TanhGate {
  float s, rest;  // s and 1 - s
};
inline constexpr float kTwiceTanhScale = 1.5957691216f;  // 2 sqrt(2/pi)
inline constexpr float kTwiceTanhCubic = 1.5957691216f * 0.044715f;
WAM_DEVICE TanhGate tanh_gate(float x) {
  const float e = expf(fminf(80.0f, x * fmaf(x * x, -kTwiceTanhCubic, -kTwiceTanhScale)));  // bounded: e s stays finite
  const float s = fast_rcp(1.0f + e);
  return {s, e * s};
}
WAM_DEVICE float gelu_tanh(float x) { return x * tanh_gate(x).s; }
/// s + x s (1 - s) 2 du/dx
WAM_DEVICE float gelu_tanh_slope(float x) {
  const TanhGate gate = tanh_gate(x);
  return fmaf(x * gate.s * gate.rest, fmaf(x * x, 3.0f * kTwiceTanhCubic, kTwiceTanhScale), gate.s);
}

WAM_DEVICE float sigmoid(float x) { return fast_rcp(1.0f + expf(-x)); }
/// x sigmoid(x)
WAM_DEVICE float silu(float x) { return x * sigmoid(x); }
/// s (1 + x (1 - s)), s = sigmoid(x)
WAM_DEVICE float silu_slope(float x) {
  const float e = expf(fminf(80.0f, -x));  // bounded: e s stays finite
  const float s = fast_rcp(1.0f + e);
  return s * fmaf(x, e * s, 1.0f);  // e s is 1 - s, without what 1 - s loses where s is near 1
}

}  // namespace wam::WAM_GPU
