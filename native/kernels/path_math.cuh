#pragma once
// exp, log and powers of the decision path: which token a row takes hangs on the bits of its weights, so these do the
// operations of the CPU backend's vector forms (cpu/simd_math.h) in their order, with the same coefficients. Where that
// backend has fused multiply-add, weights have the same bits on both, and tokens agree even where a draw falls next to
// a boundary. expf of the toolkit would be as accurate (1 ulp) and as fast (about 12 instructions) but round otherwise.
//
// Products that an addition follows are taken with __fmul_rn: nvcc would fuse the two.

#include "kernels/device.cuh"

namespace wam::WAM_GPU {

WAM_DEVICE float infinite() { return __uint_as_float(0x7f800000u); }
WAM_DEVICE float not_a_number() { return __uint_as_float(0x7fffffffu); }

/// Relative error below 1.2e-7. 0 below -87.33 (where the result would be denormal), inf above 88.722; NaN stays NaN.
WAM_DEVICE float path_exp(float x) {
  const float shift = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer in the low mantissa bits
  const float shifted = fmaf(x, 1.44269504f, shift);
  const float n = shifted - shift;
  // x - n ln 2, with ln 2 in two pieces, the first short enough for an exact product
  const float r = fmaf(-n, -2.12194440e-4f, fmaf(-n, 0.693359375f, x));
  float q = 1.395053854e-03f;
  q = fmaf(q, r, 8.368918062e-03f);
  q = fmaf(q, r, 4.166620509e-02f);
  q = fmaf(q, r, 1.666651860e-01f);
  q = fmaf(q, r, 5.000000095e-01f);
  const float y = fmaf(__fmul_rn(r, r), q, r) + 1.0f;
  const float scaled = __uint_as_float(__float_as_uint(y) + (__float_as_uint(shifted) << 23));
  const float small = x < -87.33f ? 0.0f : x;  // shifting the bits of a NaN would make a number of it
  return x > 88.722f ? infinite() : x >= -87.33f ? scaled : small;
}

/// Relative error below 2e-7 (absolute near 1). log(0) = -inf, negative or NaN: NaN. Denormals count as 0.
WAM_DEVICE float path_log(float x) {
  // x = m 2^e, m in [sqrt(1/2), sqrt(2))
  const int bits = __float_as_int(x), exponent = (bits - 0x3f3504f3) >> 23;
  const float m = __int_as_float(bits - static_cast<int>(static_cast<unsigned>(exponent) << 23));
  const float e = static_cast<float>(exponent);
  const float f = m - 1.0f;
  const float s = f / (2.0f + f);  // log(m) = 2 atanh(s)
  const float z = __fmul_rn(s, s);
  float p = 2.358357171e-01f;
  p = fmaf(p, z, 2.853723815e-01f);
  p = fmaf(p, z, 4.000033622e-01f);
  p = fmaf(p, z, 6.666666564e-01f);
  // 2s = f - f s, so the leading term keeps f exactly
  const float tail = fmaf(e, -2.12194440e-4f, fmaf(-s, f, __fmul_rn(__fmul_rn(s, z), p)));
  const float y = fmaf(e, 0.693359375f, tail + f);
  if (!(x >= 0.0f)) return not_a_number();
  if (x < 1.17549435e-38f) return -infinite();
  return x > 3.4028234e38f ? infinite() : y;
}

/// x^power, x >= 0.
WAM_DEVICE float power_of(float x, float power) {
  if (power == 1.0f) return x;
  const float square = __fmul_rn(x, x);
  if (power == 2.0f) return square;
  if (power == 4.0f) return __fmul_rn(square, square);
  // log(0) = -inf, and exp of it is 0
  return path_exp(__fmul_rn(power, path_log(x)));
}

}  // namespace wam::WAM_GPU
