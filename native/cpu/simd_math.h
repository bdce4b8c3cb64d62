#pragma once
// exp, log and the normal distribution on Vec. In float they are polynomials written once over the vector operations, so AVX2 and
// AVX-512 agree bit for bit; in the double build they call the C library lane by lane. The coefficients are weighted
// minimax fits made for this file (Lawson iteration on Chebyshev nodes, 40-digit references). Included by simd.h only.

namespace wam::cpu::WAM_ISA {

#if WAM_REAL_BITS == 64

WAM_INLINE Vec exp(Vec x) {
  return each_lane(x, [](real t) { return scalar_exp(t); });
}
WAM_INLINE Vec exp_to_one(Vec x) { return exp(x); }
WAM_INLINE Vec log(Vec x) {
  return each_lane(x, [](real t) { return scalar_log(t); });
}
WAM_INLINE Vec round(Vec x) {
  return each_lane(x, [](real t) { return __builtin_round(t); });
}
struct Exp2 {
  Vec base;
  WAM_INLINE explicit Exp2(Vec b) : base(b) {}
  WAM_INLINE Vec operator()(Vec x) const {
    return each_lane(x - base, [](real t) { return ::exp2(t); });
  }
};
/// P(normal <= x), and exp(-x^2/2).
WAM_INLINE Vec normal_cdf(Vec x, Vec* bell) {
  *bell = exp(x * x * splat(-0.5));
  return each_lane(x, [](real t) { return 0.5 * scalar_erfc(-t * 0.70710678118654752440); });
}

#else

/// exp of values that are not above 0: the bits of `exp`, without its upper end.
WAM_INLINE Vec exp_to_one(Vec x) {
  const Vec shift = splat(12582912.0f);  // 1.5 * 2^23: adding it rounds to an integer in the low mantissa bits
  const Vec shifted = fma(x, splat(1.44269504f), shift);
  const Vec n = shifted - shift;
  // x - n ln 2, with ln 2 in two pieces, the first short enough for an exact product
  const Vec r = fnma(n, splat(-2.12194440e-4f), fnma(n, splat(0.693359375f), x));
  Vec q = splat(1.395053854e-03f);
  q = fma(q, r, splat(8.368918062e-03f));
  q = fma(q, r, splat(4.166620509e-02f));
  q = fma(q, r, splat(1.666651860e-01f));
  q = fma(q, r, splat(5.000000095e-01f));
  const Vec y = scale_by_power(fma(r * r, q, r) + splat(1.0f), shifted);
  return select(lt(x, splat(-87.33f)), zero(), y);
}
/// Relative error below 1.2e-7. 0 below -87.33 (where the result would be denormal), inf above 88.722; NaN stays NaN.
WAM_INLINE Vec exp(Vec x) { return select(gt(x, splat(88.722f)), splat(__builtin_inff()), exp_to_one(x)); }

/// The nearest integer; ties to even.
WAM_INLINE Vec round(Vec x) { return (x + splat(12582912.0f)) - splat(12582912.0f); }

/// 2^(x - base) for an integer base below 2^24, where x <= base + 100; about 2^-126 where x < base - 126. Relative error
/// below 2e-7 whatever x and base are: x less its nearest integer is exact.
struct Exp2 {
  Vec shift, low;
  WAM_INLINE explicit Exp2(Vec base) : shift(splat(12582912.0f) - base), low(base - splat(126.0f)) {}
  WAM_INLINE Vec operator()(Vec x) const {
    const Vec at = max(low, x);
    const Vec shifted = at + shift;
    const Vec r = at - (shifted - shift);
    Vec q = splat(1.32647271401e-3f);
    q = fma(q, r, splat(9.67151263996e-3f));
    q = fma(q, r, splat(5.55073374347e-2f));
    q = fma(q, r, splat(2.40222420854e-1f));
    q = fma(q, r, splat(6.93146977599e-1f));
    return scale_by_power(fma(q, r, splat(1.0f)), shifted);
  }
};

/// Relative error below 2e-7 (absolute near 1). log(0) = -inf, negative or NaN: NaN. Denormals count as 0.
WAM_INLINE Vec log(Vec x) {
  Vec m, e;
  split_exponent(x, &m, &e);
  const Vec f = m - splat(1.0f);
  const Vec s = f / (splat(2.0f) + f);  // log(m) = 2 atanh(s)
  const Vec z = s * s;
  Vec p = splat(2.358357171e-01f);
  p = fma(p, z, splat(2.853723815e-01f));
  p = fma(p, z, splat(4.000033622e-01f));
  p = fma(p, z, splat(6.666666564e-01f));
  // 2s = f - f s, so the leading term keeps f exactly
  const Vec tail = fma(e, splat(-2.12194440e-4f), fnma(s, f, s * z * p));
  const Vec y = fma(e, splat(0.693359375f), tail + f);
  const Vec finite = select(gt(x, splat(3.4028234e38f)), splat(__builtin_inff()), y);
  const Vec tiny = select(lt(x, splat(1.17549435e-38f)), splat(-__builtin_inff()), finite);
  return select(ge(x, zero()), tiny, splat(__builtin_nanf("")));
}

/// P(normal <= x), absolute error below 1.2e-7, and exp(-x^2/2), which it is made of: the upper tail is exp(-u^2/2) R(u),
/// u = |x|, R a polynomial on [0, 6].
WAM_INLINE Vec normal_cdf(Vec x, Vec* bell) {
  *bell = exp(x * x * splat(-0.5f));
  const Vec u = min(splat(6.0f), abs(x));
  Vec r = splat(-3.155421459e-07f);
  r = fma(r, u, splat(7.708761159e-06f));
  r = fma(r, u, splat(-8.477084570e-05f));
  r = fma(r, u, splat(5.636520592e-04f));
  r = fma(r, u, splat(-2.590088497e-03f));
  r = fma(r, u, splat(9.003844207e-03f));
  r = fma(r, u, splat(-2.547181373e-02f));
  r = fma(r, u, splat(6.192392954e-02f));
  r = fma(r, u, splat(-1.328057853e-01f));
  r = fma(r, u, splat(2.499725726e-01f));
  r = fma(r, u, splat(-3.989406022e-01f));
  r = fma(r, u, splat(4.999999830e-01f));
  const Vec tail = *bell * r;
  return select(lt(x, zero()), tail, splat(1.0f) - tail);
}

#endif

}  // namespace wam::cpu::WAM_ISA
