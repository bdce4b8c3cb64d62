#pragma once
// The road of a scene in NAVSIM's terms: roadblocks, lanes, connectors, intersections and car parks with their topology,
// and an index that tells which of their areas hold a point.

#include <cstdint>
#include <vector>

#include "sim/geometry.h"

namespace wam::sim {

/// Parallel lanes of one direction, or (connector) the lane connectors between two such blocks.
struct Roadblock {
  bool connector = false;
  Polygon polygon;
  std::vector<int> lanes;               // indices, in the map's order
  std::vector<int> incoming, outgoing;  // roadblock indices
};

struct MapLane {
  int block = 0;
  bool connector = false;
  Polygon polygon;
  std::vector<Pose> baseline;           // driving direction, at least 2
  double speed_limit = -1;              // m/s, negative when unknown
  std::vector<int> incoming, outgoing;  // lane indices
  double length = 0;                    // of the baseline, metres; set by WorldMap
};

enum class Layer : std::uint8_t { roadblock, lane, lane_connector, intersection, carpark };

/// One polygon of the map that the ego's areas are told by. Areas lie in the devkit's order of layers.
struct Area {
  Layer layer = Layer::roadblock;
  int index = 0;  // of the roadblock, lane, intersection or car park
  const Polygon* polygon = nullptr;
};

class WorldMap {
 public:
  /// At most so many roadblocks, lanes, intersections and car parks each; far more than any real map around a vehicle has.
  static constexpr std::size_t kMaxAreas = 100'000;
  /// Vertices of all polygons with the points of all baselines.
  static constexpr std::size_t kMaxMapPoints = 8'000'000;
  /// Incoming and outgoing of all roadblocks and lanes.
  static constexpr std::size_t kMaxLinks = 1'000'000;

  /// Throws Error(ERR_SCENARIO) on more than the limits above, indices that point nowhere, a lane in two roadblocks,
  /// baselines of fewer than 2 points, and non-finite or too large (over 1e8) coordinates.
  WorldMap(std::vector<Roadblock> blocks, std::vector<MapLane> lanes, std::vector<Polygon> intersections,
           std::vector<Polygon> carparks);
  WorldMap(const WorldMap&) = delete;
  WorldMap& operator=(const WorldMap&) = delete;

  const std::vector<Roadblock>& blocks() const { return blocks_; }
  const std::vector<MapLane>& lanes() const { return lanes_; }
  const std::vector<Polygon>& intersections() const { return intersections_; }
  const std::vector<Polygon>& carparks() const { return carparks_; }
  const std::vector<Area>& areas() const { return areas_; }
  /// Memory of the index, without the polygons.
  std::size_t index_bytes() const { return (start_.size() + entries_.size()) * sizeof(std::uint32_t); }

  /// Calls f(area index) for each area that strictly contains p; each once, in no particular order.
  template <class F>
  void areas_at(Vec2 p, F&& f) const {
    const std::size_t cell = cell_of(p);
    if (cell == kNoCell) return;
    for (std::uint32_t k = start_[cell]; k < start_[cell + 1]; ++k) {
      const std::uint32_t entry = entries_[k];
      const int area = static_cast<int>(entry >> 1);
      // The low bit says that the border runs through the cell: only then is the polygon looked at.
      if ((entry & 1) == 0 || areas_[static_cast<std::size_t>(area)].polygon->contains(p)) f(area);
    }
  }

 private:
  static constexpr std::size_t kNoCell = ~std::size_t{0};
  /// An area that meets a cell.
  struct Item {
    std::uint32_t cell, entry;
  };
  std::size_t cell_of(Vec2 p) const;
  void check_sizes() const;
  void build_index();
  /// Fills `items`; false when it gave up because there are too many, which it never does with a single cell.
  bool sort_areas(std::vector<Item>& items) const;

  std::vector<Roadblock> blocks_;
  std::vector<MapLane> lanes_;
  std::vector<Polygon> intersections_, carparks_;
  std::vector<Area> areas_;
  // Square cells over the bounds of all areas, and for each the areas that it meets.
  Bounds bounds_;
  double scale_ = 0;  // cells a metre
  std::size_t columns_ = 0, rows_ = 0;
  std::vector<std::uint32_t> start_, entries_;
};

}  // namespace wam::sim
