#include "camera/weather.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "camera/bodies.h"
#include "camera/noise.h"

namespace wam::camera {
namespace {

Vec3 direction(double azimuth, double elevation) {
  return {std::cos(azimuth) * std::cos(elevation), std::sin(azimuth) * std::cos(elevation), std::sin(elevation)};
}

}  // namespace

Weather plain_weather(double heading) {
  Weather w;
  w.sun = direction(heading + std::numbers::pi, 0.9);
  w.sunlight = {0.95f, 0.92f, 0.86f};
  w.ambient = {0.36f, 0.39f, 0.44f};
  w.zenith = {0.20f, 0.36f, 0.66f};
  w.horizon = {0.62f, 0.68f, 0.74f};
  w.asphalt = {0.105f, 0.106f, 0.110f};
  w.grass = {0.085f, 0.130f, 0.042f};
  w.paving = {0.27f, 0.26f, 0.245f};
  w.kerb = {0.36f, 0.355f, 0.34f};
  w.verge = {0.20f, 0.17f, 0.125f};
  w.white = {0.74f, 0.74f, 0.72f};
  w.yellow = {0.62f, 0.40f, 0.05f};
  return w;
}

Weather draw_weather(std::uint64_t seed) {
  Draw draw(seed);
  Weather w = plain_weather(0);
  const float elevation = draw.range(0.20f, 1.15f);
  w.sun = direction(draw.range(0, 2 * std::numbers::pi_v<float>), elevation);
  // Low suns are warmer and weaker.
  const float low = std::clamp((0.75f - elevation) / 0.6f, 0.0f, 1.0f);
  w.cloud = draw.range(-0.25f, 1.0f);
  w.cloud = std::max(0.0f, w.cloud);
  const float overcast = std::clamp((w.cloud - 0.55f) / 0.4f, 0.0f, 1.0f);
  const Color warm = mix({0.97f, 0.94f, 0.88f}, {0.95f, 0.70f, 0.44f}, low);
  w.sunlight = warm * ((1 - 0.22f * low) * (1 - 0.88f * overcast));
  w.ambient = mix({0.33f, 0.37f, 0.44f}, {0.56f, 0.57f, 0.585f}, overcast) * draw.range(0.85f, 1.15f);
  w.zenith = mix({0.14f, 0.30f, 0.62f}, {0.52f, 0.54f, 0.57f}, overcast) * draw.range(0.8f, 1.15f);
  w.horizon =
      mix(mix({0.60f, 0.67f, 0.74f}, {0.80f, 0.66f, 0.50f}, low * draw.next()), {0.66f, 0.67f, 0.68f}, overcast);
  w.haze_metres = std::exp(draw.range(std::log(160.0f), std::log(1100.0f)));
  w.shadow = 0.62f * (1 - 0.75f * overcast);
  w.exposure = draw.range(0.78f, 1.28f);
  w.noise = draw.range(0.6f, 3.8f);
  w.vignette = draw.range(0.0f, 0.22f);
  const auto vary = [&](Color& color, float spread) {
    const float level = 1 + spread * (2 * draw.next() - 1), tint = 0.12f * spread * (2 * draw.next() - 1);
    color = {color.r * (level + tint), color.g * level, color.b * (level - tint)};
  };
  vary(w.asphalt, 0.45f);
  vary(w.paving, 0.25f);
  vary(w.kerb, 0.2f);
  vary(w.verge, 0.3f);
  vary(w.white, 0.2f);
  vary(w.yellow, 0.2f);
  // From fresh to dry.
  w.grass = mix({0.055f, 0.115f, 0.030f}, {0.185f, 0.160f, 0.070f}, draw.next()) * draw.range(0.8f, 1.2f);
  w.texture = draw.range(0.5f, 1.2f);
  w.texture_seed = draw.word();
  w.yellow_middle = draw.next() < 0.45f;
  return w;
}

Color shade(const Weather& w, const Color& color, Surface surface, const Vec3& normal, const Vec3& to_camera) {
  if (surface == Surface::lamp) return color;
  const auto facing = static_cast<float>(std::max(0.0, dot(normal, w.sun)));
  // What looks up sees the sky, what looks down sees the road.
  const auto up = static_cast<float>(0.5 + 0.5 * normal.z);
  const Color around = mix(w.ambient * 0.45f, w.ambient, up);
  const Color lit = color * (w.sunlight * facing + around);
  if (surface == Surface::matt) return lit;
  // Paint and glass mirror the sky (or the road), glass more, and more at flat angles.
  const double cosine = std::clamp(dot(normal, to_camera), 0.0, 1.0);
  const Vec3 mirrored{2 * cosine * normal.x - to_camera.x, 2 * cosine * normal.y - to_camera.y,
                      2 * cosine * normal.z - to_camera.z};
  const auto height = static_cast<float>(std::clamp(mirrored.z * 2.0, 0.0, 1.0));
  const Color seen = mirrored.z > 0 ? mix(w.horizon, w.zenith, height) * 0.9f : w.asphalt * 1.2f;
  const float grazing = static_cast<float>(std::pow(1 - cosine, 4.0));
  const float share = surface == Surface::glass ? 0.10f + 0.6f * grazing : 0.035f + 0.35f * grazing;
  const auto glint = static_cast<float>(std::pow(std::max(0.0, dot(mirrored, w.sun)), 24.0));
  return mix(lit, seen, share) + w.sunlight * (glint * (surface == Surface::glass ? 0.9f : 0.5f));
}

float haze_at(const Weather& weather, float metres) { return 1 - std::exp(-metres / weather.haze_metres); }

}  // namespace wam::camera
