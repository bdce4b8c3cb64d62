#include "camera/bodies.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "camera/noise.h"

namespace wam::camera {
namespace {

constexpr double kPi = std::numbers::pi;
/// What is painted on a face stands off it by so much, metres.
constexpr double kOffset = 0.012;
constexpr Color kTyre{0.012f, 0.012f, 0.013f}, kRim{0.22f, 0.22f, 0.23f}, kGlass{0.018f, 0.022f, 0.028f};
constexpr Color kDark{0.02f, 0.02f, 0.022f}, kMetal{0.16f, 0.165f, 0.17f}, kWhite{0.75f, 0.75f, 0.73f};

/// Paint of vehicles, about as often as on the road.
constexpr Color kPaint[] = {{0.70f, 0.70f, 0.68f},  {0.62f, 0.63f, 0.64f},  {0.32f, 0.33f, 0.35f},
                            {0.10f, 0.105f, 0.11f}, {0.02f, 0.02f, 0.023f}, {0.035f, 0.035f, 0.04f},
                            {0.03f, 0.06f, 0.19f},  {0.05f, 0.12f, 0.30f},  {0.33f, 0.025f, 0.02f},
                            {0.02f, 0.09f, 0.06f},  {0.42f, 0.36f, 0.27f},  {0.45f, 0.22f, 0.03f}};
constexpr Color kCargo[] = {{0.66f, 0.66f, 0.64f}, {0.58f, 0.60f, 0.62f}, {0.10f, 0.17f, 0.34f},
                            {0.40f, 0.12f, 0.06f}, {0.13f, 0.28f, 0.14f}, {0.50f, 0.40f, 0.14f}};
constexpr Color kCloth[] = {{0.05f, 0.06f, 0.10f}, {0.30f, 0.05f, 0.05f}, {0.08f, 0.16f, 0.30f}, {0.42f, 0.40f, 0.36f},
                            {0.03f, 0.03f, 0.03f}, {0.10f, 0.20f, 0.09f}, {0.48f, 0.34f, 0.06f}, {0.24f, 0.10f, 0.22f}};
constexpr Color kSkin[] = {{0.55f, 0.33f, 0.22f}, {0.42f, 0.24f, 0.15f}, {0.20f, 0.10f, 0.06f}, {0.62f, 0.42f, 0.31f}};

template <std::size_t n>
const Color& pick(const Color (&list)[n], std::uint32_t word) {
  return list[word % n];
}

/// Adds shapes to a list of faces.
class Shape {
 public:
  explicit Shape(std::vector<BodyFace>& faces) : faces_(faces) {}

  void quad(const Vec3& a, const Vec3& b, const Vec3& c, const Vec3& d, const Color& color, Surface surface) {
    BodyFace& face = faces_.emplace_back();
    face.corner[0] = a, face.corner[1] = b, face.corner[2] = c, face.corner[3] = d;
    face.corners = 4;
    face.color = color;
    face.surface = surface;
  }

  /// A box between two heights whose upper side [x0, x1] x [-y, y] may be smaller than its lower side; no underside.
  struct Side {
    double x0, x1, half_width, z;
  };
  void frustum(const Side& low, const Side& high, const Color& color, Surface surface, double y = 0) {
    const auto at = [&](const Side& s, bool front, bool left) {
      return Vec3{front ? s.x1 : s.x0, y + (left ? s.half_width : -s.half_width), s.z};
    };
    quad(at(low, 0, 1), at(low, 0, 0), at(high, 0, 0), at(high, 0, 1), color, surface);    // rear
    quad(at(low, 1, 0), at(low, 1, 1), at(high, 1, 1), at(high, 1, 0), color, surface);    // front
    quad(at(low, 0, 0), at(low, 1, 0), at(high, 1, 0), at(high, 0, 0), color, surface);    // right
    quad(at(low, 1, 1), at(low, 0, 1), at(high, 0, 1), at(high, 1, 1), color, surface);    // left
    quad(at(high, 0, 0), at(high, 1, 0), at(high, 1, 1), at(high, 0, 1), color, surface);  // top
  }
  void box(double x0, double x1, double y0, double y1, double z0, double z1, const Color& color,
           Surface surface = Surface::matt) {
    const double half = (y1 - y0) / 2;
    frustum({x0, x1, half, z0}, {x0, x1, half, z1}, color, surface, (y0 + y1) / 2);
  }
  /// The underside of what hangs in the air.
  void underside(double x0, double x1, double y0, double y1, double z, const Color& color) {
    quad({x0, y0, z}, {x0, y1, z}, {x1, y1, z}, {x1, y0, z}, color, Surface::matt);
  }

  /// A smaller copy of the last but `back` face, standing off it: a window.
  void inset(int back, double share_across, double share_up, const Color& color, Surface surface, double lift = 0) {
    const BodyFace from = faces_[faces_.size() - static_cast<std::size_t>(back)];
    const Vec3 &a = from.corner[0], &b = from.corner[1], &c = from.corner[2], &d = from.corner[3];
    const Vec3 normal = cross(b - a, d - a);
    const double size = std::sqrt(dot(normal, normal));
    if (size < 1e-12) return;
    const auto at = [&](double s, double t) {
      const auto blend = [&](double Vec3::* of) {
        const double low = a.*of + (b.*of - a.*of) * s, high = d.*of + (c.*of - d.*of) * s;
        return low + (high - low) * t + kOffset * (normal.*of) / size;
      };
      return Vec3{blend(&Vec3::x), blend(&Vec3::y), blend(&Vec3::z)};
    };
    const double s0 = (1 - share_across) / 2, t0 = (1 - share_up) / 2 + lift;
    quad(at(s0, t0), at(1 - s0, t0), at(1 - s0, t0 + share_up), at(s0, t0 + share_up), color, surface);
  }

  /// A wheel: its tread, and its outer side at `y_outer`.
  void wheel(double x, double radius, double y_inner, double y_outer) {
    constexpr int kCorners = 8;
    const double corner = radius / std::cos(kPi / kCorners);  // the tread touches the ground
    std::array<Vec3, kCorners> outer, inner;
    for (int i = 0; i < kCorners; ++i) {
      const double angle = 2 * kPi * (i + 0.5) / kCorners;
      const double px = x + corner * std::cos(angle), pz = radius + corner * std::sin(angle);
      outer[static_cast<std::size_t>(i)] = {px, y_outer, pz};
      inner[static_cast<std::size_t>(i)] = {px, y_inner, pz};
    }
    const bool left = y_outer > y_inner;
    for (std::size_t i = 0; i < kCorners; ++i) {
      const std::size_t k = (i + 1) % kCorners;
      if (left) {
        quad(inner[i], outer[i], outer[k], inner[k], kTyre, Surface::matt);
      } else {
        quad(outer[i], inner[i], inner[k], outer[k], kTyre, Surface::matt);
      }
    }
    disc({x, y_outer, radius}, corner, left ? 1 : -1, kTyre);
    disc({x, y_outer + (left ? kOffset : -kOffset), radius}, radius * 0.58, left ? 1 : -1, kRim);
  }

  /// An octagon across y; `side` +1 is seen from the left.
  void disc(const Vec3& center, double radius, int side, const Color& color) {
    BodyFace& face = faces_.emplace_back();
    for (int i = 0; i < 8; ++i) {
      const double angle = -side * 2 * kPi * (i + 0.5) / 8;
      face.corner[static_cast<std::size_t>(i)] = {center.x + radius * std::cos(angle), center.y,
                                                  center.z + radius * std::sin(angle)};
    }
    face.corners = 8;
    face.color = color;
  }

  /// An octagon that looks back (-x), as lamps of traffic lights do.
  void lamp(const Vec3& center, double radius, const Color& color, Surface surface) {
    BodyFace& face = faces_.emplace_back();
    for (int i = 0; i < 8; ++i) {
      const double angle = -2 * kPi * (i + 0.5) / 8;
      face.corner[static_cast<std::size_t>(i)] = {center.x, center.y + radius * std::cos(angle),
                                                  center.z + radius * std::sin(angle)};
    }
    face.corners = 8;
    face.color = color;
    face.surface = surface;
  }

  /// A rectangle across x at `x`, looking back or ahead.
  void plate(double x, bool ahead, double y0, double y1, double z0, double z1, const Color& color, Surface surface) {
    if (ahead) {
      quad({x, y0, z0}, {x, y1, z0}, {x, y1, z1}, {x, y0, z1}, color, surface);
    } else {
      quad({x, y1, z0}, {x, y0, z0}, {x, y0, z1}, {x, y1, z1}, color, surface);
    }
  }

 private:
  std::vector<BodyFace>& faces_;
};

constexpr Color kTailOff{0.10f, 0.008f, 0.008f}, kTailOn{1.9f, 0.05f, 0.03f};
constexpr Color kHeadOff{0.45f, 0.45f, 0.46f}, kHeadOn{3.2f, 3.1f, 2.7f};

void lamps(Shape& shape, const Body& body, double front, double rear, double low, double high, double lamp_width) {
  const double half = body.width / 2;
  const bool brake = (body.lamps & kBrakeLamps) != 0, head = (body.lamps & kHeadLamps) != 0;
  const Surface tail_surface = brake ? Surface::lamp : Surface::matt;
  for (const double side : {-1.0, 1.0}) {
    const double outer = side * (half - 0.04), inner = side * (half - 0.04 - lamp_width);
    const double y0 = std::min(outer, inner), y1 = std::max(outer, inner);
    shape.plate(rear - kOffset, false, y0, y1, low, high, brake ? kTailOn : kTailOff, tail_surface);
    shape.plate(front + kOffset, true, y0, y1, low, high, head ? kHeadOn : kHeadOff,
                head ? Surface::lamp : Surface::matt);
  }
}

void wheels(Shape& shape, const Body& body, double radius, double front, double rear) {
  const double outer = body.width / 2 - 0.02, inner = outer - 0.24;
  for (const double x : {front, rear}) {
    shape.wheel(x, radius, inner, outer);
    shape.wheel(x, radius, -inner, -outer);
  }
}

void number_plate(Shape& shape, double rear, double front, double z) {
  shape.plate(rear - kOffset, false, -0.26, 0.26, z, z + 0.12, kWhite, Surface::matt);
  shape.plate(front + kOffset, true, -0.26, 0.26, z - 0.15, z - 0.03, kWhite, Surface::matt);
}

void car(Shape& shape, const Body& body) {
  const double half = body.length / 2, w = body.width / 2, h = body.height;
  const double belt = 0.60 * h, sill = 0.14 * h, bumper = 0.30 * h;
  const Color paint = pick(kPaint, body.tint);
  const bool estate = (body.tint >> 8) % 3 == 0;
  shape.frustum({-half + 0.06, half - 0.06, w - 0.03, sill}, {-half, half, w, bumper}, kDark, Surface::matt);
  shape.frustum({-half, half, w, bumper}, {-half + 0.05, half - 0.16, w - 0.03, belt}, paint, Surface::painted);
  const double tail = estate ? -half + 0.10 : -half + 0.16 * body.length;
  const double roof_tail = estate ? -half + 0.32 : -half + 0.29 * body.length;
  shape.frustum({tail, half - 0.28 * body.length, w - 0.07, belt}, {roof_tail, half - 0.46 * body.length, w * 0.72, h},
                paint, Surface::painted);
  // Windows on rear, front, right and left: the five faces of the cabin are the last ones.
  shape.inset(5, 0.88, 0.80, kGlass, Surface::glass);
  shape.inset(5, 0.90, 0.86, kGlass, Surface::glass);
  shape.inset(5, 0.86, 0.76, kGlass, Surface::glass);
  shape.inset(5, 0.86, 0.76, kGlass, Surface::glass);
  if (body.lamps & kBrakeLamps) {
    shape.plate(roof_tail - 0.02, false, -0.22, 0.22, h - 0.07, h - 0.02, kTailOn, Surface::lamp);
  }
  lamps(shape, body, half - 0.03, -half, 0.40 * h, 0.56 * h, 0.24 * body.width);
  number_plate(shape, -half, half - 0.02, 0.33 * h);
  const double radius = 0.215 * h;
  wheels(shape, body, radius, half - 0.19 * body.length, -half + 0.19 * body.length);
}

void van(Shape& shape, const Body& body) {
  const double half = body.length / 2, w = body.width / 2, h = body.height;
  const double sill = 0.12 * h, belt = 0.52 * h;
  const Color paint = pick(kPaint, body.tint % 4 == 3 ? body.tint >> 4 : body.tint >> 4 & 1);
  shape.frustum({-half, half, w, sill}, {-half, half - 0.10, w, belt}, paint, Surface::painted);
  shape.frustum({-half, half - 0.55, w, belt}, {-half + 0.06, half - 1.25, w * 0.90, h}, paint, Surface::painted);
  shape.inset(5, 0.80, 0.52, kGlass, Surface::glass);
  shape.inset(5, 0.90, 0.80, kGlass, Surface::glass);
  const double from = half - 2.1, to = half - 0.85;
  for (const double side : {-1.0, 1.0}) {
    // The windows of the driver's cabin; the cargo room has none.
    const double y0 = side * (w + kOffset), y1 = side * (w * 0.915 + kOffset);
    const Vec3 a{from, y0, belt + 0.06}, b{to, y0, belt + 0.06}, c{to - 0.40, y1, h - 0.18}, d{from, y1, h - 0.18};
    if (side < 0) {
      shape.quad(a, b, c, d, kGlass, Surface::glass);
    } else {
      shape.quad(b, a, d, c, kGlass, Surface::glass);
    }
  }
  lamps(shape, body, half - 0.02, -half, 0.30 * h, 0.44 * h, 0.14 * body.width);
  number_plate(shape, -half, half, 0.24 * h);
  wheels(shape, body, 0.16 * h, half - 0.17 * body.length, -half + 0.20 * body.length);
}

void truck(Shape& shape, const Body& body) {
  const double half = body.length / 2, w = body.width / 2, h = body.height;
  const double cab = std::min(2.2, 0.34 * body.length), floor = 0.30 * h;
  const Color paint = pick(kPaint, body.tint), cargo = pick(kCargo, body.tint >> 5);
  const double cab_height = 0.86 * h;
  shape.frustum({half - cab, half, w * 0.96, 0.12 * h}, {half - cab, half - 0.10, w * 0.94, cab_height}, paint,
                Surface::painted);
  const double glass_low = 0.48 * h, glass_high = 0.76 * h;
  shape.plate(half - 0.03, true, -w * 0.84, w * 0.84, glass_low, glass_high, kGlass, Surface::glass);
  for (const double side : {-1.0, 1.0}) {
    const double y = side * (w * 0.955 + kOffset), x0 = half - 0.72 * cab, x1 = half - 0.16 * cab;
    const Vec3 a{x0, y, glass_low}, b{x1, y, glass_low}, c{x1, y, glass_high}, d{x0, y, glass_high};
    if (side < 0) {
      shape.quad(a, b, c, d, kGlass, Surface::glass);
    } else {
      shape.quad(b, a, d, c, kGlass, Surface::glass);
    }
  }
  shape.box(-half, half - cab - 0.25, -w, w, floor, h, cargo);
  shape.inset(5, 0.94, 0.94, cargo * 0.88f, Surface::matt);  // rear doors
  shape.plate(-half - 2 * kOffset, false, -0.02, 0.02, floor + 0.1, h - 0.1, kDark, Surface::matt);
  shape.box(-half + 0.1, half - cab, -w * 0.42, w * 0.42, 0.17 * h, floor, kDark);        // frame
  shape.box(-half + 0.02, -half + 0.14, -w * 0.92, w * 0.92, 0.13 * h, 0.20 * h, kDark);  // underrun guard
  lamps(shape, body, half, -half, floor - 0.24, floor - 0.06, 0.16 * body.width);
  number_plate(shape, -half, half, 0.20 * h);
  wheels(shape, body, 0.15 * h, half - 0.5 * cab, -half + 0.22 * body.length);
}

void bus(Shape& shape, const Body& body) {
  const double half = body.length / 2, w = body.width / 2, h = body.height;
  const Color paint = pick(kCargo, body.tint >> 3);
  shape.box(-half, half, -w, w, 0.10 * h, h, paint, Surface::painted);
  shape.inset(5, 0.86, 0.34, kGlass, Surface::glass, 0.16);
  shape.inset(5, 0.92, 0.52, kGlass, Surface::glass, 0.06);
  shape.inset(5, 0.94, 0.34, kGlass, Surface::glass, 0.14);
  shape.inset(5, 0.94, 0.34, kGlass, Surface::glass, 0.14);
  lamps(shape, body, half, -half, 0.18 * h, 0.28 * h, 0.12 * body.width);
  number_plate(shape, -half, half, 0.20 * h);
  wheels(shape, body, 0.16 * h, half - 0.22 * body.length, -half + 0.26 * body.length);
}

/// Somebody upright: hips at `hip`, from there to `top`; `lean` metres ahead at the shoulders.
void torso(Shape& shape, std::uint32_t tint, double x, double hip, double top, double half_width, double lean) {
  const Color shirt = pick(kCloth, tint), skin = pick(kSkin, tint >> 6);
  const double shoulder = top - 0.27 * (top - hip), depth = 0.11;
  shape.frustum({x - depth, x + depth, half_width * 0.62, hip},
                {x - depth + lean, x + depth + lean, half_width * 0.78, shoulder}, shirt, Surface::matt);
  for (const double side : {-1.0, 1.0}) {
    const double y = side * half_width * 0.88;
    shape.frustum({x - 0.05 + lean * 0.6, x + 0.07 + lean * 0.6, half_width * 0.13, hip - 0.02},
                  {x - 0.06 + lean, x + 0.06 + lean, half_width * 0.14, shoulder - 0.02}, shirt * 0.8f, Surface::matt,
                  y);
  }
  shape.frustum({x - 0.09 + lean, x + 0.10 + lean, 0.075, shoulder + 0.02},
                {x - 0.09 + lean, x + 0.09 + lean, 0.085, top - 0.05}, skin, Surface::matt);
  shape.box(x - 0.10 + lean, x + 0.09 + lean, -0.09, 0.09, top - 0.07, top, pick(kCloth, tint >> 9) * 0.5f);  // hair
}

void pedestrian(Shape& shape, const Body& body) {
  const double h = body.height, hip = 0.49 * h, half = std::clamp(body.width / 2, 0.2, 0.35);
  const Color trousers = pick(kCloth, body.tint >> 3) * 0.7f;
  for (const double side : {-1.0, 1.0}) {
    const double step = side * 0.22 * std::sin(body.phase);
    shape.frustum({step - 0.09, step + 0.12, 0.07, 0}, {-0.09, 0.09, 0.085, hip}, trousers, Surface::matt,
                  side * half * 0.36);
  }
  torso(shape, body.tint, 0, hip, h, half, 0.03);
}

/// The wheels and frame of a two-wheeler.
void two_wheels(Shape& shape, const Body& body, double radius, double thick, const Color& paint) {
  const double half = body.length / 2;
  for (const double x : {half - radius, -half + radius}) {
    shape.wheel(x, radius, 0, thick);
    shape.wheel(x, radius, 0, -thick);
  }
  shape.box(-half + radius, half - radius, -thick, thick, radius * 1.15, radius * 1.55, paint);
  shape.box(half - radius - 0.10, half - radius - 0.04, -0.26, 0.26, radius * 2.4, radius * 2.5, kDark);  // handlebar
  shape.box(half - radius - 0.09, half - radius - 0.04, -0.025, 0.025, radius, radius * 2.4, kDark);
}

void bicycle(Shape& shape, const Body& body) {
  const double h = body.height;
  two_wheels(shape, body, 0.34, 0.03, pick(kPaint, body.tint >> 4));
  const Color trousers = pick(kCloth, body.tint >> 3) * 0.7f;
  for (const double side : {-1.0, 1.0}) {
    const double lift = 0.14 * std::sin(body.phase) * side;
    shape.frustum({0.0, 0.2, 0.06, 0.24 + lift}, {-0.22, 0.0, 0.08, 0.55 * h}, trousers, Surface::matt, side * 0.11);
  }
  torso(shape, body.tint, -0.10, 0.54 * h, h, 0.25, 0.26);
}

void motorcycle(Shape& shape, const Body& body) {
  const double half = body.length / 2, h = body.height;
  const Color paint = pick(kPaint, body.tint);
  two_wheels(shape, body, 0.31, 0.07, kDark);
  shape.frustum({-half + 0.35, half - 0.45, 0.16, 0.42}, {-half + 0.2, half - 0.6, 0.13, 0.80}, paint,
                Surface::painted);
  for (const double side : {-1.0, 1.0}) {
    shape.frustum({-0.05, 0.15, 0.07, 0.3}, {-0.25, 0.0, 0.09, 0.55 * h}, kDark, Surface::matt, side * 0.22);
  }
  torso(shape, body.tint >> 2, -0.15, 0.52 * h, h, 0.27, 0.18);
  const bool brake = (body.lamps & kBrakeLamps) != 0, head = (body.lamps & kHeadLamps) != 0;
  shape.plate(-half - kOffset, false, -0.10, 0.10, 0.66, 0.80, brake ? kTailOn : kTailOff,
              brake ? Surface::lamp : Surface::matt);
  shape.plate(half - 0.3, true, -0.09, 0.09, 0.72, 0.90, head ? kHeadOn : kHeadOff,
              head ? Surface::lamp : Surface::matt);
}

void cone(Shape& shape, const Body& body) {
  constexpr Color kOrange{0.78f, 0.13f, 0.015f};
  const double half = std::max(0.12, body.width / 2), h = body.height;
  shape.box(-half, half, -half, half, 0, 0.05, kDark);
  const auto ring = [&](double from, double to, const Color& color) {
    const auto radius = [&](double z) { return half * 0.75 * (1 - z / h) + 0.02; };
    shape.frustum({-radius(from), radius(from), radius(from), from}, {-radius(to), radius(to), radius(to), to}, color,
                  Surface::matt);
  };
  ring(0.05, 0.42 * h, kOrange);
  ring(0.42 * h, 0.66 * h, kWhite);
  ring(0.66 * h, h, kOrange);
}

/// A plank with red and white fields on two feet, across the box's longer side.
void barrier(Shape& shape, const Body& body) {
  constexpr Color kRed{0.55f, 0.02f, 0.02f};
  const double half = body.length / 2, w = body.width / 2, h = body.height;
  shape.box(-half, half, -w, w, 0, h, kWhite);
  const double along = 2 * std::max(half, w);
  const int fields = std::max(2, static_cast<int>(along / 0.6));
  for (int i = 0; i < fields; i += 2) {
    const double from = -along / 2 + along * i / fields, to = -along / 2 + along * (i + 1) / fields;
    const double z0 = 0.35 * h, z1 = 0.92 * h;
    if (w >= half) {
      shape.plate(-half - kOffset, false, from, to, z0, z1, kRed, Surface::matt);
      shape.plate(half + kOffset, true, from, to, z0, z1, kRed, Surface::matt);
    } else {
      const double y = w + kOffset;
      shape.quad({from, -y, z0}, {to, -y, z0}, {to, -y, z1}, {from, -y, z1}, kRed, Surface::matt);
      shape.quad({to, y, z0}, {from, y, z0}, {from, y, z1}, {to, y, z1}, kRed, Surface::matt);
    }
  }
}

void sign(Shape& shape, const Body& body) {
  constexpr Color kOrange{0.75f, 0.20f, 0.02f};
  const double h = body.height, half = std::max(0.3, body.width / 2);
  shape.box(-0.03, 0.03, -0.03, 0.03, 0, h * 0.5, kMetal);
  shape.box(-0.04, 0.04, -half, half, h * 0.5, h, kOrange);
}

void box(Shape& shape, const Body& body) {
  const double half = body.length / 2, w = body.width / 2;
  shape.box(-half, half, -w, w, 0, body.height, pick(kCargo, body.tint));
}

void pole(Shape& shape, const Body& body) {
  const double half = body.length / 2, w = body.width / 2;
  shape.box(-half, half, -w, w, 0, body.height, kMetal);
  if (body.z > 0) shape.underside(-half, half, -w, w, 0, kMetal);
}

/// A head with three lamps that looks back, towards who comes along the heading.
void traffic_light(Shape& shape, const Body& body, double least_radius) {
  constexpr Color kHousing{0.02f, 0.022f, 0.02f};
  constexpr Color kOff{0.03f, 0.03f, 0.03f};
  constexpr Color kOn[] = {{0.10f, 2.4f, 0.75f}, {3.0f, 1.35f, 0.04f}, {3.2f, 0.07f, 0.04f}};  // from below
  const int bits[] = {kGreenLamp, kYellowLamp, kRedLamp};
  const double half = body.length / 2, w = body.width / 2, h = body.height;
  shape.box(-half, half, -w, w, 0, h, kHousing);
  shape.underside(-half, half, -w, w, 0, kHousing);
  for (int i = 0; i < 3; ++i) {
    const double z = h * (i + 0.5) / 3, radius = 0.40 * h / 3;
    const bool on = (body.lamps & bits[i]) != 0;
    // A lamp that shines is seen from farther than its size says: cameras see its glow.
    const double size = on ? std::max(radius, std::min(least_radius, 3 * radius)) : radius;
    shape.lamp({-half - (on ? 2 : 1) * kOffset, 0, z}, size, on ? kOn[i] : kOff, on ? Surface::lamp : Surface::matt);
  }
}

}  // namespace

void append_faces(std::vector<BodyFace>& faces, const Body& body, double lamp_radius) {
  Shape shape(faces);
  switch (body.kind) {
    case BodyKind::car:
      return car(shape, body);
    case BodyKind::van:
      return van(shape, body);
    case BodyKind::truck:
      return truck(shape, body);
    case BodyKind::bus:
      return bus(shape, body);
    case BodyKind::motorcycle:
      return motorcycle(shape, body);
    case BodyKind::pedestrian:
      return pedestrian(shape, body);
    case BodyKind::bicycle:
      return bicycle(shape, body);
    case BodyKind::cone:
      return cone(shape, body);
    case BodyKind::barrier:
      return barrier(shape, body);
    case BodyKind::sign:
      return sign(shape, body);
    case BodyKind::pole:
      return pole(shape, body);
    case BodyKind::traffic_light:
      return traffic_light(shape, body, lamp_radius);
    case BodyKind::box:
    case BodyKind::kinds:
      return box(shape, body);
  }
}

}  // namespace wam::camera
