#include "camera/view.h"

#include <cmath>

namespace wam::camera {

View::View(const Pose& pose)
    : pose_(pose),
      center_u_(0.5 * pose.width),
      center_v_(0.5 * pose.height_px),
      cos_heading_(std::cos(pose.heading)),
      sin_heading_(std::sin(pose.heading)),
      cos_pitch_(std::cos(pose.pitch)),
      sin_pitch_(std::sin(pose.pitch)) {}

}  // namespace wam::camera
