#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "model/config.h"
#include "model/trainer.h"

namespace wam::model {

std::vector<double> measure_slot_scale(const scene::Dataset& data) {
  constexpr double kQuantile = 0.9985, kHeadroom = 1.25;
  constexpr int kSlots = scene::kWaypoints * kValuesPerWaypoint;
  std::vector<std::vector<float>> residual(kSlots);
  for (int i = 0; i < data.size(); ++i) {
    const scene::Future future = data.future(i);
    const scene::Window& window = data.window(i);
    const scene::Track& track = data.recording(window.recording).tracks[window.ego];
    const int k = window.present - track.start;
    const double speed = track.vx[k] * std::cos(track.heading[k]) + track.vy[k] * std::sin(track.heading[k]);
    for (int w = 0; w < scene::kWaypoints; ++w) {
      if (!future.valid[w]) continue;
      const double t = (w + 1) * scene::kWaypointInterval;
      const double value[kValuesPerWaypoint] = {future.x[w] - speed * t, future.y[w], future.heading[w]};
      for (int j = 0; j < kValuesPerWaypoint; ++j) {
        residual[w * kValuesPerWaypoint + j].push_back(static_cast<float>(std::abs(value[j])));
      }
    }
  }
  std::vector<double> scale;
  for (auto& values : residual) {
    if (values.empty()) throw Error("ERR_ARGUMENT", "the data set has no window with a full future");
    const auto at = static_cast<std::ptrdiff_t>(kQuantile * static_cast<double>(values.size() - 1));
    std::nth_element(values.begin(), values.begin() + at, values.end());
    scale.push_back(std::max(kHeadroom * values[static_cast<std::size_t>(at)], 1e-3));
  }
  return scale;
}

}  // namespace wam::model
