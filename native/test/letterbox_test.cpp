// Pictures made ready for the vision tower. test/letterbox.test.ts compares whole pictures with a second
// implementation; here are the cases that have a closed form.

#include "vision/letterbox.h"
#include "core/error.h"
#include "test/test.h"

namespace wam::test {
namespace {

using vision::Pixels;

std::vector<std::uint8_t> noise(int width, int height, int channels) {
  std::vector<std::uint8_t> bytes(static_cast<std::size_t>(width * height * channels));
  std::uint32_t state = 12345;
  for (auto& byte : bytes) {
    state = state * 1664525 + 1013904223;
    byte = static_cast<std::uint8_t>(state >> 24);
  }
  return bytes;
}

}  // namespace

TEST(letterbox_halves_a_row_with_weights_1_3_3_1) {
  const int width = 40;
  const auto bytes = noise(width, 1, 3);
  const auto half = vision::resize({bytes.data(), width, 1, 3}, width / 2, 1);
  for (std::size_t x = 1; x + 1 < width / 2; ++x) {
    for (std::size_t c = 0; c < 3; ++c) {
      const auto at = [&](std::size_t i) { return static_cast<int>(bytes[i * 3 + c]); };
      const int expected = (at(2 * x - 1) + 3 * at(2 * x) + 3 * at(2 * x + 1) + at(2 * x + 2) + 4) / 8;
      CHECK_EQ(static_cast<int>(half[x * 3 + c]), expected);
    }
  }
}

TEST(letterbox_doubles_a_column_with_weights_1_3) {
  const int height = 9;
  const auto bytes = noise(1, height, 3);
  const auto twice = vision::resize({bytes.data(), 1, height, 3}, 1, 2 * height);
  for (std::size_t y = 1; y < height; ++y) {
    for (std::size_t c = 0; c < 3; ++c) {
      const int upper = bytes[(y - 1) * 3 + c], lower = bytes[y * 3 + c];
      CHECK_EQ(static_cast<int>(twice[(2 * y - 1) * 3 + c]), (3 * upper + lower + 2) / 4);
      CHECK_EQ(static_cast<int>(twice[2 * y * 3 + c]), (upper + 3 * lower + 2) / 4);
    }
  }
}

TEST(letterbox_leaves_a_picture_of_the_right_size_as_it_is) {
  const auto bytes = noise(24, 24, 3);
  const auto same = vision::letterbox({bytes.data(), 24, 24, 3}, 24, {1, 2, 3});
  CHECK_SAME_BITS(same.data(), bytes.data(), bytes.size());
}

TEST(letterbox_ignores_the_fourth_channel) {
  const auto rgba = noise(31, 17, 4);
  std::vector<std::uint8_t> rgb;
  for (std::size_t i = 0; i < rgba.size(); ++i) {
    if (i % 4 != 3) rgb.push_back(rgba[i]);
  }
  for (const int size : {12, 31, 64}) {
    const auto with = vision::letterbox({rgba.data(), 31, 17, 4}, size, {127, 127, 127});
    const auto without = vision::letterbox({rgb.data(), 31, 17, 3}, size, {127, 127, 127});
    CHECK_SAME_BITS(with.data(), without.data(), without.size());
  }
}

TEST(letterbox_keeps_one_colour_exactly) {
  for (const int value : {0, 1, 127, 254, 255}) {
    for (const int width : {1, 2, 7, 100, 333}) {
      const std::vector<std::uint8_t> bytes(static_cast<std::size_t>(width * 50 * 3), static_cast<std::uint8_t>(value));
      const auto out = vision::resize({bytes.data(), width, 50, 3}, 41, 23);
      for (const std::uint8_t byte : out) CHECK_EQ(static_cast<int>(byte), value);
    }
  }
}

TEST(letterbox_places_the_picture_in_the_middle) {
  const auto wide = vision::place(1920, 1080, 384);
  CHECK_EQ(wide.width, 384);
  CHECK_EQ(wide.height, 216);
  CHECK_EQ(wide.left, 0);
  CHECK_EQ(wide.top, 84);
  const auto needle = vision::place(3, 60'000, 384);
  CHECK_EQ(needle.width, 1);
  CHECK_EQ(needle.height, 384);
  CHECK_EQ(needle.left, 191);
  // 1505 (384 / 1505) is less than 384 in double.
  CHECK_EQ(vision::place(1505, 10, 384).width, 383);
  CHECK_EQ(vision::place(1505, 10, 384).left, 0);
}

TEST(letterbox_refuses_sides_that_are_out_of_range) {
  CHECK_THROWS(vision::place(0, 5, 384), Error);
  CHECK_THROWS(vision::place(5, 70'000, 384), Error);
  CHECK_THROWS(vision::place(5, 5, 0), Error);
  CHECK_THROWS(vision::place(5, 5, 5'000), Error);
}

TEST(letterbox_planes_run_from_minus_one_to_one_channel_first) {
  const std::uint8_t rgb[] = {0, 51, 255, 127, 128, 204};
  float values[6];
  vision::to_planes(rgb, 2, values);
  const double expected[] = {-1, 127 / 127.5 - 1, 51 / 127.5 - 1, 128 / 127.5 - 1, 1, 204 / 127.5 - 1};
  CHECK_ALL_NEAR(values, expected, 6, 2e-7);
}

}  // namespace wam::test
