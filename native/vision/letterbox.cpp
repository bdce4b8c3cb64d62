#include "vision/letterbox.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "core/error.h"

namespace wam::vision {
namespace {

constexpr int kFractionBits = 22;  // 8 bits of pixel and the sum of weights fit 32 bits with two to spare
constexpr std::int32_t kHalf = 1 << (kFractionBits - 1);

/// The source pixels that each target pixel is made of, along one axis.
struct Taps {
  std::size_t stride = 0;            // weights set aside for a target pixel
  std::vector<int> first, count;     // [to]
  std::vector<std::int32_t> weight;  // [to, stride]
};

Taps make_taps(int from, int to) {
  const double scale = static_cast<double>(from) / to;
  const double reach = std::max(scale, 1.0);  // half the width of the triangle, in source pixels
  const double narrow = 1.0 / reach;
  Taps taps;
  taps.stride = static_cast<std::size_t>(std::ceil(reach)) * 2 + 1;
  taps.first.resize(static_cast<std::size_t>(to));
  taps.count.resize(static_cast<std::size_t>(to));
  taps.weight.resize(static_cast<std::size_t>(to) * taps.stride);
  std::vector<double> weight(taps.stride);
  for (int i = 0; i < to; ++i) {
    const double center = (i + 0.5) * scale;
    const int first = std::max(static_cast<int>(center - reach + 0.5), 0);
    const int count = std::min(static_cast<int>(center + reach + 0.5), from) - first;
    double sum = 0;
    for (int k = 0; k < count; ++k) {
      const double distance = std::abs((k + first - center + 0.5) * narrow);
      weight[static_cast<std::size_t>(k)] = distance < 1 ? 1 - distance : 0;
      sum += weight[static_cast<std::size_t>(k)];
    }
    std::int32_t* out = &taps.weight[static_cast<std::size_t>(i) * taps.stride];
    for (int k = 0; k < count; ++k) {
      out[k] = static_cast<std::int32_t>(0.5 + weight[static_cast<std::size_t>(k)] / sum * (1 << kFractionBits));
    }
    taps.first[static_cast<std::size_t>(i)] = first;
    taps.count[static_cast<std::size_t>(i)] = count;
  }
  return taps;
}

std::uint8_t to_byte(std::int32_t sum) {
  // Weights are not negative; rounding them can make their sum exceed one by a few units, never by a whole step.
  return static_cast<std::uint8_t>(std::min(sum >> kFractionBits, 255));
}

/// [height, to, 3] from rows of `kChannels` channels.
template <int kChannels>
std::vector<std::uint8_t> resize_rows(const Pixels& from, const Taps& taps, int to) {
  std::vector<std::uint8_t> out(static_cast<std::size_t>(from.height) * static_cast<std::size_t>(to) * 3);
  std::uint8_t* target = out.data();
  for (int y = 0; y < from.height; ++y) {
    const std::uint8_t* row =
        from.data + static_cast<std::size_t>(y) * static_cast<std::size_t>(from.width) * kChannels;
    for (std::size_t x = 0; x < static_cast<std::size_t>(to); ++x, target += 3) {
      const std::uint8_t* pixel = row + static_cast<std::size_t>(taps.first[x]) * kChannels;
      const std::int32_t* weight = &taps.weight[x * taps.stride];
      std::int32_t red = kHalf, green = kHalf, blue = kHalf;
      for (int k = 0; k < taps.count[x]; ++k, pixel += kChannels) {
        red += pixel[0] * weight[k];
        green += pixel[1] * weight[k];
        blue += pixel[2] * weight[k];
      }
      target[0] = to_byte(red);
      target[1] = to_byte(green);
      target[2] = to_byte(blue);
    }
  }
  return out;
}

/// [to, width, 3] from [from, width, 3].
std::vector<std::uint8_t> resize_columns(const std::vector<std::uint8_t>& from, int width, const Taps& taps, int to) {
  const std::size_t row = static_cast<std::size_t>(width) * 3;
  std::vector<std::uint8_t> out(static_cast<std::size_t>(to) * row);
  std::vector<std::int32_t> sums(row);
  for (std::size_t y = 0; y < static_cast<std::size_t>(to); ++y) {
    std::fill(sums.begin(), sums.end(), kHalf);
    for (int k = 0; k < taps.count[y]; ++k) {
      const std::uint8_t* source = &from[static_cast<std::size_t>(taps.first[y] + k) * row];
      const std::int32_t weight = taps.weight[y * taps.stride + static_cast<std::size_t>(k)];
      for (std::size_t i = 0; i < row; ++i) sums[i] += source[i] * weight;
    }
    std::transform(sums.begin(), sums.end(), &out[y * row], to_byte);
  }
  return out;
}

std::vector<std::uint8_t> without_alpha(const Pixels& from) {
  const std::size_t count = static_cast<std::size_t>(from.width) * static_cast<std::size_t>(from.height);
  const auto channels = static_cast<std::size_t>(from.channels);
  std::vector<std::uint8_t> out(count * 3);
  for (std::size_t i = 0; i < count; ++i) std::copy_n(from.data + i * channels, 3, &out[i * 3]);
  return out;
}

void expect_side(const char* name, int value, int most) {
  if (value >= 1 && value <= most) return;
  throw Error("ERR_RANGE",
              std::string(name) + ": expected 1 to " + std::to_string(most) + ", received " + std::to_string(value));
}

int scaled(int side, double scale) { return std::max(static_cast<int>(side * scale), 1); }

}  // namespace

Placement place(int width, int height, int size) {
  expect_side("width", width, kMaxSide);
  expect_side("height", height, kMaxSide);
  expect_side("size", size, kMaxSquare);
  const double scale = static_cast<double>(size) / std::max(width, height);
  Placement to;
  to.width = scaled(width, scale);
  to.height = scaled(height, scale);
  to.left = (size - to.width) / 2;
  to.top = (size - to.height) / 2;
  return to;
}

std::vector<std::uint8_t> resize(const Pixels& from, int width, int height) {
  expect_side("width", from.width, kMaxSide);
  expect_side("height", from.height, kMaxSide);
  expect_side("width", width, kMaxSquare);
  expect_side("height", height, kMaxSquare);
  // An axis that keeps its length would be multiplied by one and nothing else.
  std::vector<std::uint8_t> rows;
  if (width == from.width) {
    rows = without_alpha(from);
  } else {
    const Taps taps = make_taps(from.width, width);
    rows = from.channels == 4 ? resize_rows<4>(from, taps, width) : resize_rows<3>(from, taps, width);
  }
  if (height == from.height) return rows;
  return resize_columns(rows, width, make_taps(from.height, height), height);
}

std::vector<std::uint8_t> letterbox(const Pixels& from, int size, std::array<std::uint8_t, 3> background) {
  const Placement at = place(from.width, from.height, size);
  const std::vector<std::uint8_t> picture = resize(from, at.width, at.height);
  const auto side = static_cast<std::size_t>(size);
  std::vector<std::uint8_t> out(side * side * 3);
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = background[i % 3];
  const std::size_t row = static_cast<std::size_t>(at.width) * 3;
  for (std::size_t y = 0; y < static_cast<std::size_t>(at.height); ++y) {
    const std::size_t to = ((static_cast<std::size_t>(at.top) + y) * side + static_cast<std::size_t>(at.left)) * 3;
    std::copy_n(&picture[y * row], row, &out[to]);
  }
  return out;
}

void to_planes(const std::uint8_t* rgb, std::size_t count, float* values) {
  std::array<float, 256> table;
  for (int i = 0; i < 256; ++i) table[static_cast<std::size_t>(i)] = (static_cast<float>(i) / 255.0f - 0.5f) / 0.5f;
  for (std::size_t c = 0; c < 3; ++c) {
    for (std::size_t i = 0; i < count; ++i) values[c * count + i] = table[rgb[i * 3 + c]];
  }
}

}  // namespace wam::vision
