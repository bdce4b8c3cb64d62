#pragma once
// A picture of any size as the square that a vision tower takes: the whole picture, scaled and centred on a plain
// background. Bit for bit what Pillow's bilinear resize gives, which Janus-style towers are trained with.

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace wam::vision {

constexpr int kMaxSide = 65'535;   // of a picture; more is no JPEG
constexpr int kMaxSquare = 4'096;  // of a square

/// 8 bits a channel, row by row without gaps. Four channels are RGBA, of which the last is ignored.
struct Pixels {
  const std::uint8_t* data = nullptr;
  int width = 0, height = 0;
  int channels = 3;  // 3 or 4
};

/// Where the scaled picture lies in its square, in pixels.
struct Placement {
  int left = 0, top = 0, width = 0, height = 0;
};

/// The longer side becomes `size` and the other follows, each rounded down and at least 1. As in the released code the
/// double product is rounded down for both sides, so that for some lengths (47, 1505) the longer one is a pixel short.
/// Throws Error(ERR_RANGE) for sides outside 1 to kMaxSide or a square outside 1 to kMaxSquare.
Placement place(int width, int height, int size);

/// Scaled to width x height, RGB [height, width, 3]: a triangle filter over the source pixels that a target pixel covers,
/// first along rows, then along columns, each rounded to 8 bits. Weights are whole multiples of 2^-22.
/// Throws Error(ERR_RANGE) as `place` does.
std::vector<std::uint8_t> resize(const Pixels& from, int width, int height);

/// RGB [size, size, 3].
std::vector<std::uint8_t> letterbox(const Pixels& from, int size, std::array<std::uint8_t, 3> background);

/// values[c][i] = (rgb[i][c] / 255 - 1/2) / (1/2) in float32: `count` pixels to [3, count], from -1 to 1.
void to_planes(const std::uint8_t* rgb, std::size_t count, float* values);

}  // namespace wam::vision
