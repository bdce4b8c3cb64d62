// The simulator's predicates against integers of 128 bits: equal without exception, however nasty the case.

#include "core/error.h"
#include "sim/geometry.h"
#include "test/sim_exact.h"
#include "test/test.h"

namespace wam::test {
namespace {

using namespace exact;
using sim::Quad;
using sim::Side;
using sim::Vec2;

/// Where a case lies, in metres: at the origin, in a UTM zone, and in between.
constexpr std::int64_t kPlaces[][2] = {{0, 0}, {600'000, 4'000'000}, {-300'000, 3'700'000}, {12, -7}};

Point place(Random& random) {
  const auto& at = kPlaces[random.integer(0, 3)];
  return {at[0] * kMetre, at[1] * kMetre};
}

/// A size from one unit (0.5 nm) to 200 m.
std::int64_t some_size(Random& random) { return std::int64_t{1} << random.integer(0, 38); }

/// Near the origin: on a coarse grid, where points coincide and lie in line, or anywhere.
Point some_point(Random& random, Point origin, std::int64_t size, bool coarse) {
  const auto number = [&] { return coarse ? random.integer(-4, 4) * (size / 4 + 1) : random.integer(-size, size); };
  return {origin.x + number(), origin.y + number()};
}

/// On the line through a and b as nearly as whole numbers allow, then moved by up to two units.
Point nearly_in_line(Random& random, Point a, Point b) {
  const long double t = random.real(-1, 2);
  const auto near = [&](std::int64_t u, std::int64_t v) {
    return u + static_cast<std::int64_t>(t * static_cast<long double>(v - u)) + random.integer(-2, 2);
  };
  return {near(a.x, b.x), near(a.y, b.y)};
}

/// Edges that cross each other, needles, repeated and collinear vertices: a ring of any kind.
Ring some_ring(Random& random, Point origin) {
  const std::int64_t size = some_size(random);
  const bool coarse = random.integer(0, 1) == 0;
  Ring ring;
  for (std::int64_t n = random.integer(3, 12); n > 0; --n) ring.push_back(some_point(random, origin, size, coarse));
  if (random.integer(0, 1) == 0) {
    const auto i = static_cast<std::size_t>(random.integer(0, std::ssize(ring) - 2));
    const Point a = ring[i], b = ring[i + 1];
    ring.insert(ring.begin() + static_cast<std::ptrdiff_t>(i) + 1, nearly_in_line(random, a, b));
  }
  return ring;
}

/// An exact rectangle at any angle, counter-clockwise.
Ring some_box(Random& random, Point origin) {
  const std::int64_t size = std::max<std::int64_t>(1, some_size(random) >> 8);
  const std::int64_t p = random.integer(-40, 40), q = p == 0 ? random.integer(1, 40) : random.integer(-40, 40);
  const std::int64_t length = random.integer(1, 4) * size, width = random.integer(1, 4) * size;
  const Point c = some_point(random, origin, 100 * size, random.integer(0, 1) == 0);
  const auto at = [&](std::int64_t l, std::int64_t w) {
    return Point{c.x + l * length * p - w * width * q, c.y + l * length * q + w * width * p};
  };
  return {at(1, 1), at(-1, 1), at(-1, -1), at(1, -1)};
}

Quad quad_of(const Ring& box) { return {{to_metres(box[0]), to_metres(box[1]), to_metres(box[2]), to_metres(box[3])}}; }

/// Moved so that a corner of it lies (almost) on a point.
Ring moved_to(Random& random, Ring box, Point target) {
  const Point corner = box[static_cast<std::size_t>(random.integer(0, 3))];
  const Point by{target.x - corner.x + random.integer(-1, 1), target.y - corner.y + random.integer(-1, 1)};
  for (Point& p : box) p.x += by.x, p.y += by.y;
  return box;
}

/// A vertex, a point (almost) on an edge, or one nearby.
Point point_about(Random& random, const Ring& ring) {
  const auto i = static_cast<std::size_t>(random.integer(0, std::ssize(ring) - 1));
  const Point a = ring[i], b = ring[(i + 1) % ring.size()];
  switch (random.integer(0, 4)) {
    case 0:
      return a;
    case 1:
      return {(a.x + b.x) / 2, (a.y + b.y) / 2};
    case 2:
      return {b.x, a.y};
    default:
      return nearly_in_line(random, a, b);
  }
}

}  // namespace

TEST(sim_turns_are_exact) {
  Random random(1);
  long straight = 0;
  for (int i = 0; i < 200'000; ++i) {
    const Point origin = place(random);
    const std::int64_t size = some_size(random);
    const Point a = some_point(random, origin, size, i % 3 == 0), b = some_point(random, origin, size, i % 3 == 0);
    const Point c = i % 2 == 0 ? nearly_in_line(random, a, b) : some_point(random, origin, size, i % 3 == 0);
    const int expected = turn(a, b, c);
    straight += expected == 0;
    CHECK_EQ(sim::orientation(to_metres(a), to_metres(b), to_metres(c)), expected);
    CHECK_EQ(sim::orientation(to_metres(b), to_metres(a), to_metres(c)), -expected);
  }
  CHECK(straight > 5'000);
}

TEST(sim_segments_meet_as_in_integers) {
  Random random(2);
  long met = 0;
  for (int i = 0; i < 100'000; ++i) {
    const Point origin = place(random);
    const std::int64_t size = some_size(random);
    const bool coarse = i % 2 == 0;
    const Point a = some_point(random, origin, size, coarse), b = some_point(random, origin, size, coarse);
    const Point c = i % 3 == 0 ? nearly_in_line(random, a, b) : some_point(random, origin, size, coarse);
    const Point d = i % 5 == 0 ? c : i % 7 == 0 ? a : some_point(random, origin, size, coarse);
    const bool expected = segments_meet(a, b, c, d);
    met += expected;
    CHECK_EQ(sim::segments_intersect(to_metres(a), to_metres(b), to_metres(c), to_metres(d)), expected);
  }
  CHECK(met > 20'000 && met < 80'000);
}

TEST(sim_polygons_hold_points_as_in_integers) {
  Random random(3);
  long seen[3] = {};
  for (int i = 0; i < 20'000; ++i) {
    const Ring ring = some_ring(random, place(random));
    const sim::Polygon polygon(to_metres(ring));
    for (int k = 0; k < 10; ++k) {
      const Point p = point_about(random, ring);
      const Side expected = locate(ring, p);
      ++seen[static_cast<int>(expected)];
      CHECK_EQ(static_cast<int>(polygon.locate(to_metres(p))), static_cast<int>(expected));
    }
  }
  for (const long count : seen) CHECK(count > 10'000);
}

TEST(sim_long_rings_hold_points_as_in_integers) {
  // More vertices than a polygon has bands; a comb has all its edges in all bands.
  Random random(4);
  for (const bool comb : {false, true}) {
    const Point origin = place(random);
    Ring ring;
    for (std::int64_t i = 0; i < 3000; ++i) {
      const std::int64_t x = i * kMetre / 16, y = comb ? (i % 2) * 50 * kMetre : random.integer(0, 20 * kMetre);
      ring.push_back({origin.x + x, origin.y + y});
    }
    ring.push_back({origin.x + 3000 * kMetre / 16, origin.y + 60 * kMetre});
    ring.push_back({origin.x, origin.y + 60 * kMetre});
    const sim::Polygon polygon(to_metres(ring));
    for (int k = 0; k < 1000; ++k) {
      const Point p =
          k % 2 == 0 ? point_about(random, ring)
                     : Point{origin.x + random.integer(0, 190 * kMetre), origin.y + random.integer(0, 60 * kMetre)};
      CHECK_EQ(static_cast<int>(polygon.locate(to_metres(p))), static_cast<int>(locate(ring, p)));
    }
  }
}

TEST(sim_boxes_meet_as_in_integers) {
  Random random(5);
  long met = 0, touched = 0;
  for (int i = 0; i < 100'000; ++i) {
    const Point origin = place(random);
    const Ring a = some_box(random, origin);
    Ring b = i % 4 == 0 ? a : some_box(random, origin);
    if (i % 2 == 0) b = moved_to(random, b, point_about(random, a));
    const bool expected = areas_meet(a, b);
    met += expected;
    CHECK_EQ(sim::intersects(quad_of(a), quad_of(b)), expected);
    CHECK_EQ(sim::intersects(quad_of(b), quad_of(a)), expected);
    CHECK_EQ(sim::distance(quad_of(a), quad_of(b)) == 0, expected);
    const Point p = point_about(random, a);
    const Side side = locate(a, p);
    touched += side == Side::boundary;
    CHECK_EQ(sim::covers(quad_of(a), to_metres(p)), side != Side::outside);
    const Point q =
        i % 3 == 0 ? nearly_in_line(random, a[0], a[3]) : some_point(random, origin, some_size(random), true);
    CHECK_EQ(sim::intersects(quad_of(a), to_metres(p), to_metres(q)), meets_segment(a, p, q));
  }
  CHECK(met > 30'000 && met < 90'000);
  CHECK(touched > 10'000);
}

TEST(sim_polygons_meet_boxes_as_in_integers) {
  Random random(6);
  long met = 0;
  for (int i = 0; i < 30'000; ++i) {
    const Point origin = place(random);
    const Ring ring = some_ring(random, origin);
    Ring box = some_box(random, origin);
    if (i % 4 != 0) box = moved_to(random, box, point_about(random, ring));
    const bool expected = areas_meet(ring, box);
    met += expected;
    const sim::Polygon polygon(to_metres(ring));
    CHECK_EQ(sim::intersects(polygon, quad_of(box)), expected);
    CHECK_EQ(sim::distance(polygon, quad_of(box)) == 0, expected);
  }
  CHECK(met > 5'000 && met < 25'000);
}

TEST(sim_distances_of_boxes_are_those_of_their_borders) {
  // Sampled finely: the least distance of samples is at most a step longer than that of the areas, and never shorter.
  Random random(7);
  for (int i = 0; i < 300; ++i) {
    const sim::Pose at{600'000 + random.real(-8, 8), 4'000'000 + random.real(-8, 8), random.real(-4, 4)};
    const Quad a = sim::box(at, random.real(0.3, 6), random.real(0.3, 3));
    const Quad b = sim::box({600'000, 4'000'000, random.real(-4, 4)}, random.real(0.3, 6), random.real(0.3, 3));
    const double d = sim::distance(a, b);
    if (d == 0) continue;
    constexpr int kSamples = 60;
    double least = HUGE_VAL;
    const auto border = [](const Quad& q, int k) {
      const Vec2 u = q.corner[k / kSamples], v = q.corner[(k / kSamples + 1) & 3];
      const double t = static_cast<double>(k % kSamples) / kSamples;
      return Vec2{u.x + t * (v.x - u.x), u.y + t * (v.y - u.y)};
    };
    for (int k = 0; k < 4 * kSamples; ++k) {
      for (int m = 0; m < 4 * kSamples; ++m) least = std::min(least, sim::distance(border(a, k), border(b, m)));
    }
    CHECK(least >= d - 1e-8 && least <= d + 0.11);
  }
}

TEST(sim_polygons_of_next_to_no_height_are_located) {
  // 1024 bands a 1e-306 m are more than a double holds.
  for (const double height : {0.0, 1e-307, 1e-306, 1e-305, 1e-300}) {
    std::vector<Vec2> ring;
    for (int i = 0; i <= 1000; ++i) ring.push_back({i * 1.0, 0});
    for (int i = 1000; i >= 0; --i) ring.push_back({i * 1.0, height});
    const sim::Polygon polygon(ring);
    CHECK_EQ(static_cast<int>(polygon.locate({5.5, 0})), static_cast<int>(Side::boundary));
    CHECK_EQ(static_cast<int>(polygon.locate({10, height})), static_cast<int>(Side::boundary));
    CHECK_EQ(static_cast<int>(polygon.locate({5, 1})), static_cast<int>(Side::outside));
    CHECK_EQ(static_cast<int>(polygon.locate({1001, 0})), static_cast<int>(Side::outside));
  }
}

TEST(sim_rings_of_two_points_are_refused) {
  CHECK_THROWS(sim::Polygon(std::vector<Vec2>{}), Error);
  CHECK_THROWS(sim::Polygon(std::vector<Vec2>{{0, 0}, {1, 1}}), Error);
}

TEST(sim_boxes_have_the_corners_that_their_heading_says) {
  const Quad north = sim::box({10, 20, sim::kPi / 2}, 4, 2);
  const Vec2 expected[] = {{9, 22}, {9, 18}, {11, 18}, {11, 22}};  // front left, rear left, rear right, front right
  for (int k = 0; k < 4; ++k) {
    CHECK_NEAR(north.corner[k].x, expected[k].x, 1e-12);
    CHECK_NEAR(north.corner[k].y, expected[k].y, 1e-12);
  }
  CHECK_NEAR(north.centroid().x, 10, 1e-12);
  CHECK_NEAR(north.centroid().y, 20, 1e-12);
}

TEST(sim_angles_are_wrapped_into_their_ranges) {
  Random random(8);
  for (int i = 0; i < 20'000; ++i) {
    const double angle = i < 200 ? (i - 100) * sim::kPi / 2 : random.real(-100, 100);
    const double a = sim::wrap_atan2(angle), b = sim::wrap_modulo(angle);
    CHECK(a >= -sim::kPi && a <= sim::kPi && b >= -sim::kPi && b <= sim::kPi);
    for (const double wrapped : {a, b}) {
      CHECK_NEAR(std::cos(wrapped), std::cos(angle), 1e-13);
      CHECK_NEAR(std::sin(wrapped), std::sin(angle), 1e-13);
    }
    const double before = random.real(-50, 50), unwrapped = sim::unwrapped(angle, before);
    CHECK(std::abs(unwrapped - before) <= sim::kPi + 1e-12);
    CHECK_NEAR(std::remainder(unwrapped - angle, 2 * sim::kPi), 0, 1e-12);
  }
}

}  // namespace wam::test
