#pragma once
#include <algorithm>
#include <cstddef>

namespace wam::camera {

constexpr int kToneSteps = 16384;
constexpr float kBrightest = 2;  // linear light that is shown as white

/// Levels of a picture, 0 to 255 and not yet rounded, of linear light from 0 to kBrightest in kToneSteps even steps: sRGB
/// with a soft shoulder above 0.7. An entry belongs to the middle of its step.
const float* tone_table();

inline float tone_level(const float* table, float light) {
  return table[static_cast<std::size_t>(std::clamp(light * (kToneSteps / kBrightest), 0.0f, kToneSteps - 1.0f))];
}

}  // namespace wam::camera
