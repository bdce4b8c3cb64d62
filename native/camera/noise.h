#pragma once
// Repeatable noise: a value depends on its place and seed alone, never on the order of calls.

#include <cstdint>

namespace wam::camera {

/// Mixes 32 bits so that neighbouring numbers give unlike ones.
inline std::uint32_t scramble(std::uint32_t x) {
  x ^= x >> 16;
  x *= 0x7feb352du;
  x ^= x >> 15;
  x *= 0x846ca68bu;
  return x ^ (x >> 16);
}

inline std::uint32_t scramble(std::uint32_t seed, std::uint32_t a, std::uint32_t b) {
  return scramble(scramble(seed ^ (a * 0x9e3779b1u)) ^ (b * 0x85ebca77u));
}

/// [0, 1).
inline float unit(std::uint32_t word) { return static_cast<float>(word >> 8) * 0x1p-24f; }

/// Smooth noise in [-1, 1] over the plane, with features as wide as a unit. Places are mostly asked for one beside the
/// other: the cell of the last one is kept.
class ValueNoise {
 public:
  explicit ValueNoise(std::uint32_t seed) : seed_(seed) { enter(0, 0); }

  /// Places up to 2^31.
  float at(float x, float y) {
    const std::int32_t ix = below(x), iy = below(y);
    if (ix != cell_x_ || iy != cell_y_) enter(ix, iy);
    const float tx = x - static_cast<float>(ix), ty = y - static_cast<float>(iy);
    const float sx = tx * tx * (3 - 2 * tx), sy = ty * ty * (3 - 2 * ty);
    const float low = a_ + (b_ - a_) * sx, high = c_ + (d_ - c_) * sx;
    return low + (high - low) * sy;
  }

 private:
  /// Rounded down; std::floor is a call on processors of 2003.
  static std::int32_t below(float x) {
    const auto cut = static_cast<std::int32_t>(x);
    return cut - (static_cast<float>(cut) > x ? 1 : 0);
  }
  void enter(std::int32_t x, std::int32_t y) {
    cell_x_ = x, cell_y_ = y;
    const auto ix = static_cast<std::uint32_t>(x), iy = static_cast<std::uint32_t>(y);
    a_ = corner(ix, iy), b_ = corner(ix + 1, iy), c_ = corner(ix, iy + 1), d_ = corner(ix + 1, iy + 1);
  }
  float corner(std::uint32_t x, std::uint32_t y) const {
    // Two rounds are enough for a texture.
    std::uint32_t h = (x * 0x9e3779b1u) ^ (y * 0x85ebca77u) ^ seed_;
    h = (h ^ (h >> 15)) * 0x2c1b3c6du;
    return static_cast<float>((h ^ (h >> 13)) >> 8) * 0x1p-23f - 1.0f;
  }

  std::uint32_t seed_;
  std::int32_t cell_x_ = 0, cell_y_ = 0;
  float a_ = 0, b_ = 0, c_ = 0, d_ = 0;  // corners of the cell
};

/// Numbers in a row from one seed.
class Draw {
 public:
  explicit Draw(std::uint64_t seed)
      : low_(static_cast<std::uint32_t>(seed)), high_(static_cast<std::uint32_t>(seed >> 32)) {}
  float next() { return unit(scramble(low_, high_, ++count_)); }
  float range(float low, float high) { return low + (high - low) * next(); }
  std::uint32_t word() { return scramble(low_, high_, ++count_); }

 private:
  std::uint32_t low_, high_, count_ = 0;
};

}  // namespace wam::camera
