#pragma once
// Plane geometry in integers, as a reference for the simulator's predicates: coordinates are whole numbers of kUnit, so
// that every sign below is exact in 128 bits. Even-odd areas and boxes are closed.

#include <algorithm>
#include <cstdint>
#include <vector>

#include "sim/geometry.h"

namespace wam::test::exact {

/// Metres. Doubles hold all its multiples up to 4e6 m, which is what coordinates of a UTM zone need.
inline constexpr double kUnit = 1.0 / (std::int64_t{1} << 31);
inline constexpr std::int64_t kMetre = std::int64_t{1} << 31;

struct Point {
  std::int64_t x = 0, y = 0;
  friend bool operator==(const Point&, const Point&) = default;
};
using Ring = std::vector<Point>;

inline sim::Vec2 to_metres(Point p) { return {static_cast<double>(p.x) * kUnit, static_cast<double>(p.y) * kUnit}; }
inline std::vector<sim::Vec2> to_metres(const Ring& ring) {
  std::vector<sim::Vec2> out;
  for (const Point p : ring) out.push_back(to_metres(p));
  return out;
}

inline int turn(Point a, Point b, Point c) {
  const auto cross = static_cast<__int128>(b.x - a.x) * (c.y - a.y) - static_cast<__int128>(b.y - a.y) * (c.x - a.x);
  return cross > 0 ? 1 : cross < 0 ? -1 : 0;
}

inline bool on_segment(Point a, Point b, Point p) {
  return turn(a, b, p) == 0 && std::min(a.x, b.x) <= p.x && p.x <= std::max(a.x, b.x) && std::min(a.y, b.y) <= p.y &&
         p.y <= std::max(a.y, b.y);
}

/// Of closed segments: they cross inside both, or an end of one lies on the other.
inline bool segments_meet(Point a, Point b, Point c, Point d) {
  if (on_segment(a, b, c) || on_segment(a, b, d) || on_segment(c, d, a) || on_segment(c, d, b)) return true;
  return turn(a, b, c) * turn(a, b, d) < 0 && turn(c, d, a) * turn(c, d, b) < 0;
}

/// Border first; then a ray to the right, each edge with its lower end and without its upper one.
inline sim::Side locate(const Ring& ring, Point p) {
  bool inside = false;
  for (std::size_t i = 0; i < ring.size(); ++i) {
    Point a = ring[i], b = ring[(i + 1) % ring.size()];
    if (on_segment(a, b, p)) return sim::Side::boundary;
    if (a.y > b.y) std::swap(a, b);
    if (a.y <= p.y && p.y < b.y && turn(a, b, p) > 0) inside = !inside;
  }
  return inside ? sim::Side::inside : sim::Side::outside;
}

/// Edges meet, or one ring holds a corner of the other.
inline bool areas_meet(const Ring& a, const Ring& b) {
  for (std::size_t i = 0; i < a.size(); ++i) {
    for (std::size_t k = 0; k < b.size(); ++k) {
      if (segments_meet(a[i], a[(i + 1) % a.size()], b[k], b[(k + 1) % b.size()])) return true;
    }
  }
  return locate(a, b[0]) != sim::Side::outside || locate(b, a[0]) != sim::Side::outside;
}

inline bool meets_segment(const Ring& area, Point a, Point b) {
  for (std::size_t i = 0; i < area.size(); ++i) {
    if (segments_meet(area[i], area[(i + 1) % area.size()], a, b)) return true;
  }
  return locate(area, a) != sim::Side::outside;
}

/// Numbers of a fixed sequence (splitmix64).
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  std::uint64_t bits() {
    std::uint64_t z = state_ += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  /// [low, high].
  std::int64_t integer(std::int64_t low, std::int64_t high) {
    return low + static_cast<std::int64_t>(bits() % static_cast<std::uint64_t>(high - low + 1));
  }
  /// [0, 1).
  double unit() { return static_cast<double>(bits() >> 11) * 0x1p-53; }
  double real(double low, double high) { return low + (high - low) * unit(); }

 private:
  std::uint64_t state_;
};

}  // namespace wam::test::exact
