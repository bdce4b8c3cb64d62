#include "model/reduce.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/planar.h"

namespace wam::model {

void reduce_samples(Reduce reduce, int count, int waypoints, const float* samples, float* out) {
  const int width = waypoints * kValuesPerWaypoint;
  if (reduce == Reduce::mean && count > 1) {
    for (int w = 0; w < waypoints; ++w) {
      double x = 0, y = 0, c = 0, s = 0;
      for (int k = 0; k < count; ++k) {
        const float* pose = samples + static_cast<std::ptrdiff_t>(k) * width + w * kValuesPerWaypoint;
        x += pose[0], y += pose[1], c += std::cos(pose[2]), s += std::sin(pose[2]);
      }
      out[w * 3] = static_cast<float>(x / count);
      out[w * 3 + 1] = static_cast<float>(y / count);
      out[w * 3 + 2] = static_cast<float>(std::atan2(s, c));
    }
    return;
  }
  int best = 0;
  if (reduce == Reduce::medoid) {
    double least = std::numeric_limits<double>::infinity();
    for (int k = 0; k < count && count > 1; ++k) {
      double sum = 0;
      for (int j = 0; j < count; ++j) {
        const float* a = samples + static_cast<std::ptrdiff_t>(k) * width;
        const float* b = samples + static_cast<std::ptrdiff_t>(j) * width;
        for (int w = 0; w < width; w += kValuesPerWaypoint) sum += planar_length(a[w] - b[w], a[w + 1] - b[w + 1]);
      }
      if (sum < least) least = sum, best = k;
    }
  }
  std::copy_n(samples + static_cast<std::ptrdiff_t>(best) * width, width, out);
}

}  // namespace wam::model
