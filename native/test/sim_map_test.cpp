// Areas, lines and corridors of the simulator against brute force.

#include <memory>

#include "core/error.h"
#include "sim/corridor.h"
#include "sim/path_corridor.h"
#include "sim/world_map.h"
#include "test/sim_exact.h"
#include "test/test.h"

namespace wam::test {
namespace {

using namespace exact;
using sim::Centerline;
using sim::Pose;
using sim::Side;
using sim::Vec2;

struct AreasOfMap {
  std::vector<Ring> rings;
  std::unique_ptr<sim::WorldMap> map;
};

/// Blocks, lanes, intersections and car parks of any shape, some far larger than others, some next to each other.
AreasOfMap some_map(Random& random, Point origin, std::int64_t extent) {
  AreasOfMap made;
  const auto ring = [&] {
    const std::int64_t size = std::max<std::int64_t>(1, extent >> random.integer(0, 6));
    const bool coarse = random.integer(0, 1) == 0;
    const auto number = [&](std::int64_t range) {
      return coarse ? random.integer(0, range / kMetre + 1) * kMetre : random.integer(0, range);
    };
    const Point at{origin.x + number(extent), origin.y + number(extent)};
    Ring points;
    for (std::int64_t n = random.integer(3, 9); n > 0; --n)
      points.push_back({at.x + number(size), at.y + number(size)});
    made.rings.push_back(points);
    return sim::Polygon(to_metres(points));
  };
  std::vector<sim::Roadblock> blocks(4);
  std::vector<sim::MapLane> lanes(8);
  for (int i = 0; i < 4; ++i) {
    blocks[static_cast<std::size_t>(i)].connector = i == 3;
    sim::Polygon polygon = ring();
    if (i == 3) made.rings.pop_back();  // a connector's block is no area
    blocks[static_cast<std::size_t>(i)].polygon = std::move(polygon);
    blocks[static_cast<std::size_t>(i)].lanes = {2 * i, 2 * i + 1};
  }
  for (int i = 0; i < 8; ++i) {
    sim::MapLane& lane = lanes[static_cast<std::size_t>(i)];
    lane.block = i / 2;
    lane.connector = i >= 6;
    lane.polygon = ring();
    lane.baseline = {{0, 0, 0}, {1, 0, 0}};
  }
  std::vector<sim::Polygon> intersections{ring(), ring()}, carparks{ring()};
  made.map = std::make_unique<sim::WorldMap>(std::move(blocks), std::move(lanes), std::move(intersections),
                                             std::move(carparks));
  return made;
}

double brute_distance(const std::vector<Pose>& line, Vec2 p, double& progress) {
  long double best = HUGE_VALL, before = 0;
  for (std::size_t i = 0; i + 1 < line.size(); ++i) {
    const long double dx = static_cast<long double>(line[i + 1].x) - line[i].x;
    const long double dy = static_cast<long double>(line[i + 1].y) - line[i].y, length = std::sqrt(dx * dx + dy * dy);
    const long double px = static_cast<long double>(p.x) - line[i].x, py = static_cast<long double>(p.y) - line[i].y;
    const long double along = length > 0 ? std::clamp((px * dx + py * dy) / length, 0.0L, length) : 0.0L;
    const long double ex = px - (length > 0 ? along / length * dx : 0),
                      ey = py - (length > 0 ? along / length * dy : 0);
    const long double d = std::sqrt(ex * ex + ey * ey);
    if (d < best) {
      best = d;
      progress = static_cast<double>(before + along);
    }
    before += length;
  }
  return static_cast<double>(best);
}

/// A line that turns smoothly or sharply, with repeated points.
std::vector<Pose> some_line(Random& random, Vec2 origin, int points, double step, double bend) {
  std::vector<Pose> line;
  Pose p{origin.x, origin.y, random.real(-3, 3)};
  for (int i = 0; i < points; ++i) {
    line.push_back(p);
    if (random.integer(0, 9) == 0) continue;
    p.heading += random.real(-bend, bend);
    const double d = step * random.real(0.5, 1.5);
    p.x += d * std::cos(p.heading);
    p.y += d * std::sin(p.heading);
  }
  return line;
}

double area_of(const std::vector<Vec2>& a, const std::vector<Vec2>& b) {
  return sim::intersection_area(sim::Polygon(a), sim::Polygon(b));
}

}  // namespace

TEST(sim_map_index_tells_the_areas_that_brute_force_tells) {
  Random random(11);
  const Point places[] = {{0, 0}, {600'000 * kMetre, 4'000'000 * kMetre}, {-500'000 * kMetre, 3'999'999 * kMetre + 77}};
  long held = 0;
  for (int i = 0; i < 400; ++i) {
    const Point origin = places[i % 3];
    // From less than a cell of the index to cells of several metres.
    const std::int64_t extent = i % 7 == 0 ? kMetre / 4 : i % 11 == 0 ? 4000 * kMetre : 60 * kMetre;
    const AreasOfMap made = some_map(random, origin, extent);
    const auto check = [&](Point p) {
      std::vector<int> found;
      made.map->areas_at(to_metres(p), [&](int area) { found.push_back(area); });
      std::sort(found.begin(), found.end());
      std::vector<int> expected;
      for (std::size_t a = 0; a < made.rings.size(); ++a) {
        if (locate(made.rings[a], p) == Side::inside) expected.push_back(static_cast<int>(a));
      }
      held += std::ssize(expected);
      CHECK(found == expected);
    };
    // The index begins at the least coordinates: so do the borders of its cells.
    std::int64_t west = std::numeric_limits<std::int64_t>::max();
    for (const Ring& ring : made.rings) {
      for (const Point p : ring) west = std::min(west, p.x);
    }
    for (int k = 0; k < 100; ++k) {
      const Ring& ring = made.rings[static_cast<std::size_t>(random.integer(0, std::ssize(made.rings) - 1))];
      const auto v = static_cast<std::size_t>(random.integer(0, std::ssize(ring) - 1));
      const Point a = ring[v], b = ring[(v + 1) % ring.size()];
      check(a);
      check({(a.x + b.x) / 2 + random.integer(-1, 1), (a.y + b.y) / 2 + random.integer(-1, 1)});
      check({west + random.integer(0, extent / kMetre + 1) * kMetre + random.integer(-1, 1), a.y});
      check({origin.x + random.integer(-extent / 8, 2 * extent), origin.y + random.integer(-extent / 8, 2 * extent)});
    }
  }
  CHECK(held > 10'000);
}

TEST(sim_map_refuses_indices_and_coordinates_out_of_range) {
  const sim::Polygon square({{0, 0}, {1, 0}, {1, 1}, {0, 1}});
  const auto make = [&](auto&& change) {
    std::vector<sim::Roadblock> blocks(1);
    std::vector<sim::MapLane> lanes(1);
    blocks[0].polygon = lanes[0].polygon = square;
    blocks[0].lanes = {0};
    lanes[0].baseline = {{0, 0, 0}, {1, 0, 0}};
    change(blocks[0], lanes[0]);
    return sim::WorldMap(blocks, lanes, {}, {}).areas().size();
  };
  CHECK_EQ(make([](auto&, auto&) {}), std::size_t{2});
  CHECK_THROWS(make([](auto& block, auto&) { block.lanes = {1}; }), Error);
  CHECK_THROWS(make([](auto& block, auto&) { block.outgoing = {-1}; }), Error);
  CHECK_THROWS(make([](auto& block, auto&) { block.incoming = {1}; }), Error);
  CHECK_THROWS(make([](auto&, auto& lane) { lane.block = 1; }), Error);
  CHECK_THROWS(make([](auto&, auto& lane) { lane.incoming = {7}; }), Error);
  CHECK_THROWS(make([](auto&, auto& lane) { lane.outgoing = {-3}; }), Error);
  CHECK_THROWS(make([](auto&, auto& lane) { lane.baseline.pop_back(); }), Error);
  CHECK_THROWS(make([](auto&, auto& lane) { lane.baseline[0].heading = NAN; }), Error);
  CHECK_THROWS(make([](auto&, auto& lane) { lane.baseline[0].x = 2e8; }), Error);
  CHECK_THROWS(make([](auto&, auto& lane) { lane.polygon = sim::Polygon({{0, 0}, {1, 0}, {HUGE_VAL, 1}}); }), Error);
}

TEST(sim_nearest_points_of_a_line_are_those_of_all_its_segments) {
  Random random(12);
  for (int i = 0; i < 300; ++i) {
    const Vec2 origin = i % 2 == 0 ? Vec2{0, 0} : Vec2{600'000, 4'000'000};
    const std::vector<Pose> poses = some_line(random, origin, static_cast<int>(random.integer(2, 90)), 2, i % 3);
    const Centerline line(poses);
    for (int k = 0; k < 30; ++k) {
      const Pose& at = poses[static_cast<std::size_t>(random.integer(0, std::ssize(poses) - 1))];
      const Vec2 p{at.x + random.real(-9, 9), at.y + random.real(-9, 9)};
      double progress = 0;
      const double d = brute_distance(poses, p, progress);
      const Centerline::Nearest found = line.nearest(p);
      CHECK_NEAR(found.distance, d, 2e-8);
      // Where two places are equally near, either will do: the one found must be as near as it says.
      if (std::abs(found.progress - progress) > 1e-6) {
        const Pose there = line.at(found.progress);
        CHECK_NEAR(sim::distance(Vec2{there.x, there.y}, p), d, 1e-4);
      }
      auto guess = static_cast<std::size_t>(random.integer(0, 100));
      const Centerline::Nearest guessed = line.nearest(p, guess);
      CHECK_NEAR(guessed.distance, found.distance, 2e-8);
      const Centerline::Nearest again = line.nearest(p, guess);
      CHECK_EQ(again.progress, guessed.progress);
    }
  }
}

TEST(sim_nearest_points_of_equal_distance_are_the_first) {
  // There and back: each place comes twice.
  std::vector<Pose> poses;
  for (int i = 0; i <= 40; ++i) poses.push_back({static_cast<double>(i), 0, 0});
  for (int i = 40; i >= 0; --i) poses.push_back({static_cast<double>(i), 0, sim::kPi});
  const Centerline line(poses);
  for (int i = 0; i <= 80; ++i) {
    const double x = i / 2.0;
    for (std::size_t guess : {0, 20, 45, 79}) CHECK_EQ(line.nearest({x, 3}, guess).progress, x);
  }
}

TEST(sim_poses_along_a_line_lie_at_their_arc_length) {
  Random random(13);
  for (int i = 0; i < 100; ++i) {
    const std::vector<Pose> poses = some_line(random, {6e5, 4e6}, 40, 2, 0.3);
    const Centerline line(poses);
    double walked = 0, before = 0;
    Pose last = line.at(0);
    for (int k = 1; k <= 4000; ++k) {
      const double progress = line.length() * k / 4000;
      const Pose p = line.at(progress);
      walked += sim::distance(Vec2{p.x, p.y}, Vec2{last.x, last.y});
      CHECK(std::abs(sim::wrap_atan2(p.heading - last.heading)) < 0.7);
      last = p;
      before = progress;
    }
    // Chords across 39 bends of up to 0.3 rad are a little shorter than the line.
    CHECK_NEAR(walked, before, 0.01);
    CHECK_NEAR(last.x, poses.back().x, 1e-8);
    CHECK_NEAR(last.y, poses.back().y, 1e-8);
    const Pose beyond = line.at(line.length() + 5);
    CHECK_EQ(beyond.x, last.x);
    CHECK_EQ(beyond.y, last.y);
  }
}

TEST(sim_stretches_of_a_path_are_the_corridors_of_its_cut_lines) {
  Random random(17);
  constexpr double kHalf = 1.1;
  long met = 0, cases = 0;
  for (int i = 0; i < 200; ++i) {
    const Centerline path(some_line(random, {0, 0}, 12, 4, i % 3 == 0 ? 1.2 : 0.3));
    const sim::PathCorridor corridor(path, kHalf);
    // The line from one arc length to another, cut by hand.
    const auto cut = [&path](double from, double to) {
      const auto& poses = path.poses();
      const auto& arc = path.progress();
      std::vector<Vec2> line;
      const auto add_cut = [&](double at) {
        for (std::size_t k = 0; k + 1 < poses.size(); ++k) {
          if (!(arc[k] <= at && at <= arc[k + 1] && arc[k] < arc[k + 1])) continue;
          const double t = (at - arc[k]) / (arc[k + 1] - arc[k]);
          line.push_back(
              {poses[k].x + t * (poses[k + 1].x - poses[k].x), poses[k].y + t * (poses[k + 1].y - poses[k].y)});
          return;
        }
      };
      add_cut(from);
      for (std::size_t k = 0; k < poses.size(); ++k) {
        if (arc[k] > from && arc[k] < to) line.push_back({poses[k].x, poses[k].y});
      }
      add_cut(to);
      return line;
    };
    const double from = random.real(0, path.length()), to = random.real(from, path.length());
    sim::Corridor stretch, rest, expected_stretch, expected_rest;
    corridor.stretch(from, to, stretch);
    expected_stretch.set(cut(from, to), kHalf, sim::Cap::flat);
    expected_rest.set(cut(from, path.length()), kHalf, sim::Cap::flat);
    for (int k = 0; k < 20; ++k) {
      const Pose& near = path.poses()[static_cast<std::size_t>(random.integer(0, std::ssize(path.poses()) - 1))];
      const Pose at{near.x + random.real(-4, 4), near.y + random.real(-4, 4), random.real(-3, 3)};
      const sim::Quad box = sim::box(at, random.real(0.2, 2), random.real(0.2, 1));
      sim::Corridor area;
      area.add(box);
      CHECK_EQ(corridor.rest_meets(from, area), expected_rest.meets(box));
      CHECK_EQ(stretch.meets(box), expected_stretch.meets(box));
      CHECK_NEAR(stretch.distance_to(area), expected_stretch.distance_to(area), 1e-9);
      ++cases;
      met += expected_rest.meets(box);
    }
  }
  CHECK(met > cases / 10 && met < cases * 9 / 10);
}

TEST(sim_corridors_reach_as_far_as_their_width) {
  // A point is in when it is within the width of a segment beside it, or of a bend. Arcs are cut by their chords.
  Random random(14);
  constexpr double kHalf = 1.2, kArc = 1.5e-3 * kHalf, kGrid = 0.04;
  long met = 0, cases = 0;
  for (int i = 0; i < 150; ++i) {
    const sim::Cap cap = i % 2 == 0 ? sim::Cap::flat : sim::Cap::square;
    std::vector<Pose> poses = some_line(random, {0, 0}, 8, 4, i % 3 == 0 ? 1.5 : 0.4);
    std::vector<Vec2> line;
    for (const Pose& p : poses) line.push_back({p.x, p.y});
    sim::Corridor corridor;
    corridor.set(line, kHalf, cap);
    line.erase(std::unique(line.begin(), line.end()), line.end());
    if (line.size() < 2) continue;
    const double beyond = cap == sim::Cap::square ? kHalf : 0;
    const auto holds = [&](Vec2 p, double slack) {
      for (std::size_t k = 0; k + 1 < line.size(); ++k) {
        const double dx = line[k + 1].x - line[k].x, dy = line[k + 1].y - line[k].y,
                     length = std::sqrt(dx * dx + dy * dy);
        const double along = ((p.x - line[k].x) * dx + (p.y - line[k].y) * dy) / length;
        const double across = std::abs((p.x - line[k].x) * dy - (p.y - line[k].y) * dx) / length;
        const double from = k == 0 ? -beyond : 0, to = k + 2 == line.size() ? length + beyond : length;
        if (along >= from - slack && along <= to + slack && across <= kHalf + slack) return true;
        if (k > 0 && sim::distance(line[k], p) <= kHalf + slack) return true;
      }
      return false;
    };
    for (int k = 0; k < 20; ++k) {
      const Vec2 at = line[static_cast<std::size_t>(random.integer(0, std::ssize(line) - 1))];
      const double length = random.real(0.2, 2), width = random.real(0.2, 1), heading = random.real(-3, 3);
      const double x = at.x + random.real(-4, 4), y = at.y + random.real(-4, 4);
      const sim::Quad box = sim::box({x, y, heading}, length, width);
      bool inside = false, near = false;
      for (double u = -length / 2; u <= length / 2 + 1e-9; u += std::min(kGrid, length)) {
        for (double v = -width / 2; v <= width / 2 + 1e-9; v += std::min(kGrid, width)) {
          const Vec2 p{x + u * std::cos(heading) - v * std::sin(heading),
                       y + u * std::sin(heading) + v * std::cos(heading)};
          inside = inside || holds(p, -kArc);
          near = near || holds(p, kGrid);
        }
      }
      ++cases;
      met += inside;
      const bool meets = corridor.meets(box);
      CHECK(!inside || meets);
      CHECK(near || !meets);
      const std::vector<Vec2> ring(box.corner, box.corner + 4);
      CHECK_EQ(corridor.meets(sim::Polygon(ring)), meets);
      sim::Corridor other;
      other.add(box);
      CHECK_EQ(corridor.distance_to(other) == 0, meets);
    }
  }
  CHECK(met > cases / 5 && met < cases * 4 / 5);
}

TEST(sim_common_areas_of_known_shapes) {
  const std::vector<Vec2> square{{0, 0}, {10, 0}, {10, 10}, {0, 10}};
  const auto moved = [](std::vector<Vec2> ring, double dx, double dy) {
    for (Vec2& p : ring) p.x += dx, p.y += dy;
    return ring;
  };
  for (const double east : {0.0, 6e5}) {
    for (const double north : {0.0, 4e6}) {
      const auto a = moved(square, east, north);
      CHECK_NEAR(area_of(a, a), 100, 1e-6);
      CHECK_NEAR(area_of(a, moved(a, 3, 4)), 42, 1e-6);
      CHECK_NEAR(area_of(a, moved(a, 10, 0)), 0, 1e-6);
      CHECK_NEAR(area_of(a, moved(a, 11, 0)), 0, 0);
      CHECK_NEAR(area_of(a, moved({{2, 2}, {4, 2}, {4, 4}, {2, 4}}, east, north)), 4, 1e-6);
      CHECK_NEAR(area_of(a, moved({{5, -5}, {15, 5}, {5, 15}, {-5, 5}}, east, north)), 100, 1e-6);
      CHECK_NEAR(area_of(a, moved({{0, 0}, {10, 10}, {0, 10}}, east, north)), 50, 1e-6);
      // A bow tie: two triangles of 25 m^2 by the even-odd rule.
      CHECK_NEAR(area_of(a, moved({{0, 0}, {10, 10}, {10, 0}, {0, 10}}, east, north)), 50, 1e-6);
    }
  }
}

TEST(sim_common_areas_are_those_that_samples_find) {
  Random random(15);
  for (int i = 0; i < 60; ++i) {
    const auto ring = [&] {
      std::vector<Vec2> points;
      for (std::int64_t n = random.integer(3, 8); n > 0; --n)
        points.push_back({random.real(0, 10), random.real(0, 10)});
      return points;
    };
    const sim::Polygon a(ring()), b(ring());
    constexpr int kSide = 250;
    long both = 0;
    for (int x = 0; x < kSide; ++x) {
      for (int y = 0; y < kSide; ++y) {
        const Vec2 p{(x + 0.5) * 10 / kSide, (y + 0.5) * 10 / kSide};
        both += a.contains(p) && b.contains(p);
      }
    }
    CHECK_NEAR(sim::intersection_area(a, b), static_cast<double>(both) * 100 / (kSide * kSide), 0.35);
    CHECK_NEAR(sim::intersection_area(b, a), sim::intersection_area(a, b), 1e-9);
  }
}

}  // namespace wam::test
