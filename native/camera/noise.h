#pragma once
// Repeatable noise: a value depends on its place and seed alone, never on the order of calls.

#include <cmath>
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

/// Smooth noise in [-1, 1] over the plane, with features as wide as a unit.
inline float value_noise(float x, float y, std::uint32_t seed) {
  const float fx = std::floor(x), fy = std::floor(y);
  const auto ix = static_cast<std::uint32_t>(static_cast<std::int32_t>(fx));
  const auto iy = static_cast<std::uint32_t>(static_cast<std::int32_t>(fy));
  const float tx = x - fx, ty = y - fy;
  const float sx = tx * tx * (3 - 2 * tx), sy = ty * ty * (3 - 2 * ty);
  // One round for each corner is enough for a texture.
  const auto corner = [&](std::uint32_t cx, std::uint32_t cy) {
    std::uint32_t h = (cx * 0x9e3779b1u) ^ (cy * 0x85ebca77u) ^ seed;
    h = (h ^ (h >> 15)) * 0x2c1b3c6du;
    return static_cast<float>((h ^ (h >> 13)) >> 8) * 0x1p-23f - 1.0f;
  };
  const float a = corner(ix, iy), b = corner(ix + 1, iy), c = corner(ix, iy + 1), d = corner(ix + 1, iy + 1);
  const float low = a + (b - a) * sx, high = c + (d - c) * sx;
  return low + (high - low) * sy;
}

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
