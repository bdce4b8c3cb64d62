#include "binding/sim_packing.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "binding/fields.h"

namespace wam::binding {
namespace {

constexpr double kLargest = 1e8;  // metres; WorldMap and Scene refuse more too, but only after polygons were built
constexpr int kStateFields = sim::kStateSize;

[[noreturn]] void bad_shape(const std::string& path, const std::string& expected) {
  throw Error("ERR_SHAPE", path + ": expected " + expected);
}

/// Rows of `width` finite numbers, flat.
class Rows {
 public:
  Rows(const Fields& fields, const char* name, std::size_t width)
      : values_(fields.array_of<double>(name)), width_(width) {
    if (values_.size() % width != 0) bad_shape(fields.path(name), "rows of " + std::to_string(width));
    for (const double value : values_) {
      if (!(std::abs(value) <= 1e18)) throw Error("ERR_NOT_FINITE", fields.path(name) + ": expected finite numbers");
    }
  }
  std::size_t size() const { return values_.size() / width_; }
  const double* operator[](std::size_t i) const { return values_.data() + i * width_; }

 private:
  std::span<double> values_;
  std::size_t width_;
};

/// Where each of `count` lists begins in an array of `total` items: count + 1 ascending numbers from 0 to `total`.
std::span<const std::int32_t> read_starts(const Fields& fields, const char* name, std::size_t count,
                                          std::size_t total) {
  const std::span<const std::int32_t> starts = fields.array_of<std::int32_t>(name);
  if (starts.size() != count + 1) bad_shape(fields.path(name), std::to_string(count + 1) + " numbers");
  if (starts[0] != 0 || !std::is_sorted(starts.begin(), starts.end()) ||
      static_cast<std::size_t>(starts[count]) != total) {
    bad_shape(fields.path(name), "ascending numbers from 0 to " + std::to_string(total));
  }
  return starts;
}

/// Lists of indices, one for each of `count` items: `name` holds them one after the other, `starts` where each begins.
std::vector<std::vector<int>> read_lists(const Fields& fields, const char* name, const char* starts,
                                         std::size_t count) {
  const std::span<const std::int32_t> values = fields.array_of<std::int32_t>(name);
  const std::span<const std::int32_t> begin = read_starts(fields, starts, count, values.size());
  std::vector<std::vector<int>> lists(count);
  for (std::size_t i = 0; i < count; ++i) lists[i].assign(values.begin() + begin[i], values.begin() + begin[i + 1]);
  return lists;
}

std::span<const std::int32_t> read_column(const Fields& fields, const char* name, std::size_t count) {
  const std::span<const std::int32_t> values = fields.array_of<std::int32_t>(name);
  if (values.size() != count) bad_shape(fields.path(name), std::to_string(count) + " numbers");
  return values;
}

std::int64_t microseconds(double value, const std::string& path) {
  if (value != std::floor(value) || std::abs(value) > 9007199254740991.0) {
    throw Error("ERR_ARGUMENT", path + ": expected whole microseconds");
  }
  return static_cast<std::int64_t>(value);
}

sim::State to_state(const double* row) {
  sim::State state;
  std::copy(row, row + kStateFields, &state.x);
  return state;
}

}  // namespace

std::shared_ptr<const sim::WorldMap> read_sim_map(Napi::Value value) {
  const Fields fields(value, "map");
  const std::size_t block_count = fields.array_of<std::int32_t>("blockConnector").size();
  const std::size_t lane_count = fields.array_of<std::int32_t>("laneBlock").size();
  const auto area_limit = static_cast<int>(1 << 30);
  const auto intersection_count = static_cast<std::size_t>(fields.integer("intersections", 0, area_limit));
  const auto carpark_count = static_cast<std::size_t>(fields.integer("carparks", 0, area_limit));

  const Rows points(fields, "rings", 2);
  const std::size_t ring_count = block_count + lane_count + intersection_count + carpark_count;
  const auto ring_starts = read_starts(fields, "ringStarts", ring_count, points.size());
  std::size_t next_ring = 0;
  const auto take_polygon = [&] {
    std::vector<sim::Vec2> ring;
    for (auto i = static_cast<std::size_t>(ring_starts[next_ring]),
              end = static_cast<std::size_t>(ring_starts[next_ring + 1]);
         i < end; ++i) {
      const double* p = points[i];
      if (!(std::abs(p[0]) <= kLargest && std::abs(p[1]) <= kLargest)) {
        throw Error("ERR_SCENARIO", "map.rings: expected coordinates within 1e8 m");
      }
      ring.push_back({p[0], p[1]});
    }
    ++next_ring;
    return sim::Polygon(std::move(ring));
  };

  const auto block_connector = read_column(fields, "blockConnector", block_count);
  auto block_lanes = read_lists(fields, "blockLanes", "blockLaneStarts", block_count);
  auto block_incoming = read_lists(fields, "blockIncoming", "blockIncomingStarts", block_count);
  auto block_outgoing = read_lists(fields, "blockOutgoing", "blockOutgoingStarts", block_count);
  std::vector<sim::Roadblock> blocks(block_count);
  for (std::size_t i = 0; i < block_count; ++i) {
    blocks[i] = {block_connector[i] != 0, take_polygon(), std::move(block_lanes[i]), std::move(block_incoming[i]),
                 std::move(block_outgoing[i])};
  }

  const auto lane_block = read_column(fields, "laneBlock", lane_count);
  const auto lane_connector = read_column(fields, "laneConnector", lane_count);
  const Rows limits(fields, "laneSpeedLimit", 1), baselines(fields, "baselines", 3);
  if (limits.size() != lane_count) bad_shape(fields.path("laneSpeedLimit"), std::to_string(lane_count) + " numbers");
  const auto baseline_starts = read_starts(fields, "baselineStarts", lane_count, baselines.size());
  auto lane_incoming = read_lists(fields, "laneIncoming", "laneIncomingStarts", lane_count);
  auto lane_outgoing = read_lists(fields, "laneOutgoing", "laneOutgoingStarts", lane_count);
  std::vector<sim::MapLane> lanes(lane_count);
  for (std::size_t i = 0; i < lane_count; ++i) {
    sim::MapLane& lane = lanes[i];
    lane.block = lane_block[i];
    lane.connector = lane_connector[i] != 0;
    lane.polygon = take_polygon();
    for (auto k = static_cast<std::size_t>(baseline_starts[i]); k < static_cast<std::size_t>(baseline_starts[i + 1]);
         ++k) {
      lane.baseline.push_back({baselines[k][0], baselines[k][1], baselines[k][2]});
    }
    lane.speed_limit = limits[i][0];
    lane.incoming = std::move(lane_incoming[i]);
    lane.outgoing = std::move(lane_outgoing[i]);
  }

  std::vector<sim::Polygon> intersections, carparks;
  for (std::size_t i = 0; i < intersection_count; ++i) intersections.push_back(take_polygon());
  for (std::size_t i = 0; i < carpark_count; ++i) carparks.push_back(take_polygon());
  return std::make_shared<const sim::WorldMap>(std::move(blocks), std::move(lanes), std::move(intersections),
                                               std::move(carparks));
}

sim::Scene read_scene(Napi::Value value, std::shared_ptr<const sim::WorldMap> map) {
  const Fields fields(value, "scene");
  sim::Scene scene;
  scene.map = std::move(map);
  const auto route = fields.array_of<std::int32_t>("route");
  scene.route.assign(route.begin(), route.end());
  const Rows ego(fields, "ego", kStateFields);
  if (ego.size() != 1) bad_shape(fields.path("ego"), "11 numbers");
  scene.ego = to_state(ego[0]);
  scene.time_us = microseconds(fields.number("timeUs"), fields.path("timeUs"));
  const Rows past(fields, "past", kStateFields);
  for (std::size_t i = 0; i < past.size(); ++i) scene.past.push_back(to_state(past[i]));
  const Rows human(fields, "human", 3);
  for (std::size_t i = 0; i < human.size(); ++i) scene.human.push_back({human[i][0], human[i][1], human[i][2]});

  const std::size_t object_count = fields.array_of<std::int32_t>("objectTypes").size();
  const auto types = read_column(fields, "objectTypes", object_count);
  const Rows boxes(fields, "boxes", 2), samples(fields, "samples", 6);
  if (boxes.size() != object_count) bad_shape(fields.path("boxes"), std::to_string(object_count) + " rows of 2");
  const auto sample_starts = read_starts(fields, "sampleStarts", object_count, samples.size());
  scene.objects.resize(object_count);
  for (std::size_t i = 0; i < object_count; ++i) {
    if (types[i] < 0 || types[i] >= sim::kObjectTypes)
      throw Error("ERR_ARGUMENT", fields.path("objectTypes") + ": code");
    sim::SceneObject& object = scene.objects[i];
    object.type = static_cast<sim::ObjectType>(types[i]);
    object.length = boxes[i][0];
    object.width = boxes[i][1];
    const auto first = static_cast<std::size_t>(sample_starts[i]),
               last = static_cast<std::size_t>(sample_starts[i + 1]);
    object.samples.reserve(last - first);
    for (std::size_t k = first; k < last; ++k) {
      const double* s = samples[k];
      object.samples.push_back({microseconds(s[0], fields.path("samples")), s[1], s[2], s[3], s[4], s[5]});
    }
  }

  const Rows times(fields, "lightTimes", 1);
  auto red = read_lists(fields, "redLanes", "redLaneStarts", times.size());
  for (std::size_t i = 0; i < times.size(); ++i) {
    scene.lights.push_back({microseconds(times[i][0], fields.path("lightTimes")), std::move(red[i])});
  }
  return scene;
}

void write_score_row(const sim::Scorer& scorer, const sim::TrajectoryScore& score,
                     std::span<double, kScoreColumns> row) {
  const sim::Verdict& v = score.verdict;
  auto at = row.begin();
  for (const double value :
       {score.score, score.multiplier, v.collision, v.drivable, v.light, v.direction, score.ego_progress, v.ttc, v.lane,
        v.comfort, v.progress, score.reference_progress, score.reference_multiplier,
        // 41 bits fit a double.
        static_cast<double>(v.multiple_lanes), static_cast<double>(v.non_drivable), static_cast<double>(v.off_route)}) {
    *at++ = value;
  }
  for (const sim::Finding* finding :
       {&v.collision_at, &v.drivable_at, &v.light_at, &v.direction_at, &v.ttc_at, &v.lane_at, &v.comfort_at}) {
    *at++ = finding->step;
    *at++ = finding->object;
    *at++ = finding->detail;
    *at++ = finding->value;
  }
  double filtered[sim::kFiltered];
  *at++ = scorer.filtered(score, filtered);
  // To the order of the unfiltered ones above.
  for (const int i : {0, 1, 3, 2, 4, 5, 6, 7}) *at++ = filtered[i];
}

}  // namespace wam::binding
