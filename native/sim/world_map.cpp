#include "sim/world_map.h"

#include <algorithm>
#include <string>

#include "core/error.h"

namespace wam::sim {
namespace {

constexpr double kCell = 1.0;               // metres, larger where the map is
constexpr std::size_t kMaxCells = 1 << 18;  // 1 MB of cell starts
constexpr std::size_t kMaxItems = 1 << 22;  // pairs of a cell and an area that meets it: 48 MB while they are made
constexpr std::size_t kMaxSweep = 1 << 27;  // cells that the sweeps of all polygons visit, and what that costs
constexpr double kLargest = 1e8;            // metres
constexpr double kMargin = 1e-6;            // of a cell: rounding of its number
constexpr std::uint8_t kInside = 1, kBorder = 2;  // of a cell in the sweep of one polygon

void check_indices(const std::vector<int>& indices, std::size_t size, const char* what) {
  for (const int i : indices) {
    if (i < 0 || static_cast<std::size_t>(i) >= size) {
      throw Error("ERR_SCENARIO", std::string(what) + ": index " + std::to_string(i) + " of " + std::to_string(size));
    }
  }
}

void check_point(double x, double y, const char* what) {
  if (!(std::abs(x) <= kLargest && std::abs(y) <= kLargest)) {
    throw Error("ERR_SCENARIO", std::string(what) + ": expected coordinates within 1e8 m");
  }
}

void check_count(std::size_t count, std::size_t limit, const char* what) {
  if (count > limit) {
    throw Error("ERR_SCENARIO",
                "map: expected at most " + std::to_string(limit) + " " + what + ", received " + std::to_string(count));
  }
}

void check_polygon(const Polygon& polygon, const char* what) {
  if (polygon.ring().size() < 3) throw Error("ERR_SCENARIO", std::string(what) + ": expected at least 3 vertices");
  for (const Vec2 p : polygon.ring()) check_point(p.x, p.y, what);
}

}  // namespace

WorldMap::WorldMap(std::vector<Roadblock> blocks, std::vector<MapLane> lanes, std::vector<Polygon> intersections,
                   std::vector<Polygon> carparks)
    : blocks_(std::move(blocks)),
      lanes_(std::move(lanes)),
      intersections_(std::move(intersections)),
      carparks_(std::move(carparks)) {
  check_sizes();
  for (const Roadblock& block : blocks_) {
    check_polygon(block.polygon, "roadblock");
    check_indices(block.lanes, lanes_.size(), "lanes of a roadblock");
    check_indices(block.incoming, blocks_.size(), "incoming roadblocks");
    check_indices(block.outgoing, blocks_.size(), "outgoing roadblocks");
  }
  for (MapLane& lane : lanes_) {
    check_polygon(lane.polygon, "lane");
    if (lane.baseline.size() < 2) throw Error("ERR_SCENARIO", "baseline of a lane: expected at least 2 points");
    check_indices({lane.block}, blocks_.size(), "roadblock of a lane");
    check_indices(lane.incoming, lanes_.size(), "incoming lanes");
    check_indices(lane.outgoing, lanes_.size(), "outgoing lanes");
    lane.length = 0;
    for (std::size_t i = 0; i < lane.baseline.size(); ++i) {
      const Pose& p = lane.baseline[i];
      check_point(p.x, p.y, "baseline of a lane");
      if (!std::isfinite(p.heading)) throw Error("ERR_SCENARIO", "baseline of a lane: expected finite headings");
      if (i > 0) lane.length += distance(Vec2{p.x, p.y}, Vec2{lane.baseline[i - 1].x, lane.baseline[i - 1].y});
    }
  }
  for (const Polygon& polygon : intersections_) check_polygon(polygon, "intersection");
  for (const Polygon& polygon : carparks_) check_polygon(polygon, "car park");

  const auto add = [this](Layer layer, std::size_t index, const Polygon& polygon) {
    areas_.push_back({layer, static_cast<int>(index), &polygon});
  };
  for (std::size_t i = 0; i < blocks_.size(); ++i) {
    if (!blocks_[i].connector) add(Layer::roadblock, i, blocks_[i].polygon);
  }
  for (const bool connector : {false, true}) {
    for (std::size_t i = 0; i < lanes_.size(); ++i) {
      if (lanes_[i].connector == connector) {
        add(connector ? Layer::lane_connector : Layer::lane, i, lanes_[i].polygon);
      }
    }
  }
  for (std::size_t i = 0; i < intersections_.size(); ++i) add(Layer::intersection, i, intersections_[i]);
  for (std::size_t i = 0; i < carparks_.size(); ++i) add(Layer::carpark, i, carparks_[i]);
  build_index();
}

std::size_t WorldMap::cell_of(Vec2 p) const {
  if (!bounds_.contains(p)) return kNoCell;
  const auto column = std::min(columns_ - 1, static_cast<std::size_t>((p.x - bounds_.min_x) * scale_));
  const auto row = std::min(rows_ - 1, static_cast<std::size_t>((p.y - bounds_.min_y) * scale_));
  return row * columns_ + column;
}

void WorldMap::check_sizes() const {
  check_count(blocks_.size(), kMaxAreas, "roadblocks");
  check_count(lanes_.size(), kMaxAreas, "lanes");
  check_count(intersections_.size(), kMaxAreas, "intersections");
  check_count(carparks_.size(), kMaxAreas, "car parks");
  std::size_t points = 0, links = 0, members = 0;
  for (const Roadblock& block : blocks_) {
    points += block.polygon.ring().size();
    links += block.incoming.size() + block.outgoing.size();
    members += block.lanes.size();
  }
  for (const MapLane& lane : lanes_) {
    points += lane.polygon.ring().size() + lane.baseline.size();
    links += lane.incoming.size() + lane.outgoing.size();
  }
  for (const auto* polygons : {&intersections_, &carparks_}) {
    for (const Polygon& polygon : *polygons) points += polygon.ring().size();
  }
  check_count(points, kMaxMapPoints, "vertices and points of baselines");
  check_count(links, kMaxLinks, "links between lanes and between roadblocks");
  if (members > lanes_.size()) throw Error("ERR_SCENARIO", "lanes of a roadblock: expected each lane in one roadblock");
}

void WorldMap::build_index() {
  if (areas_.empty()) return;
  for (const Area& area : areas_) {
    bounds_.add({area.polygon->bounds().min_x, area.polygon->bounds().min_y});
    bounds_.add({area.polygon->bounds().max_x, area.polygon->bounds().max_y});
  }
  const double width = bounds_.max_x - bounds_.min_x, height = bounds_.max_y - bounds_.min_y;
  const auto cells_along = [this](double length) { return static_cast<std::size_t>(length * scale_) + 1; };
  std::vector<Item> items;
  for (double cell = kCell;; cell *= 2) {
    scale_ = 1 / cell;
    columns_ = cells_along(width);
    rows_ = cells_along(height);
    // Larger cells where there would be too many, and where so many areas lie on each other that the pairs would be.
    if (columns_ <= kMaxCells && rows_ <= kMaxCells && columns_ * rows_ <= kMaxCells && sort_areas(items)) break;
  }
  start_.assign(columns_ * rows_ + 1, 0);
  for (const Item& item : items) ++start_[item.cell + 1];
  for (std::size_t i = 1; i < start_.size(); ++i) start_[i] += start_[i - 1];
  entries_.resize(items.size());
  std::vector<std::uint32_t> next(start_.begin(), start_.end() - 1);
  for (const Item& item : items) entries_[next[item.cell]++] = item.entry;
}

bool WorldMap::sort_areas(std::vector<Item>& items) const {
  const bool last = columns_ * rows_ == 1;  // there are no larger cells
  const auto column_of = [this](double x) {
    const double c = (x - bounds_.min_x) * scale_;
    return std::min(columns_ - 1, static_cast<std::size_t>(std::max(0.0, c)));
  };
  const auto row_of = [this](double y) {
    const double r = (y - bounds_.min_y) * scale_;
    return std::min(rows_ - 1, static_cast<std::size_t>(std::max(0.0, r)));
  };
  items.clear();
  std::size_t swept = 0;
  std::vector<std::uint8_t> state;
  const double margin = kMargin / scale_;
  for (std::size_t a = 0; a < areas_.size(); ++a) {
    const Polygon& polygon = *areas_[a].polygon;
    const Bounds& b = polygon.bounds();
    const std::size_t c0 = column_of(b.min_x - margin), c1 = column_of(b.max_x + margin);
    const std::size_t r0 = row_of(b.min_y - margin), r1 = row_of(b.max_y + margin), across = c1 - c0 + 1;
    swept += across * (r1 - r0 + 1);
    if (swept > kMaxSweep && !last) return false;
    state.assign(across * (r1 - r0 + 1), 0);
    for (std::size_t i = 0; i < polygon.ring().size(); ++i) {
      // The part of the edge within each row of cells, a little longer to either side.
      Vec2 u = polygon.ring()[i], v = polygon.edge_end(i);
      if (u.y > v.y) std::swap(u, v);
      for (std::size_t r = row_of(u.y - margin), top = row_of(v.y + margin); r <= top; ++r) {
        const double low = bounds_.min_y + static_cast<double>(r) / scale_ - margin;
        const double high = bounds_.min_y + static_cast<double>(r + 1) / scale_ + margin;
        double x0 = u.x, x1 = v.x;
        if (v.y > u.y) {
          const double slope = (v.x - u.x) / (v.y - u.y);
          if (u.y < low) x0 = u.x + (low - u.y) * slope;
          if (v.y > high) x1 = u.x + (high - u.y) * slope;
        }
        const std::size_t from = std::max(c0, column_of(std::min(x0, x1) - margin));
        const std::size_t to = std::min(c1, column_of(std::max(x0, x1) + margin));
        swept += to - from + 1;
        for (std::size_t c = from; c <= to; ++c) state[(r - r0) * across + (c - c0)] = kBorder;
        if (swept > kMaxSweep && !last) return false;
      }
    }
    for (std::size_t r = r0; r <= r1; ++r) {
      // Between cells of the border nothing changes: the first of a run tells for all.
      std::uint8_t run = kBorder;
      for (std::size_t c = c0; c <= c1; ++c) {
        std::uint8_t& cell = state[(r - r0) * across + (c - c0)];
        if (cell != kBorder) {
          if (run == kBorder) {
            const Vec2 middle{bounds_.min_x + (static_cast<double>(c) + 0.5) / scale_,
                              bounds_.min_y + (static_cast<double>(r) + 0.5) / scale_};
            run = polygon.contains(middle) ? kInside : 0;
            swept += polygon.ring().size() / 4;
          }
          cell = run;
        } else {
          run = kBorder;
        }
        if (cell != 0) {
          const auto entry = static_cast<std::uint32_t>(a << 1) | (cell == kBorder ? 1u : 0u);
          items.push_back({static_cast<std::uint32_t>(r * columns_ + c), entry});
        }
      }
      if ((items.size() > kMaxItems || swept > kMaxSweep) && !last) return false;
    }
  }
  return true;
}

}  // namespace wam::sim
