#include "camera/tone.h"

#include <array>
#include <cmath>

namespace wam::camera {
namespace {

float exact_level(float light) {
  constexpr float kShoulder = 0.7f;
  const float over = light - kShoulder;
  const float shown = over <= 0 ? light : kShoulder + (1 - kShoulder) * (1 - std::exp(-over / (1 - kShoulder)));
  const float coded = shown <= 0.0031308f ? 12.92f * shown : 1.055f * std::pow(shown, 1 / 2.4f) - 0.055f;
  return 255 * std::clamp(coded, 0.0f, 1.0f);
}

}  // namespace

const float* tone_table() {
  static const std::array<float, kToneSteps> table = [] {
    std::array<float, kToneSteps> levels;
    for (std::size_t i = 0; i < levels.size(); ++i) {
      levels[i] = exact_level(kBrightest * (static_cast<float>(i) + 0.5f) / kToneSteps);
    }
    return levels;
  }();
  return table.data();
}

}  // namespace wam::camera
