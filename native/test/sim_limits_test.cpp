// Maps and scenes made to cost much: what comes out stays right, and memory and work stay within bounds that their size
// sets; what is beyond the limits is refused.

#include <string>

#include "core/error.h"
#include "sim/reactive.h"
#include "sim/route.h"
#include "test/sim_exact.h"
#include "test/sim_scenes.h"
#include "test/test.h"

namespace wam::test {
namespace {

using exact::Random;
using sim::Polygon;
using sim::Vec2;

std::size_t at(int i) { return static_cast<std::size_t>(i); }

/// `teeth` triangles of 1 m at the base and `height` metres, side by side along +x from x = 0, on a strip 1 m high.
std::vector<Vec2> comb(int teeth, double height) {
  std::vector<Vec2> ring{{0, -1}, {static_cast<double>(teeth), -1}};
  for (int i = teeth; i-- > 0;) {
    ring.push_back({i + 1.0, 0});
    ring.push_back({i + 0.5, height});
  }
  ring.push_back({0, 0});
  return ring;
}

/// What an error of this code says; empty when `f` throws none, its code when it throws another.
template <class F>
std::string refusal(const char* code, F&& f) {
  try {
    f();
  } catch (const Error& error) {
    return error.code() == std::string(code) ? error.what() : error.code();
  }
  return {};
}

bool names(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

/// A block for each of `polygons`, of one lane with a straight baseline.
struct Parts {
  std::vector<sim::Roadblock> blocks;
  std::vector<sim::MapLane> lanes;

  int add(const Polygon& polygon, bool connector = false) {
    const int index = static_cast<int>(blocks.size());
    sim::Roadblock block;
    block.connector = connector;
    block.polygon = polygon;
    block.lanes = {index};
    sim::MapLane lane;
    lane.block = index;
    lane.connector = connector;
    lane.polygon = polygon;
    const sim::Bounds& b = polygon.bounds();
    lane.baseline = {{b.min_x, (b.min_y + b.max_y) / 2, 0}, {b.max_x, (b.min_y + b.max_y) / 2, 0}};
    blocks.push_back(std::move(block));
    lanes.push_back(std::move(lane));
    return index;
  }
  void link(int from, int to) {
    blocks[at(from)].outgoing.push_back(to);
    blocks[at(to)].incoming.push_back(from);
    lanes[at(from)].outgoing.push_back(to);
    lanes[at(to)].incoming.push_back(from);
  }
  std::shared_ptr<const sim::WorldMap> map() {
    return std::make_shared<const sim::WorldMap>(std::move(blocks), std::move(lanes), std::vector<Polygon>{},
                                                 std::vector<Polygon>{});
  }
};

}  // namespace

TEST(sim_limits_a_zigzag_of_100000_vertices_takes_linear_memory) {
  constexpr int kTeeth = 50'000;
  const Polygon polygon(comb(kTeeth, 1000));
  CHECK(polygon.ring().size() == 2 * kTeeth + 3);
  // A vertex is 16 bytes; with bands a fixed number whatever its edges span, here 4 bytes for each of 16.
  CHECK(polygon.bytes() <= polygon.ring().size() * (16 + 16 * 4 + 8));
  Random random(3);
  for (int i = 0; i < 200; ++i) {
    const int tooth = static_cast<int>(random.integer(0, kTeeth - 1));
    const double y = random.real(1, 999), half = 0.5 * (1 - y / 1000);
    CHECK(polygon.contains({tooth + 0.5 + 0.9 * half * random.real(-1, 1), y}));
    CHECK(!polygon.contains({tooth + 0.5 - half - 0.5 * (0.5 - half), y}));
  }
}

TEST(sim_limits_lanes_that_all_cover_the_map_share_few_cells) {
  constexpr int kLanes = 2000;
  Parts parts;
  for (int i = 0; i < kLanes; ++i) parts.add(Polygon(rectangle(-0.01 * i, -0.01 * i, 400, 400)));
  const auto map = parts.map();
  // 160,000 cells of a metre would hold 640 million pairs.
  CHECK(map->index_bytes() <= 4 * ((std::size_t{1} << 22) + (std::size_t{1} << 18) + 200'000));
  const auto count_at = [&map](Vec2 p) {
    int count = 0;
    map->areas_at(p, [&count](int) { ++count; });
    return count;
  };
  CHECK_EQ(count_at({100, 100}), 2 * kLanes);
  CHECK_EQ(count_at({-0.005 - 0.01 * 100, 100}), 2 * (kLanes - 101));
  CHECK_EQ(count_at({100, 400.5}), 0);
}

TEST(sim_limits_common_areas_of_combs_are_exact) {
  // Teeth of one comb against the same teeth upside down: a tooth of either is a triangle whose halves meet at half
  // height, so that they have a rhombus in common.
  constexpr int kTeeth = 1000;
  const double height = 8;
  std::vector<Vec2> ring = comb(kTeeth, height), flipped = ring;
  for (Vec2& p : flipped) p.y = height - p.y;
  const Polygon a(ring), b(flipped);
  // Width at y: min(1 - y / h, y / h) a tooth; its integral is h / 4.
  CHECK_NEAR(sim::intersection_area(a, b), kTeeth * height / 4, 1e-6);
  CHECK_NEAR(sim::intersection_area(b, a), kTeeth * height / 4, 1e-6);
  CHECK_NEAR(sim::intersection_area(a, a), kTeeth * (1 + height / 2), 1e-6);

  std::int64_t few = 1000;
  CHECK(names(refusal("ERR_SCENARIO", [&] { sim::intersection_area(a, b, few); }), "cross too often"));
  // What lies apart costs next to nothing.
  std::int64_t steps = 1000;
  std::vector<Vec2> far = ring;
  for (Vec2& p : far) p.y += 100;
  CHECK_EQ(sim::intersection_area(a, Polygon(far), steps), 0.0);
  CHECK(steps > 990);
}

TEST(sim_limits_zigzags_across_each_other_are_refused) {
  // 1500 and 1500 long edges, each crossing each of the other ring: over two million crossings.
  std::vector<Vec2> upright = comb(750, 2000), lying;
  for (Vec2& p : upright) p.y -= 600;
  for (const Vec2 p : upright) lying.push_back({p.y, p.x});
  const Polygon a(upright), b(lying);
  CHECK(names(refusal("ERR_SCENARIO", [&] { sim::intersection_area(a, b); }), "cross too often"));
}

TEST(sim_limits_maps_beyond_their_limits_are_refused) {
  const Polygon square(rectangle(0, 0, 1, 1));
  Parts crowded;
  for (std::size_t i = 0; i <= sim::WorldMap::kMaxAreas; ++i) crowded.add(square);
  CHECK(names(refusal("ERR_SCENARIO", [&] { crowded.map(); }), "at most 100000 roadblocks, received 100001"));

  Parts linked;
  linked.add(square);
  linked.blocks[0].outgoing.assign(sim::WorldMap::kMaxLinks + 1, 0);
  CHECK(names(refusal("ERR_SCENARIO", [&] { linked.map(); }), "links"));

  Parts detailed;
  detailed.add(square);
  detailed.lanes[0].baseline.resize(sim::WorldMap::kMaxMapPoints);  // the vertices come on top
  CHECK(names(refusal("ERR_SCENARIO", [&] { detailed.map(); }), "at most 8000000 vertices"));

  Parts shared;
  shared.add(square);
  shared.add(square);
  shared.blocks[0].lanes = {0, 1};
  CHECK(names(refusal("ERR_SCENARIO", [&] { shared.map(); }), "each lane in one roadblock"));
}

TEST(sim_limits_gaps_of_a_route_over_a_dense_graph_are_searched_once_a_block) {
  // Layers of 30 blocks, each linked to all of the next: 30^28 ways from the first to the last but one.
  constexpr int kLayers = 30, kWide = 30;
  Parts parts;
  for (int l = 0; l < kLayers; ++l) {
    for (int k = 0; k < kWide; ++k) parts.add(Polygon(rectangle(20.0 * l, 5.0 * k, 20, 5)));
  }
  for (int l = 0; l + 1 < kLayers; ++l) {
    for (int k = 0; k < kWide; ++k) {
      for (int m = 0; m < kWide; ++m) parts.link(l * kWide + k, (l + 1) * kWide + m);
    }
  }
  sim::Scene scene;
  scene.map = parts.map();
  scene.ego.x = 10;
  scene.ego.y = 2.5;
  // Of several ways the last one found counts: over the last block of each layer.
  scene.route = {0, (kLayers - 2) * kWide + 7};
  std::vector<int> expected{0};
  for (int l = 1; l < kLayers - 2; ++l) expected.push_back(l * kWide + kWide - 1);
  expected.push_back(scene.route[1]);
  CHECK(sim::correct_route(scene) == expected);
  // As many gaps as a route can have, none of which has a way: blocks of one layer.
  scene.route.clear();
  for (std::size_t i = 0; i < sim::kMaxRouteBlocks; ++i) scene.route.push_back(static_cast<int>(i % 2));
  CHECK((sim::correct_route(scene) == std::vector<int>{0, 1}));
  CHECK((sim::plan_route(scene).lane_path == std::vector<int>{0}));
}

TEST(sim_limits_the_cheapest_of_many_lanes_is_driven) {
  // From one lane to 9,000 of different lengths, all allowed, and on to one: the shortest, the first of the equal ones.
  constexpr int kBetween = 9000, kShortest = 4321;
  Parts parts;
  const int first = parts.add(Polygon(rectangle(0, 0, 20, 5)));
  std::vector<int> between;
  for (int i = 0; i < kBetween; ++i) {
    const double length = i == kShortest || i == kShortest + 5 ? 30 : 40 + i % 7;
    between.push_back(parts.add(Polygon(rectangle(20, 10.0 * i, length, 5))));
  }
  const int last = parts.add(Polygon(rectangle(60, 0, 20, 5)));
  // All between are one block's, so that the route holds them all.
  auto& block = parts.blocks[at(between[0])];
  for (const int lane : between) {
    parts.blocks[at(lane)].lanes.clear();
    parts.lanes[at(lane)].block = between[0];
    parts.lanes[at(first)].outgoing.push_back(lane);
    parts.lanes[at(lane)].outgoing.push_back(last);
  }
  block.lanes = between;
  parts.blocks[at(first)].outgoing = {between[0]};
  block.incoming = {first};
  block.outgoing = {last};
  parts.blocks[at(last)].incoming = {between[0]};
  sim::Scene scene;
  scene.map = parts.map();
  scene.ego.x = 10;
  scene.ego.y = 2.5;
  scene.route = {first, between[0], last};
  const std::vector<int> expected{first, between[kShortest], last};
  CHECK(sim::plan_route(scene).lane_path == expected);
}

TEST(sim_limits_ten_thousand_objects_are_scored) {
  sim::Scene scene = straight_scene(10);
  Random random(8);
  for (int i = 0; i < 10'000; ++i) {
    // Beside the road, on either side.
    const double left = random.real(20, 200) * (i % 2 == 0 ? 1 : -1);
    scene.objects.push_back(moving_object(scene, random.real(-100, 200), left, random.real(0, 10), 0));
  }
  sim::Scorer scorer(scene, sim::Version::v2, sim::Traffic::replay);
  const std::vector<double> plan = steady_plan(10);
  sim::TrajectoryScore free, hit;
  scorer.score(plan.data(), 1, 8, 0.5, &free, nullptr);
  CHECK_EQ(free.verdict.collision, 1.0);
  scene.objects.push_back(moving_object(scene, 20, 0, 0, 0));
  sim::Scorer(scene, sim::Version::v2, sim::Traffic::replay).score(plan.data(), 1, 8, 0.5, &hit, nullptr);
  CHECK_EQ(hit.verdict.collision, 0.0);
  CHECK_EQ(hit.verdict.collision_at.object, 10'000);
}

TEST(sim_limits_scenes_beyond_their_limits_are_refused) {
  const auto scored = [](const sim::Scene& scene, sim::Traffic traffic) {
    sim::Scorer(scene, sim::Version::v2, traffic);
  };
  sim::Scene crowd = straight_scene(10);
  sim::SceneObject cone = moving_object(crowd, 50, 100, 0, 0, sim::ObjectType::traffic_cone);
  cone.samples.resize(1);
  crowd.objects.assign(1'000'000, cone);
  CHECK(
      names(refusal("ERR_SCENARIO", [&] { scored(crowd, sim::Traffic::replay); }), "at most 20000 of them, received"));

  sim::Scene endless = straight_scene(10);
  endless.route.assign(sim::kMaxRouteBlocks + 1, 1);
  CHECK(names(refusal("ERR_SCENARIO", [&] { scored(endless, sim::Traffic::replay); }), "route: expected at most 1000"));

  sim::Scene jam = straight_scene(10);
  for (std::size_t i = 0; i < sim::ReactiveTraffic::kMaxVehicles; ++i) {
    jam.objects.push_back(moving_object(jam, 5.0 * static_cast<double>(i), 50, 0, 0));
  }
  scored(jam, sim::Traffic::reactive);
  jam.objects.push_back(moving_object(jam, 0, 60, 0, 0));
  CHECK(names(refusal("ERR_RANGE", [&] { scored(jam, sim::Traffic::reactive); }), "at most 1000 vehicles"));
  scored(jam, sim::Traffic::replay);
}

TEST(sim_limits_vehicles_on_lanes_of_many_points_are_refused_in_reactive_traffic) {
  // A lane of 20,000 points, and a vehicle on it every 20 m: 26 of them would follow 520,000 points.
  Parts parts;
  const int lane = parts.add(Polygon(rectangle(0, 0, 1000, 5)));
  parts.lanes[at(lane)].baseline.clear();
  for (int i = 0; i < 20'000; ++i) parts.lanes[at(lane)].baseline.push_back({0.05 * i, 2.5, 0});
  sim::Scene scene;
  scene.map = parts.map();
  scene.route = {lane};
  scene.ego.x = 10;
  scene.ego.y = 2.5;
  for (int i = 0; i < 25; ++i) scene.objects.push_back(moving_object(scene, 30 + 20 * i, 0, 0, 0));
  sim::Scorer(scene, sim::Version::v2, sim::Traffic::reactive);
  scene.objects.push_back(moving_object(scene, 30 + 20 * 25, 0, 0, 0));
  const std::string message =
      refusal("ERR_RANGE", [&] { sim::Scorer(scene, sim::Version::v2, sim::Traffic::reactive); });
  CHECK(names(message, "at most 500000 points"));
}

}  // namespace wam::test
