#include "sim/geometry.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "core/error.h"
#include "core/planar.h"

namespace wam::sim {
namespace {

constexpr std::size_t kBandEdges = 16;       // entries of a polygon's bands, a vertex; 3 for plain ones
constexpr std::size_t kCrossingSteps = 256;  // what the memory of a crossing counts for

// Exact arithmetic on sums of doubles (Dekker, Shewchuk): the sign of a sum of products without rounding error.
struct Pair {
  double high, low;
};

Pair two_sum(double a, double b) {
  const double high = a + b, part = high - a;
  return {high, (a - (high - part)) + (b - part)};
}

Pair two_product(double a, double b) {
  const double high = a * b;
  return {high, std::fma(a, b, -high)};
}

/// A growing sum kept as non-overlapping parts, smallest first.
class Expansion {
 public:
  void add(double value) {
    double carry = value;
    for (int i = 0; i < size_; ++i) {
      const Pair sum = two_sum(parts_[i], carry);
      parts_[i] = sum.low;
      carry = sum.high;
    }
    parts_[size_++] = carry;
  }
  void add(Pair p) {
    add(p.low);
    add(p.high);
  }
  int sign() const {
    for (int i = size_ - 1; i >= 0; --i) {
      if (parts_[i] != 0) return parts_[i] > 0 ? 1 : -1;
    }
    return 0;
  }

 private:
  double parts_[12];
  int size_ = 0;
};

int exact_orientation(Vec2 a, Vec2 b, Vec2 c) {
  // (a - c) x (b - c), multiplied out: the products with c.x c.y cancel.
  Expansion sum;
  sum.add(two_product(a.x, b.y));
  sum.add(two_product(-a.x, c.y));
  sum.add(two_product(-c.x, b.y));
  sum.add(two_product(-a.y, b.x));
  sum.add(two_product(a.y, c.x));
  sum.add(two_product(c.y, b.x));
  return sum.sign();
}

/// p lies on the closed segment ab, given that the three are in line.
bool between(Vec2 a, Vec2 b, Vec2 p) {
  return std::min(a.x, b.x) <= p.x && p.x <= std::max(a.x, b.x) && std::min(a.y, b.y) <= p.y &&
         p.y <= std::max(a.y, b.y);
}

/// All corners of b lie strictly to the right of one edge of a.
bool separates(const Quad& a, const Quad& b) {
  for (int i = 0; i < 4; ++i) {
    const Vec2 from = a.corner[i], to = a.corner[(i + 1) & 3];
    int k = 0;
    while (k < 4 && orientation(from, to, b.corner[k]) < 0) ++k;
    if (k == 4) return true;
  }
  return false;
}

}  // namespace

double wrap_modulo(double angle) {
  constexpr double kTurn = 2 * kPi;
  double r = std::fmod(angle + kPi, kTurn);
  if (r < 0) r += kTurn;
  return r - kPi;
}

double unwrapped(double angle, double before) {
  const double difference = angle - before;
  if (std::abs(difference) < kPi) return angle;
  double wrapped = wrap_modulo(difference);
  if (wrapped == -kPi && difference > 0) wrapped = kPi;
  return angle + (wrapped - difference);
}

double distance(Vec2 a, Vec2 b) { return planar_length(a.x - b.x, a.y - b.y); }

int orientation(Vec2 a, Vec2 b, Vec2 c) {
  const double left = (a.x - c.x) * (b.y - c.y), right = (a.y - c.y) * (b.x - c.x);
  const double det = left - right;
  // Shewchuk's bound of the rounding error of det.
  constexpr double kEps = std::numeric_limits<double>::epsilon() / 2, kBound = (3 + 16 * kEps) * kEps;
  const double bound = kBound * (std::abs(left) + std::abs(right));
  if (det > bound) return 1;
  if (-det > bound) return -1;
  return exact_orientation(a, b, c);
}

double nearest_on_segment(Vec2 a, Vec2 b, Vec2 p) {
  const double dx = b.x - a.x, dy = b.y - a.y, square = dx * dx + dy * dy;
  if (!(square > 0)) return 0;
  return std::clamp(((p.x - a.x) * dx + (p.y - a.y) * dy) / square, 0.0, 1.0);
}

double distance_to_segment(Vec2 a, Vec2 b, Vec2 p) {
  const double t = nearest_on_segment(a, b, p);
  if (t <= 0) return distance(a, p);
  if (t >= 1) return distance(b, p);
  const double dx = b.x - a.x, dy = b.y - a.y;
  return std::abs((p.x - a.x) * dy - (p.y - a.y) * dx) / planar_length(dx, dy);
}

bool segments_intersect(Vec2 a, Vec2 b, Vec2 c, Vec2 d) {
  if (std::min(a.x, b.x) > std::max(c.x, d.x) || std::min(c.x, d.x) > std::max(a.x, b.x) ||
      std::min(a.y, b.y) > std::max(c.y, d.y) || std::min(c.y, d.y) > std::max(a.y, b.y)) {
    return false;
  }
  const int abc = orientation(a, b, c), abd = orientation(a, b, d);
  if (abc != 0 && abc == abd) return false;
  const int cda = orientation(c, d, a), cdb = orientation(c, d, b);
  if (cda != 0 && cda == cdb) return false;
  if (abc != abd && cda != cdb && (abc != 0 || abd != 0) && (cda != 0 || cdb != 0)) return true;
  return (abc == 0 && between(a, b, c)) || (abd == 0 && between(a, b, d)) || (cda == 0 && between(c, d, a)) ||
         (cdb == 0 && between(c, d, b));
}

void Bounds::add(Vec2 p) {
  min_x = std::min(min_x, p.x);
  min_y = std::min(min_y, p.y);
  max_x = std::max(max_x, p.x);
  max_y = std::max(max_y, p.y);
}

Bounds Quad::bounds() const {
  Bounds b;
  for (const Vec2 p : corner) b.add(p);
  return b;
}

Vec2 Quad::centroid() const {
  return {(corner[0].x + corner[1].x + corner[2].x + corner[3].x) / 4,
          (corner[0].y + corner[1].y + corner[2].y + corner[3].y) / 4};
}

Quad box(const Pose& center, double length, double width) {
  return box({center.x, center.y}, std::cos(center.heading), std::sin(center.heading), length, width);
}

Quad box(Vec2 center, double c, double s, double length, double width) {
  const double l = length / 2, w = width / 2;
  const auto at = [&](double ahead, double left) {
    return Vec2{center.x + ahead * c - left * s, center.y + ahead * s + left * c};
  };
  return {{at(l, w), at(-l, w), at(-l, -w), at(l, -w)}};
}

bool intersects(const Quad& a, const Quad& b) { return !separates(a, b) && !separates(b, a); }

bool covers(const Quad& q, Vec2 p) {
  for (int i = 0; i < 4; ++i) {
    if (orientation(q.corner[i], q.corner[(i + 1) & 3], p) < 0) return false;
  }
  return true;
}

bool intersects(const Quad& q, Vec2 a, Vec2 b) {
  if (covers(q, a) || covers(q, b)) return true;
  for (int i = 0; i < 4; ++i) {
    if (segments_intersect(q.corner[i], q.corner[(i + 1) & 3], a, b)) return true;
  }
  return false;
}

double distance(const Quad& a, const Quad& b) {
  if (intersects(a, b)) return 0;
  double least = HUGE_VAL;
  const auto corners_to_edges = [&least](const Quad& from, const Quad& to) {
    for (int i = 0; i < 4; ++i) {
      const Vec2 u = to.corner[i], v = to.corner[(i + 1) & 3];
      const double dx = v.x - u.x, dy = v.y - u.y, square = dx * dx + dy * dy, scale = square > 0 ? 1 / square : 0;
      for (const Vec2 p : from.corner) {
        const double px = p.x - u.x, py = p.y - u.y;
        const double t = std::clamp((px * dx + py * dy) * scale, 0.0, 1.0), ex = px - t * dx, ey = py - t * dy;
        least = std::min(least, ex * ex + ey * ey);
      }
    }
  };
  corners_to_edges(a, b);
  corners_to_edges(b, a);
  return std::sqrt(least);
}

Polygon::Polygon(std::vector<Vec2> ring) : ring_(std::move(ring)) {
  if (ring_.size() < 3) throw Error("ERR_SCENARIO", "polygon: expected at least 3 vertices");
  for (const Vec2 p : ring_) bounds_.add(p);
  const std::size_t n = ring_.size();
  std::size_t bands = std::clamp<std::size_t>(n, 1, 1024);
  const double height = bounds_.max_y - bounds_.min_y;
  const auto band = [&](double y) {
    return std::min(bands - 1, static_cast<std::size_t>((y - bounds_.min_y) * band_scale_));
  };
  const auto bands_of = [&](std::size_t i) {
    return std::pair{band(std::min(ring_[i].y, edge_end(i).y)), band(std::max(ring_[i].y, edge_end(i).y))};
  };
  // Fewer bands where many edges span many of them, so that the memory grows with the vertices only.
  for (;; bands /= 2) {
    band_scale_ = height > 0 ? static_cast<double>(bands) / height : 0;
    if (!std::isfinite(band_scale_)) band_scale_ = 0;  // lower than 1e-305 m: all edges in one band
    std::size_t total = 0;
    for (std::size_t i = 0; i < n; ++i) {
      const auto [first, last] = bands_of(i);
      total += last - first + 1;
    }
    if (total <= kBandEdges * n || bands == 1) break;
  }
  const auto each = [&](auto&& f) {
    for (std::size_t i = 0; i < n; ++i) {
      const auto [first, last] = bands_of(i);
      for (std::size_t b = first; b <= last; ++b) f(b, static_cast<std::uint32_t>(i));
    }
  };
  band_start_.assign(bands + 1, 0);
  each([&](std::size_t b, std::uint32_t) { ++band_start_[b + 1]; });
  for (std::size_t b = 0; b < bands; ++b) band_start_[b + 1] += band_start_[b];
  band_edges_.resize(band_start_.back());
  std::vector<std::uint32_t> next(band_start_.begin(), band_start_.end() - 1);
  each([&](std::size_t b, std::uint32_t edge) { band_edges_[next[b]++] = edge; });
}

Side Polygon::locate(Vec2 p) const {
  if (!bounds_.contains(p)) return Side::outside;
  const std::size_t bands = band_start_.size() - 1;
  const std::size_t b = std::min(bands - 1, static_cast<std::size_t>((p.y - bounds_.min_y) * band_scale_));
  bool inside = false;
  for (std::uint32_t k = band_start_[b]; k < band_start_[b + 1]; ++k) {
    const Vec2 u = ring_[band_edges_[k]], v = edge_end(band_edges_[k]);
    const bool u_above = u.y > p.y, v_above = v.y > p.y;
    if (u_above == v_above) {
      // A vertex or a level edge at the height of p may still touch it.
      if (u.y != p.y && v.y != p.y) continue;
      if (u == p || v == p) return Side::boundary;
      if (u.y == p.y && v.y == p.y && (u.x < p.x) != (v.x < p.x)) return Side::boundary;
      continue;
    }
    if (u.x < p.x && v.x < p.x) continue;
    if (u.x > p.x && v.x > p.x) {
      inside = !inside;
      continue;
    }
    const int turn = orientation(u, v, p);
    if (turn == 0) return Side::boundary;
    if ((turn > 0) == v_above) inside = !inside;
  }
  return inside ? Side::inside : Side::outside;
}

Vec2 Polygon::centroid() const {
  const Vec2 o = ring_[0];
  double twice = 0, x = 0, y = 0;
  for (std::size_t i = 0; i < ring_.size(); ++i) {
    const Vec2 a{ring_[i].x - o.x, ring_[i].y - o.y}, b{edge_end(i).x - o.x, edge_end(i).y - o.y};
    const double cross = a.x * b.y - b.x * a.y;
    twice += cross;
    x += (a.x + b.x) * cross;
    y += (a.y + b.y) * cross;
  }
  if (twice == 0) return {(bounds_.min_x + bounds_.max_x) / 2, (bounds_.min_y + bounds_.max_y) / 2};
  return {o.x + x / (3 * twice), o.y + y / (3 * twice)};
}

bool intersects(const Polygon& polygon, const Quad& quad) {
  if (!polygon.bounds().overlaps(quad.bounds())) return false;
  for (const Vec2 p : quad.corner) {
    if (polygon.locate(p) != Side::outside) return true;
  }
  for (std::size_t i = 0; i < polygon.ring().size(); ++i) {
    if (intersects(quad, polygon.ring()[i], polygon.edge_end(i))) return true;
  }
  return false;
}

double distance(const Polygon& polygon, const Quad& quad) {
  if (intersects(polygon, quad)) return 0;
  double least = HUGE_VAL;
  for (std::size_t i = 0; i < polygon.ring().size(); ++i) {
    const Vec2 a = polygon.ring()[i], b = polygon.edge_end(i);
    for (int k = 0; k < 4; ++k) {
      least = std::min(least, distance_to_segment(a, b, quad.corner[k]));
      least = std::min(least, distance_to_segment(quad.corner[k], quad.corner[(k + 1) & 3], a));
    }
  }
  return least;
}

double intersection_area(const Polygon& a, const Polygon& b) {
  std::int64_t steps = kAreaSteps;
  return intersection_area(a, b, steps);
}

double intersection_area(const Polygon& a, const Polygon& b, std::int64_t& steps) {
  const auto spend = [&steps](std::size_t count) {
    steps -= static_cast<std::int64_t>(count) + 1;
    if (steps < 0) throw Error("ERR_SCENARIO", "polygons: their edges cross too often to tell how far they overlap");
  };
  spend(0);
  if (!a.bounds().overlaps(b.bounds())) return 0;
  // Both polygons reach over these heights; beyond them there is nothing in common.
  const double bottom = std::max(a.bounds().min_y, b.bounds().min_y);
  const double top = std::min(a.bounds().max_y, b.bounds().max_y);
  struct Edge {
    Vec2 u, v;
    double low, high;
    int of;
  };
  std::vector<Edge> edges;
  // Between two neighbouring heights of the list no edges meet: there the common area is made of trapezoids, and its
  // width at half height times the height is exact.
  std::vector<double> heights;
  const auto add_height = [&](double y) {
    if (y >= bottom && y <= top) heights.push_back(y);
  };
  for (int of = 0; of < 2; ++of) {
    const Polygon& polygon = of == 0 ? a : b;
    spend(polygon.ring().size());
    for (std::size_t i = 0; i < polygon.ring().size(); ++i) {
      const Vec2 u = polygon.ring()[i], v = polygon.edge_end(i);
      add_height(u.y);
      const Edge edge{u, v, std::min(u.y, v.y), std::max(u.y, v.y), of};
      if (edge.high >= bottom && edge.low <= top) edges.push_back(edge);
    }
  }
  std::sort(edges.begin(), edges.end(), [](const Edge& p, const Edge& q) { return p.low < q.low; });
  std::vector<Edge> active;  // edges that a sweep upwards has reached and not left
  for (const Edge& edge : edges) {
    std::erase_if(active, [&](const Edge& other) { return other.high < edge.low; });
    spend(active.size());
    const Vec2 u = edge.u, v = edge.v;
    for (const Edge& other : active) {
      const Vec2 s = other.u, t = other.v;
      if (!segments_intersect(u, v, s, t)) continue;
      const double cross = (v.x - u.x) * (t.y - s.y) - (v.y - u.y) * (t.x - s.x);
      if (cross == 0) continue;
      spend(kCrossingSteps);
      add_height(u.y + ((s.x - u.x) * (t.y - s.y) - (s.y - u.y) * (t.x - s.x)) / cross * (v.y - u.y));
    }
    active.push_back(edge);
  }
  std::sort(heights.begin(), heights.end());
  double area = 0;
  std::vector<std::pair<double, int>> crossings;
  active.clear();
  std::size_t next = 0;
  for (std::size_t i = 0; i + 1 < heights.size(); ++i) {
    const double low = heights[i], high = heights[i + 1], middle = (low + high) / 2;
    if (!(high > low)) continue;
    std::erase_if(active, [low](const Edge& edge) { return edge.high < low; });
    for (; next < edges.size() && edges[next].low <= high; ++next) active.push_back(edges[next]);
    spend(active.size());
    crossings.clear();
    for (const Edge& edge : active) {
      const Vec2 u = edge.u, v = edge.v;
      if ((u.y > middle) == (v.y > middle)) continue;
      crossings.emplace_back(u.x + (middle - u.y) / (v.y - u.y) * (v.x - u.x), edge.of);
    }
    std::sort(crossings.begin(), crossings.end());
    bool in[2] = {false, false};
    for (std::size_t k = 0; k + 1 < crossings.size(); ++k) {
      in[crossings[k].second] = !in[crossings[k].second];
      if (in[0] && in[1]) area += (crossings[k + 1].first - crossings[k].first) * (high - low);
    }
  }
  return area;
}

}  // namespace wam::sim
