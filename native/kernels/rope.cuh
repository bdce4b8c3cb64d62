#pragma once
// Half-split rotary position embedding, in place.
//
// The angle position * theta^(-2i/head_dim) reaches 2^24 rad, where a float has lost every fraction, and doubles run at
// 1/64 of the float rate on most devices. So the angle is held in turns, as a 64-bit fraction: the host gives each pair
// of columns its turns per position times 2^64, and the product modulo 2^64, an integer multiplication that wraps, is
// the angle's fraction of a turn, exact but for position * 2^-65 turns (2^-41 at position 2^24). Quadrant and rest are
// its bits, and sine and cosine of the rest are short polynomials: 1 ulp of the table in double that the CPU uses.
// 16 bytes are moved for 6 flops; a thread takes one pair of columns in up to kHeads heads, sharing one angle.

#include "kernels/device.cuh"

namespace wam::WAM_GPU {

inline constexpr int kMaxRotationPairs = 128;  // head_dim / 2; passed with the parameters, 1 KB

struct Rotation {
  float cos, sin;
};

/// Sine and cosine of position * turns / 2^64 turns.
WAM_DEVICE Rotation rotation(std::uint64_t turns, std::int32_t position) {
  const std::uint64_t phase = static_cast<std::uint64_t>(static_cast<std::int64_t>(position)) * turns;
  constexpr std::uint64_t kEighth = std::uint64_t{1} << 61;
  const std::uint64_t quadrant = (phase + kEighth) >> 62;                                       // nearest quarter turn
  const auto rest = static_cast<std::int64_t>(phase - (quadrant << 62));                        // [-2^61, 2^61)
  const float r = static_cast<float>(rest) * static_cast<float>(1.5707963267948966 * 0x1p-62);  // [-pi/4, pi/4] rad
  const float z = r * r;
  // Weighted minimax fits, relative error below 4e-9: rounding decides.
  float s = -1.951528247e-04f;
  s = fmaf(s, z, 8.332160302e-03f);
  s = fmaf(s, z, -1.666665524e-01f);
  s = fmaf(r * z, s, r);
  float c = 2.443315680e-05f;
  c = fmaf(c, z, -1.388731645e-03f);
  c = fmaf(c, z, 4.166664556e-02f);
  c = fmaf(c, z, -0.5f);
  c = fmaf(c, z, 1.0f);
  const bool swap = (quadrant & 1) != 0, negative_cos = quadrant == 1 || quadrant == 2, negative_sin = quadrant >= 2;
  const float x = swap ? s : c, y = swap ? c : s;
  return {negative_cos ? -x : x, negative_sin ? -y : y};
}

/// (a, b) turned by the angle.
WAM_DEVICE float2 rotate(Rotation t, float a, float b) {
  return make_float2(fmaf(-b, t.sin, a * t.cos), fmaf(a, t.sin, b * t.cos));
}

struct RopeConfig {
  static constexpr int kThreads = 128;
  static constexpr int kHeads = 4;  // of a thread: 8 loads in flight
};

struct RopeParams {
  int rows = 0;  // head_dim even, <= 2 kMaxRotationPairs
  int heads = 0;
  int head_dim = 0;
  int ldx = 0;
  const std::int32_t* position = nullptr;  // [rows]
  bool inverse = false;                    // turns back: the backward pass
  float* x = nullptr;                      // [rows, heads * head_dim]
  std::uint64_t turns[kMaxRotationPairs] = {};
};

template <class Config>
__global__ void __launch_bounds__(Config::kThreads) rope_rows(const __grid_constant__ RopeParams p) {
  const int half = p.head_dim / 2, groups = (p.heads + Config::kHeads - 1) / Config::kHeads;
  const unsigned index = blockIdx.x * Config::kThreads + threadIdx.x;
  const auto row = static_cast<int>(index / static_cast<unsigned>(groups * half));
  const auto within = static_cast<int>(index % static_cast<unsigned>(groups * half));
  const int pair = within % half, first = within / half * Config::kHeads;
  if (row < p.rows) {
    Rotation t = rotation(p.turns[pair], p.position[row]);
    if (p.inverse) t.sin = -t.sin;
    float* x = p.x + static_cast<std::int64_t>(row) * p.ldx + pair;
#pragma unroll
    for (int h = 0; h < Config::kHeads; ++h) {
      if (first + h < p.heads) {
        float* head = x + (first + h) * p.head_dim;
        const float2 y = rotate(t, head[0], head[half]);
        head[0] = y.x, head[half] = y.y;
      }
    }
  }
}

}  // namespace wam::WAM_GPU
