#include "camera/renderer.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "camera/noise.h"
#include "camera/tone.h"
#include "core/planar.h"

namespace wam::camera {
namespace {

constexpr int kBandRows = 16;
constexpr double kGroundNear = 0.3;  // metres along the optical axis
/// Farther than this a layer is not drawn, metres; it would be less than a tenth of a pixel, or haze.
constexpr double kReach[kLayers] = {220, 90, 500, 220, 220, 160};
constexpr double kBodyReach = 400;
/// Textures begin anew beyond this, metres: their places stay exact in float32.
constexpr double kTextureSpan = 20'000;

/// How well a pattern of this size can be seen where a pixel is so many metres long: 1 well, 0 not at all.
float seen_pattern(float size, float pixel) { return std::clamp(size / std::max(pixel, 1e-6f) - 0.6f, 0.0f, 1.0f); }

}  // namespace

void Renderer::render(const FrameInput& input, const FrameOutput& output) {
  view_ = View(input.pose);
  weather_ = input.varied ? draw_weather(input.seed) : plain_weather(input.pose.heading);
  const auto width = static_cast<std::size_t>(input.pose.width);
  const int height = input.pose.height_px;
  row_.resize(width);
  nothing_.assign(width, 0.0f);
  coverage_.resize(static_cast<std::size_t>(kLayers * kBandRows) * (width + 2));
  band_.resize(input.pose.width * kSamples, kBandRows * kSamples);
  for (auto& edges : edges_) edges.clear();
  faces_.clear();
  add_ground(input);
  add_bodies(input);
  make_skyline(input);
  if (output.sights != nullptr) {
    silhouettes_.assign(input.bodies.size(), 0);
    visible_.assign(input.bodies.size(), 0);
    std::fill_n(output.sights, input.bodies.size(),
                Sight{0, 0, static_cast<float>(width), static_cast<float>(height), 0, 0, 0});
  }
  for (int row = 0; row < height; row += kBandRows) draw_rows(input, output, row, std::min(kBandRows, height - row));
  if (output.sights == nullptr) return;
  for (std::size_t i = 0; i < input.bodies.size(); ++i) {
    Sight& sight = output.sights[i];
    sight.visible = static_cast<float>(visible_[i]) / (kSamples * kSamples);
    sight.silhouette = static_cast<float>(silhouettes_[i]) / (kSamples * kSamples);
    if (visible_[i] == 0) sight = Sight{0, sight.silhouette, 0, 0, 0, 0, 0};
  }
}

void Renderer::add_ground(const FrameInput& input) {
  if (input.map == nullptr) return;
  const Pose& pose = input.pose;
  // Half of the horizontal field of view, for polygons that lie beside it.
  const double slope = 0.5 * pose.width / pose.focal, side = std::sqrt(1 + slope * slope);
  const double cos_pitch = std::cos(pose.pitch), sin_pitch = std::sin(pose.pitch);
  for (const GroundPolygon& polygon : input.map->polygons()) {
    const double dx = polygon.center.x - pose.x, dy = polygon.center.y - pose.y;
    const double ahead = dx * view_.cos_heading() + dy * view_.sin_heading();
    const double right = dx * view_.sin_heading() - dy * view_.cos_heading();
    // Along the optical axis, not over the ground: it looks down.
    const double depth = ahead * cos_pitch + pose.height * sin_pitch;
    if (depth < kGroundNear - polygon.radius || ahead - polygon.radius > kReach[static_cast<int>(polygon.layer)])
      continue;
    if (std::abs(right) - slope * depth > polygon.radius * side) continue;
    Layer layer = polygon.layer;
    if (layer == Layer::yellow && !weather_.yellow_middle) layer = Layer::white;
    add_ground_polygon(layer, input.map->points_of(polygon));
  }
}

/// Cuts a polygon on the ground at the near plane and adds its border to a layer.
void Renderer::add_ground_polygon(Layer layer, std::span<const Point> points) {
  clipped_.clear();
  Vec3 a = view_.to_camera({points.back().x, points.back().y, 0});
  for (const Point& point : points) {
    const Vec3 b = view_.to_camera({point.x, point.y, 0});
    if ((a.z >= kGroundNear) != (b.z >= kGroundNear)) {
      const double t = (kGroundNear - a.z) / (b.z - a.z);
      clipped_.push_back({a.x + (b.x - a.x) * t, a.y + (b.y - a.y) * t, kGroundNear});
    }
    if (b.z >= kGroundNear) clipped_.push_back(b);
    a = b;
  }
  if (clipped_.size() < 3) return;
  const double width = view_.pose().width, height = view_.pose().height_px;
  auto& edges = edges_[static_cast<int>(layer)];
  double u = view_.u(clipped_.back()), v = view_.v(clipped_.back());
  for (const Vec3& corner : clipped_) {
    const double next_u = view_.u(corner), next_v = view_.v(corner);
    append_edge(edges, u, v, next_u, next_v, width, height);
    u = next_u, v = next_v;
  }
}

void Renderer::add_bodies(const FrameInput& input) {
  const Pose& pose = input.pose;
  for (std::size_t i = 0; i < input.bodies.size(); ++i) {
    const Body& body = input.bodies[i];
    const Vec3 middle = view_.to_camera({body.x, body.y, body.z + body.height / 2});
    const double radius =
        0.5 * std::sqrt(body.length * body.length + body.width * body.width + body.height * body.height) + 0.5;
    if (middle.z > kBodyReach) continue;
    // Shadows reach farther than bodies.
    if (middle.z > -30 && middle.z < kReach[static_cast<int>(Layer::shadow)]) add_shadow(body);
    if (middle.z < kNear - radius) continue;
    body_faces_.clear();
    append_faces(body_faces_, body, 0.9 * middle.z / pose.focal);
    const double cosine = std::cos(body.heading), sine = std::sin(body.heading);
    const double distance = std::sqrt(dot(middle, middle));
    const float haze = haze_at(weather_, static_cast<float>(distance));
    for (const BodyFace& face : body_faces_) {
      Vec3 corners[8], placed[8], center{0, 0, 0};
      for (int k = 0; k < face.corners; ++k) {
        const Vec3& c = face.corner[static_cast<std::size_t>(k)];
        placed[k] = {body.x + c.x * cosine - c.y * sine, body.y + c.x * sine + c.y * cosine, body.z + c.z};
        corners[k] = view_.to_camera(placed[k]);
        center = {center.x + placed[k].x / face.corners, center.y + placed[k].y / face.corners,
                  center.z + placed[k].z / face.corners};
      }
      const Vec3 across = cross(placed[1] - placed[0], placed[2] - placed[0]);
      const double size = std::sqrt(dot(across, across));
      if (size < 1e-12) continue;
      const Vec3 normal{across.x / size, across.y / size, across.z / size};
      const Vec3 ray{pose.x - center.x, pose.y - center.y, pose.height - center.z};
      const double length = std::max(1e-9, std::sqrt(dot(ray, ray)));
      const Vec3 to_camera{ray.x / length, ray.y / length, ray.z / length};
      if (dot(normal, to_camera) <= 0) continue;
      const Color color = shade(weather_, face.color, face.surface, normal, to_camera);
      // Light goes through haze better than what it shines on.
      const float share = face.surface == Surface::lamp ? 0.5f * haze : haze;
      faces_.add(view_, {corners, static_cast<std::size_t>(face.corners)}, mix(color, weather_.horizon, share),
                 static_cast<int>(i));
    }
  }
}

/// The shadow of the body's box on the ground: the hull of its lower side and of its upper side moved away from the sun.
void Renderer::add_shadow(const Body& body) {
  if (body.kind == BodyKind::traffic_light) return;
  const double cosine = std::cos(body.heading), sine = std::sin(body.heading);
  const double reach = std::min(6.0, 1 / std::max(0.05, weather_.sun.z));
  Point corner[8];
  for (int i = 0; i < 8; ++i) {
    const double x = (i & 1 ? 0.48 : -0.48) * body.length, y = (i & 2 ? 0.48 : -0.48) * body.width;
    // The upper part of most bodies is smaller than their box.
    const double z = body.z + (i & 4 ? 0.85 * body.height : 0), shrink = i & 4 ? 0.8 : 1;
    corner[i] = {body.x + shrink * (x * cosine - y * sine) - weather_.sun.x * z * reach,
                 body.y + shrink * (x * sine + y * cosine) - weather_.sun.y * z * reach};
  }
  std::sort(corner, corner + 8, [](const Point& a, const Point& b) { return a.x < b.x || (a.x == b.x && a.y < b.y); });
  const auto turns_left = [](const Point& a, const Point& b, const Point& c) {
    return (b.x - a.x) * (c.y - a.y) - (b.y - a.y) * (c.x - a.x) > 0;
  };
  Point hull[17];
  std::size_t n = 0;
  for (int i = 0; i < 8; ++i) {
    while (n >= 2 && !turns_left(hull[n - 2], hull[n - 1], corner[i])) --n;
    hull[n++] = corner[i];
  }
  const std::size_t lower = n + 1;
  for (int i = 6; i >= 0; --i) {
    while (n >= lower && !turns_left(hull[n - 2], hull[n - 1], corner[i])) --n;
    hull[n++] = corner[i];
  }
  if (n >= 4) add_ground_polygon(Layer::shadow, {hull, n - 1});
}

/// Woods, or houses where there are pavements, far behind everything.
void Renderer::make_skyline(const FrameInput& input) {
  const int width = input.pose.width;
  skyline_.assign(static_cast<std::size_t>(width), 0.0f);
  highest_skyline_ = 0;
  if (!input.varied) return;
  const bool houses = input.map != nullptr && input.map->has_sidewalk();
  const std::uint32_t seed = weather_.texture_seed;
  ValueNoise wide(seed), woods(seed), trees(seed);
  for (int i = 0; i < width; ++i) {
    const double right = (i + 0.5 - view_.center_u()) / input.pose.focal;
    // Around the horizon in units of 1 / 2 pi; woods of a scene stay where they are when the camera turns.
    const auto azimuth = static_cast<float>(input.pose.heading - std::atan(right));
    float height;
    if (houses) {
      const float cell = std::floor(azimuth * 23), fine = std::floor(azimuth * 61);
      const auto at = [&](float x) { return unit(scramble(seed, static_cast<std::uint32_t>(static_cast<int>(x)), 7)); };
      height = 0.012f + 0.055f * at(cell) * at(cell + 1000) + 0.022f * at(fine + 5000);
    } else {
      height = 0.014f + 0.010f * wide.at(azimuth * 6, 0.5f) + 0.006f * woods.at(azimuth * 40, 1.5f) +
               0.003f * trees.at(azimuth * 160, 2.5f);
    }
    height *= static_cast<float>(std::sqrt(1 + right * right));
    skyline_[static_cast<std::size_t>(i)] = height;
    highest_skyline_ = std::max(highest_skyline_, height);
  }
}

void Renderer::draw_rows(const FrameInput& input, const FrameOutput& output, int first_row, int rows) {
  const int width = input.pose.width;
  const std::size_t stride = static_cast<std::size_t>(width) + 2;
  for (int layer = 0; layer < kLayers; ++layer) {
    float* sums = coverage_.data() + static_cast<std::size_t>(layer * kBandRows) * stride;
    covered_[layer] = touches(edges_[layer], first_row, rows);
    if (!covered_[layer]) continue;
    std::fill_n(sums, static_cast<std::size_t>(rows) * stride, 0.0f);
    add_coverage(edges_[layer], first_row, rows, width, sums);
    for (int row = 0; row < rows; ++row) resolve_coverage(sums + static_cast<std::size_t>(row) * stride, width);
  }
  band_.draw(faces_, first_row * kSamples, rows * kSamples, output.sights != nullptr);
  if (output.sights != nullptr) band_.add_silhouettes(silhouettes_);
  for (int row = 0; row < rows; ++row) {
    const int at = first_row + row;
    const auto offset = static_cast<std::size_t>(at) * static_cast<std::size_t>(width);
    const double down = view_.down(at + 0.5);
    if (down > 0) {
      ground_row(input, at, row);
    } else {
      sky_row(input, at);
    }
    const auto depth = down > 0 ? static_cast<float>(input.pose.height / down) : std::numeric_limits<float>::infinity();
    if (output.depth != nullptr) std::fill_n(output.depth + offset, width, depth);
    if (output.ids != nullptr) std::fill_n(output.ids + offset, width, down > 0 ? kGroundId : kSkyId);
    body_row(output, at, row, input.bodies);
    finish_row(input, at, output.rgb + 3 * offset);
  }
}

void Renderer::sky_row(const FrameInput& input, int row) {
  const double v = row + 0.5;
  const double up = -view_.down(v), ahead = view_.ahead(v), focal = input.pose.focal;
  const Weather& w = weather_;
  const double cos_h = view_.cos_heading(), sin_h = view_.sin_heading();
  const Color trees = mix(w.grass * (w.ambient.g * 0.55f), w.horizon, haze_at(w, 260));
  const Color houses = mix(w.paving * (w.ambient.g * 0.8f), w.horizon, haze_at(w, 330));
  const bool urban = input.map != nullptr && input.map->has_sidewalk();
  ValueNoise large(w.texture_seed ^ 0x51u), small(w.texture_seed ^ 0x52u);
  // The sky changes so slowly along a row that a place every few pixels is enough.
  const auto sky_at = [&](double u) {
    const double right = (u - view_.center_u()) / focal;
    // The ray in the frame of the map.
    const double x = ahead * cos_h + right * sin_h, y = ahead * sin_h - right * cos_h;
    const double length = std::sqrt(x * x + y * y + up * up);
    const auto height = static_cast<float>(up / length);
    Color sky = mix(w.horizon, w.zenith, 1 - 1 / (1 + 3.2f * height));
    const auto toward = static_cast<float>((x * w.sun.x + y * w.sun.y + up * w.sun.z) / length);
    if (toward > 0) {
      const float t2 = toward * toward, t8 = t2 * t2 * t2 * t2, t32 = t8 * t8 * t8 * t8;
      sky = sky + w.sunlight * (0.10f * t8 + 0.35f * t32 * t32);
    }
    if (w.cloud > 0 && input.varied) {
      const auto scale = static_cast<float>(1 / (up + 0.06 * length));
      const auto cx = static_cast<float>(x) * scale, cy = static_cast<float>(y) * scale;
      const float pattern = 0.62f * large.at(cx * 0.9f, cy * 0.9f) + 0.38f * small.at(cx * 2.6f, cy * 2.6f);
      const float share =
          std::clamp((pattern + 1.6f * w.cloud - 0.9f) * 1.6f, 0.0f, 1.0f) * std::clamp(height * 9 - 0.2f, 0.0f, 1.0f);
      const Color white = w.ambient * 1.15f + w.sunlight * 0.42f;
      sky = mix(sky, white, 0.8f * share);
    }
    return sky;
  };
  constexpr int kSkyPixels = 4;
  Color next = sky_at(0.5);
  const int width = input.pose.width;
  for (int first = 0; first < width; first += kSkyPixels) {
    const Color from = next;
    next = sky_at(first + kSkyPixels + 0.5);
    for (int i = first; i < std::min(width, first + kSkyPixels); ++i) {
      row_[static_cast<std::size_t>(i)] = mix(from, next, static_cast<float>(i - first) * (1.0f / kSkyPixels));
    }
  }
  const auto rise = static_cast<float>(up / ahead);
  if (rise > highest_skyline_ + 1 / static_cast<float>(focal)) return;
  for (int i = 0; i < width; ++i) {
    // The skyline stands so many pixels above the horizon; the pixel at its height is part of both.
    const float above = skyline_[static_cast<std::size_t>(i)] - rise;
    const float share = std::clamp(above * static_cast<float>(focal) + 0.5f, 0.0f, 1.0f);
    Color& color = row_[static_cast<std::size_t>(i)];
    if (share > 0) color = mix(color, urban ? houses : trees, share);
  }
}

void Renderer::ground_row(const FrameInput& input, int row, int band_row) {
  const Pose& pose = input.pose;
  const Weather& w = weather_;
  const int width = pose.width;
  const std::size_t stride = static_cast<std::size_t>(width) + 2;
  const auto layer = [&](Layer which) -> const float* {
    if (!covered_[static_cast<int>(which)]) return nothing_.data();
    return coverage_.data() + (static_cast<std::size_t>(static_cast<int>(which) * kBandRows + band_row)) * stride;
  };
  const float *paving = layer(Layer::sidewalk), *kerb = layer(Layer::kerb), *road = layer(Layer::road);
  const float *white = layer(Layer::white), *yellow = layer(Layer::yellow), *shadow = layer(Layer::shadow);
  const double v = row + 0.5, down = view_.down(v);
  const double depth = pose.height / down, ahead = depth * view_.ahead(v);
  // Length of a pixel on the ground: ahead, where it is the longer, and across.
  const double upper = view_.down(v - 0.5);
  const double far_ahead = upper > 0 ? pose.height / upper * view_.ahead(v - 0.5) : ahead * 2;
  const auto pixel = static_cast<float>(std::max(std::abs(far_ahead - ahead), depth / pose.focal));
  // Place of the pixel in the middle of the row, from the textures' origin, and the way to the next pixel.
  const Point origin = input.map != nullptr ? input.map->origin() : Point{0, 0};
  const double step = depth / pose.focal;
  const double first = (0.5 - view_.center_u()) * step;
  const double x0 =
      std::remainder(pose.x - origin.x, kTextureSpan) + ahead * view_.cos_heading() + first * view_.sin_heading();
  const double y0 =
      std::remainder(pose.y - origin.y, kTextureSpan) + ahead * view_.sin_heading() - first * view_.cos_heading();
  const double step_x = step * view_.sin_heading(), step_y = -step * view_.cos_heading();
  const Color light = w.ambient + w.sunlight * static_cast<float>(w.sun.z);
  const Color grass_light = w.grass * light, road_light = w.asphalt * light, paving_light = w.paving * light;
  const Color kerb_light = (input.map != nullptr && input.map->has_sidewalk() ? w.kerb : w.verge) * light;
  const Color white_light = w.white * light, yellow_light = w.yellow * light;
  const float fine = w.texture * seen_pattern(0.07f, pixel), middle = w.texture * seen_pattern(0.6f, pixel);
  const float coarse = w.texture * seen_pattern(4.5f, pixel);
  ValueNoise patches(w.texture_seed), spots(w.texture_seed ^ 1), grains(w.texture_seed ^ 2);
  const double side = pose.height * pose.height + ahead * ahead;
  // Haze by the distance of the ray's end; it changes so slowly along a row that nine places are enough.
  constexpr int kHazePlaces = 8;
  float haze[kHazePlaces + 1];
  for (int i = 0; i <= kHazePlaces; ++i) {
    const double right = (static_cast<double>(i) / kHazePlaces * width - view_.center_u()) * step;
    haze[i] = haze_at(w, static_cast<float>(std::sqrt(side + right * right)));
  }
  const float to_place = static_cast<float>(kHazePlaces) / static_cast<float>(width);
  for (int i = 0; i < width; ++i) {
    const auto x = static_cast<float>(x0 + i * step_x), y = static_cast<float>(y0 + i * step_y);
    float grass_pattern = 1, road_pattern = 1;
    if (coarse > 0) {
      const float c = coarse * patches.at(x * 0.22f, y * 0.22f);
      grass_pattern += 0.24f * c;
      road_pattern += 0.10f * c;
    }
    if (middle > 0) {
      const float m = middle * spots.at(x * 1.7f, y * 1.7f);
      grass_pattern += 0.30f * m;
      road_pattern += 0.09f * m;
    }
    if (fine > 0) {
      const float f = fine * grains.at(x * 14.3f, y * 14.3f);
      grass_pattern += 0.42f * f;
      road_pattern += 0.16f * f;
    }
    Color color = grass_light * grass_pattern;
    if (paving[i] > 0) color = mix(color, paving_light * road_pattern, paving[i]);
    if (kerb[i] > 0) color = mix(color, kerb_light * road_pattern, kerb[i]);
    if (road[i] > 0) color = mix(color, road_light * road_pattern, road[i]);
    // Paint wears off where the road is rough.
    if (yellow[i] > 0) color = mix(color, yellow_light, yellow[i] * std::min(1.0f, 0.55f + 0.4f * road_pattern));
    if (white[i] > 0) color = mix(color, white_light, white[i] * std::min(1.0f, 0.55f + 0.4f * road_pattern));
    if (shadow[i] > 0) color = color * (1 - w.shadow * shadow[i]);
    const float place = (static_cast<float>(i) + 0.5f) * to_place;
    const auto k = static_cast<int>(place);
    row_[static_cast<std::size_t>(i)] =
        mix(color, w.horizon, haze[k] + (haze[k + 1] - haze[k]) * (place - static_cast<float>(k)));
  }
}

/// Lays the bodies over a row of ground or sky, and fills in what else was asked for.
void Renderer::body_row(const FrameOutput& output, int row, int band_row, std::span<const Body> bodies) {
  const int upper = band_row * kSamples;
  int left = std::numeric_limits<int>::max(), right = 0;
  for (int k = 0; k < kSamples; ++k) {
    left = std::min(left, band_.left(upper + k));
    right = std::max(right, band_.right(upper + k));
  }
  if (left >= right) return;
  const auto faces = faces_.faces();
  const int width = view_.pose().width;
  const std::size_t offset = static_cast<std::size_t>(row) * static_cast<std::size_t>(width);
  constexpr int kAll = kSamples * kSamples;
  for (int i = left / kSamples; i < std::min(width, (right + kSamples - 1) / kSamples); ++i) {
    int body[kAll];
    float inverse[kAll];
    Color sum;
    int covered = 0;
    for (int k = 0; k < kAll; ++k) {
      const int y = upper + k / kSamples, x = i * kSamples + k % kSamples;
      const int face = band_.face(y, x);
      body[k] = -1;
      inverse[k] = 0;
      if (face < 0) continue;
      const ScreenFace& seen = faces[static_cast<std::size_t>(face)];
      sum = sum + seen.color;
      body[k] = seen.body;
      inverse[k] = band_.inverse_depth(y, x);
      ++covered;
    }
    if (covered == 0) continue;
    const Color behind = row_[static_cast<std::size_t>(i)];
    row_[static_cast<std::size_t>(i)] = (sum + behind * static_cast<float>(kAll - covered)) * (1.0f / kAll);
    if (output.sights != nullptr) {
      for (int k = 0; k < kAll; ++k) {
        if (body[k] < 0) continue;
        ++visible_[static_cast<std::size_t>(body[k])];
        Sight& sight = output.sights[body[k]];
        sight.left = std::min(sight.left, static_cast<float>(i));
        sight.top = std::min(sight.top, static_cast<float>(row));
        sight.right = std::max(sight.right, static_cast<float>(i + 1));
        sight.bottom = std::max(sight.bottom, static_cast<float>(row + 1));
        const float depth = 1 / inverse[k];
        if (sight.depth == 0 || depth < sight.depth) sight.depth = depth;
      }
    }
    if (output.depth == nullptr && output.ids == nullptr) continue;
    // What most samples show; of as many the nearest.
    int best = -1, best_count = kAll - covered;
    float best_inverse = 0;
    for (int k = 0; k < kAll; ++k) {
      if (body[k] < 0) continue;
      int count = 0;
      float nearest = 0;
      for (int m = 0; m < kAll; ++m) {
        if (body[m] != body[k]) continue;
        ++count;
        nearest = std::max(nearest, inverse[m]);
      }
      if (count > best_count || (count == best_count && nearest > best_inverse)) {
        best = body[k], best_count = count, best_inverse = nearest;
      }
    }
    if (best < 0) continue;
    if (output.depth != nullptr) output.depth[offset + static_cast<std::size_t>(i)] = 1 / best_inverse;
    if (output.ids != nullptr)
      output.ids[offset + static_cast<std::size_t>(i)] = bodies[static_cast<std::size_t>(best)].id;
  }
}

void Renderer::finish_row(const FrameInput& input, int row, std::uint8_t* rgb) const {
  const int width = input.pose.width;
  const auto seed_low = static_cast<std::uint32_t>(input.noise_seed);
  const std::uint32_t seed =
      scramble(seed_low, static_cast<std::uint32_t>(input.noise_seed >> 32), static_cast<std::uint32_t>(row));
  const float cu = static_cast<float>(view_.center_u()),
              dv = static_cast<float>(row) + 0.5f - static_cast<float>(view_.center_v());
  const float corner = 1 / (cu * cu + static_cast<float>(view_.center_v() * view_.center_v()));
  // The sum of two uniform numbers in [-1, 1) has a standard deviation of sqrt(2 / 3).
  const float noise = weather_.noise * std::sqrt(1.5f);
  const float* tone = tone_table();
  for (int i = 0; i < width; ++i) {
    const float du = static_cast<float>(i) + 0.5f - cu;
    const float gain = weather_.exposure * (1 - weather_.vignette * (du * du + dv * dv) * corner);
    const Color& c = row_[static_cast<std::size_t>(i)];
    float level[3] = {tone_level(tone, c.r * gain), tone_level(tone, c.g * gain), tone_level(tone, c.b * gain)};
    if (noise > 0) {
      const std::uint32_t a = scramble(seed ^ (static_cast<std::uint32_t>(i) * 0x9e3779b1u)),
                          b = scramble(a ^ 0x68bc21ebu);
      const auto part = [](std::uint32_t word, int shift) {
        return static_cast<float>(static_cast<int>(word >> shift & 1023u) - 512) * (1.0f / 512);
      };
      for (int k = 0; k < 3; ++k) level[k] += noise * (part(a, 10 * k) + part(b, 10 * k));
    }
    for (int k = 0; k < 3; ++k) rgb[3 * i + k] = static_cast<std::uint8_t>(std::clamp(level[k] + 0.5f, 0.0f, 255.0f));
  }
}

}  // namespace wam::camera
