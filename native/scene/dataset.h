#pragma once
// Recorded or generated traffic and the planning windows cut from it: what training draws its samples from.

#include <cstdint>
#include <memory>
#include <vector>

#include "scene/observation.h"

namespace wam::scene {

inline constexpr double kHistorySeconds = 2.0;
inline constexpr int kWaypoints = 8;
inline constexpr double kWaypointInterval = 0.5;  // seconds

struct Track {
  double length = 4.5, width = 2.0;
  bool driver = true;  // a vehicle that windows may be cut from
  int start = 0;       // first valid step; valid in [start, start + x.size())
  std::vector<double> x, y, heading, vx, vy;
  int steps() const { return static_cast<int>(x.size()); }
};

struct SignalState {
  int from = 0, to = 0;  // steps, `to` exclusive
  Light color = Light::unknown;
};

struct Signal {
  std::vector<int> lanes;  // lane indices
  std::vector<SignalState> states;
};

struct Recording {
  std::shared_ptr<const RoadMap> map;
  double dt = 0.1;
  std::vector<Track> tracks;
  std::vector<Signal> signals;
};

struct Window {
  int recording = 0, ego = 0;
  int present = 0;  // step
  int future = 0;   // valid steps after the present
  Command command = Command::straight;
  std::vector<int> route;
  double weight = 1;  // relative probability of being drawn in training
  std::vector<double>
      expert;  // [kWaypoints, 3] box-centre poses in the ego's frame to learn instead of the recorded; or none
};

/// How windows are cut from every track, beside the listed ones.
struct CutOptions {
  double stride_s = 0.2;           // between presents of one moving vehicle
  double standing_stride_s = 1.2;  // of one that moves under 1 m in the next 4 s
  double min_future_s = 1.0;       // waypoints beyond the track are masked
  double min_history_s = 0.5;
  double weight = 1;
  double standing_weight = 1;
};

/// What a window teaches: box-centre poses in the ego's present frame, metres and radians.
struct Future {
  double x[kWaypoints], y[kWaypoints], heading[kWaypoints];
  bool valid[kWaypoints];
};

class Dataset {
 public:
  int add_recording(Recording recording);
  void add_window(Window window);  // throws Error(ERR_SCENARIO) when it points outside its recording
  /// Cuts windows from all tracks of `recording`; routes by map matching. Returns how many were added.
  int cut_windows(int recording, const CutOptions& options);

  int size() const { return static_cast<int>(windows_.size()); }
  const Window& window(int i) const { return windows_[i]; }
  const Recording& recording(int i) const { return recordings_[i]; }
  int recordings() const { return static_cast<int>(recordings_.size()); }

  void observe(int window, Observation& out) const;
  Future future(int window) const;
  /// Window drawn with probability proportional to its weight; unit in [0, 1).
  int draw(double unit) const;

 private:
  std::vector<Recording> recordings_;
  std::vector<Window> windows_;
  std::vector<double> cumulative_;  // of weights
};

}  // namespace wam::scene
