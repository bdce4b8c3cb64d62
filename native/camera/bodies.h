#pragma once
// The shapes of what stands on the road: convex faces in a frame with x ahead, y left, z up, the origin on the ground
// under the middle of the box.

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "camera/color.h"
#include "camera/view.h"

namespace wam::camera {

/// Codes of lib/camera/objects.ts.
enum class BodyKind : int {
  car,
  van,
  truck,
  bus,
  motorcycle,
  pedestrian,
  bicycle,
  cone,
  barrier,
  sign,
  box,
  pole,
  traffic_light,
  kinds
};

/// Lamps of a body; bits.
constexpr int kBrakeLamps = 1, kHeadLamps = 2, kRedLamp = 4, kYellowLamp = 8, kGreenLamp = 16;

struct Body {
  BodyKind kind = BodyKind::car;
  double x = 0, y = 0, z = 0;                      // middle of the box's lower side, metres, frame of the map
  double heading = 0;                              // radians
  double length = 4.5, width = 1.9, height = 1.5;  // metres
  std::uint32_t tint = 0;                          // chooses colours
  int lamps = 0;
  double phase = 0;  // of legs, radians
  int id = 0;        // what the buffer of object ids holds
};

/// What a face is made of.
enum class Surface : std::uint8_t { matt, painted, glass, lamp };

struct BodyFace {
  std::array<Vec3, 8> corner;  // counter-clockwise seen from outside
  int corners = 0;
  Surface surface = Surface::matt;
  Color color;  // of a lamp: what it sends out
};

/// Appends the faces of a body. `lamp_radius`: least radius of the lamps of a traffic light, metres.
void append_faces(std::vector<BodyFace>& faces, const Body& body, double lamp_radius);

}  // namespace wam::camera
