#pragma once

namespace wam::camera {

/// Linear light, red, green, blue; 1 is a white surface in full light.
struct Color {
  float r = 0, g = 0, b = 0;
};

inline Color operator*(const Color& c, float k) { return {c.r * k, c.g * k, c.b * k}; }
inline Color operator*(const Color& a, const Color& b) { return {a.r * b.r, a.g * b.g, a.b * b.b}; }
inline Color operator+(const Color& a, const Color& b) { return {a.r + b.r, a.g + b.g, a.b + b.b}; }
/// a where `share` is 0, b where it is 1.
inline Color mix(const Color& a, const Color& b, float share) {
  return {a.r + (b.r - a.r) * share, a.g + (b.g - a.g) * share, a.b + (b.b - a.b) * share};
}

}  // namespace wam::camera
