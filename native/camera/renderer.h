#pragma once
// Frames of the front camera, on one thread. Nothing is allocated once a renderer has seen its largest frame.

#include <cstdint>
#include <span>
#include <vector>

#include "camera/bodies.h"
#include "camera/coverage.h"
#include "camera/faces.h"
#include "camera/ground_map.h"
#include "camera/view.h"
#include "camera/weather.h"

namespace wam::camera {

/// What one frame shows.
struct FrameInput {
  Pose pose;
  const GroundMap* map = nullptr;
  std::span<const Body> bodies;
  /// Of light, air and surfaces; the noise of the sensor has its own.
  std::uint64_t seed = 0, noise_seed = 0;
  /// False: an even day without textures and noise, the same for every seed.
  bool varied = true;
};

/// What is seen of one body. Areas in pixels, quarters of them.
struct Sight {
  float visible = 0;                               // area that is seen
  float silhouette = 0;                            // area inside the image that would be seen if nothing hid it
  float left = 0, top = 0, right = 0, bottom = 0;  // pixels [left, right) x [top, bottom) that show some of it
  float depth = 0;                                 // of the nearest point seen, metres along the optical axis
};

/// Object ids of what is no body.
constexpr std::int32_t kGroundId = -1, kSkyId = -2;

/// Where a frame goes; only `rgb` must be there.
struct FrameOutput {
  std::uint8_t* rgb = nullptr;  // [height, width, 3]
  float* depth = nullptr;       // [height, width] metres along the optical axis, infinite in the sky
  std::int32_t* ids = nullptr;  // [height, width] id of the body that covers most of a pixel; kGroundId, kSkyId
  Sight* sights = nullptr;      // [bodies]
};

class Renderer {
 public:
  void render(const FrameInput& input, const FrameOutput& output);

 private:
  void add_ground(const FrameInput& input);
  void add_ground_polygon(Layer layer, std::span<const Point> points);
  void add_bodies(const FrameInput& input);
  void add_shadow(const Body& body);
  void draw_rows(const FrameInput& input, const FrameOutput& output, int first_row, int rows);
  void sky_row(const FrameInput& input, int row);
  void ground_row(const FrameInput& input, int row, int band_row);
  void body_row(const FrameOutput& output, int row, int band_row, std::span<const Body> bodies);
  void finish_row(const FrameInput& input, int row, std::uint8_t* rgb) const;
  void make_skyline(const FrameInput& input);

  View view_;
  Weather weather_;
  std::vector<Edge> edges_[kLayers];
  std::vector<float> coverage_;  // [layers, rows of a band, width + 2]
  bool covered_[kLayers] = {};   // whether a layer has anything in the present band
  std::vector<float> nothing_;   // [width] zeros
  std::vector<Color> row_;
  std::vector<float> skyline_;  // [width] height of woods or houses above the horizon, over the distance
  float highest_skyline_ = 0;
  std::vector<BodyFace> body_faces_;
  FaceList faces_;
  Band band_;
  std::vector<std::uint32_t> silhouettes_, visible_;
  std::vector<Vec3> clipped_;
};

}  // namespace wam::camera
