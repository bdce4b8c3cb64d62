// GELU in both forms, and its derivative.

namespace wam::cpu::WAM_ISA {

constexpr real kSqrtHalf = static_cast<real>(0.70710678118654752440);
constexpr real kInvSqrtTwoPi = static_cast<real>(0.39894228040143267794);
constexpr real kTanhScale = static_cast<real>(0.79788456080286535588);  // sqrt(2/pi)
constexpr real kTanhCubic = static_cast<real>(0.044715);

/// x Phi(x)
inline Vec gelu_erf(Vec x) {
  const Vec half = splat(static_cast<real>(0.5)) * x;
  return fma(half, erf(x * splat(kSqrtHalf)), half);
}
/// Phi(x) + x phi(x)
inline Vec gelu_erf_slope(Vec x) {
  const Vec half = splat(static_cast<real>(0.5));
  const Vec density = splat(kInvSqrtTwoPi) * exp(x * x * splat(static_cast<real>(-0.5)));
  return fma(x, density, fma(half, erf(x * splat(kSqrtHalf)), half));
}

/// x/2 (1 + tanh u), u = sqrt(2/pi) (x + 0.044715 x^3)
inline Vec gelu_tanh(Vec x) {
  const Vec half = splat(static_cast<real>(0.5)) * x;
  const Vec u = x * fma(x * x, splat(kTanhScale * kTanhCubic), splat(kTanhScale));
  return fma(half, tanh(u), half);
}
inline Vec gelu_tanh_slope(Vec x) {
  const Vec one = splat(static_cast<real>(1)), half = splat(static_cast<real>(0.5));
  const Vec z = x * x;
  const Vec t = tanh(x * fma(z, splat(kTanhScale * kTanhCubic), splat(kTanhScale)));
  const Vec du = fma(z, splat(3 * kTanhScale * kTanhCubic), splat(kTanhScale));
  return fma(half * x * fnma(t, t, one), du, fma(half, t, half));
}

}  // namespace wam::cpu::WAM_ISA
