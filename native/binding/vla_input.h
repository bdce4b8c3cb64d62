#pragma once
// What comes from JavaScript for a vision-language model. Everything is checked here or by the model, and copied.

#include <napi.h>

#include <vector>

#include "binding/fields.h"
#include "vla/vla_config.h"
#include "vla/vla_runner.h"

namespace wam::binding {

/// { language: {...}, vision: {...}, alignerDepth } of lib/native-vla.ts.
vla::VlaConfig read_vla_config(Napi::Value value);

struct VlaInput {
  std::vector<std::int32_t> ids;
  std::vector<std::uint8_t> image;
  std::vector<float> pixels;
  int images = 0;
  vla::Mask mask = vla::Mask::full;
  int prefix_rows = 0;
};

/// { ids, imageMask, pixels, mask, prefixRows }. Throws Error: ERR_ARGUMENT; ERR_SHAPE for pixels that are no whole images
/// or a mask of another length; ERR_NOT_FINITE for a pixel that is none.
VlaInput read_vla_input(const Fields& fields, const vla::VlaConfig& config);

}  // namespace wam::binding
