#pragma once
// The pinhole camera. Camera frame: x right, y down, z forward, metres; image frame: u right, v down, pixels, the first
// pixel's centre at (0.5, 0.5) and the optical axis in the middle of the image.

namespace wam::camera {

/// Points nearer than this to the camera's plane are cut away, metres.
constexpr double kNear = 0.15;

/// Where a camera stands and how it looks: upright (no roll) over the ground plane z = 0.
struct Pose {
  double x = 0, y = 0;  // metres, frame of the map
  double height = 1.6;  // above the ground, metres
  double heading = 0;   // of the optical axis, radians counter-clockwise from +x
  double pitch = 0;     // radians, positive looks down
  double focal = 300;   // pixels
  int width = 0, height_px = 0;
};

struct Vec3 {
  double x, y, z;
};

inline double dot(const Vec3& a, const Vec3& b) { return a.x * b.x + a.y * b.y + a.z * b.z; }
inline Vec3 operator-(const Vec3& a, const Vec3& b) { return {a.x - b.x, a.y - b.y, a.z - b.z}; }
inline Vec3 cross(const Vec3& a, const Vec3& b) {
  return {a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x};
}

class View {
 public:
  View() = default;
  explicit View(const Pose& pose);

  /// A point of the map's frame, z up, in the camera's frame.
  Vec3 to_camera(const Vec3& point) const {
    const double dx = point.x - pose_.x, dy = point.y - pose_.y, up = point.z - pose_.height;
    const double ahead = dx * cos_heading_ + dy * sin_heading_, right = dx * sin_heading_ - dy * cos_heading_;
    return {right, -ahead * sin_pitch_ - up * cos_pitch_, ahead * cos_pitch_ - up * sin_pitch_};
  }
  /// A direction of the map's frame in the camera's.
  Vec3 turn(const Vec3& d) const {
    const double ahead = d.x * cos_heading_ + d.y * sin_heading_, right = d.x * sin_heading_ - d.y * cos_heading_;
    return {right, -ahead * sin_pitch_ - d.z * cos_pitch_, ahead * cos_pitch_ - d.z * sin_pitch_};
  }
  double u(const Vec3& point) const { return center_u_ + pose_.focal * point.x / point.z; }
  double v(const Vec3& point) const { return center_v_ + pose_.focal * point.y / point.z; }

  /// Of the ray through image row v, per metre along the optical axis: metres down, and metres ahead over the ground.
  double down(double v) const { return sin_pitch_ + (v - center_v_) / pose_.focal * cos_pitch_; }
  double ahead(double v) const { return cos_pitch_ - (v - center_v_) / pose_.focal * sin_pitch_; }

  const Pose& pose() const { return pose_; }
  double center_u() const { return center_u_; }
  double center_v() const { return center_v_; }
  double cos_heading() const { return cos_heading_; }
  double sin_heading() const { return sin_heading_; }

 private:
  Pose pose_;
  double center_u_ = 0, center_v_ = 0;
  double cos_heading_ = 1, sin_heading_ = 0, cos_pitch_ = 1, sin_pitch_ = 0;
};

}  // namespace wam::camera
