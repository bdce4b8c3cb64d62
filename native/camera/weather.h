#pragma once
// Light, air and surfaces of a frame, drawn from a seed.

#include <cstdint>

#include "camera/color.h"
#include "camera/view.h"

namespace wam::camera {

struct Weather {
  Vec3 sun{0, 0, 1};  // direction to it, frame of the map, length 1
  Color sunlight{1, 1, 1};
  Color ambient{0.4f, 0.4f, 0.4f};
  Color zenith, horizon;    // of the sky
  float cloud = 0;          // share of the sky
  float haze_metres = 500;  // where 63 % of what is seen is haze
  float shadow = 0.6f;      // share of light that a shadow takes
  float exposure = 1;
  float noise = 0;     // standard deviation of a pixel, levels of 255
  float vignette = 0;  // share of light that the corners lose
  Color asphalt, grass, paving, kerb, verge, white, yellow;
  float texture = 0;  // strength of surfaces' patterns; 0 for none
  std::uint32_t texture_seed = 0;
  bool yellow_middle = false;  // whether lines between directions are yellow
};

/// A day like others; `heading` of the camera: the sun stands straight behind it, so that a scene and its mirror image
/// look alike. No texture, no noise.
Weather plain_weather(double heading);
/// Drawn from a seed.
Weather draw_weather(std::uint64_t seed);

/// A face's colour in this light; `normal` (length 1) and `to_camera` in the frame of the map.
enum class Surface : std::uint8_t;
Color shade(const Weather& weather, const Color& color, Surface surface, const Vec3& normal, const Vec3& to_camera);

/// Share of haze at a distance, metres.
float haze_at(const Weather& weather, float metres);

}  // namespace wam::camera
