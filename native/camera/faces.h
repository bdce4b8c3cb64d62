#pragma once
// Convex faces in the image, and a depth buffer for a band of rows. Four samples a pixel, two by two.

#include <cstdint>
#include <span>
#include <vector>

#include "camera/bodies.h"
#include "camera/color.h"
#include "camera/view.h"

namespace wam::camera {

/// Samples along a row and along a column of a pixel.
constexpr int kSamples = 2;

/// A face in sample coordinates (pixels times kSamples).
struct ScreenFace {
  std::uint32_t first_edge = 0, edges = 0;
  int top = 0, end = 0;                 // rows whose middle it may cover
  double by_x = 0, by_y = 0, at_0 = 0;  // 1 / depth in 1/m at the middle of sample (x, y): by_x x + by_y y + at_0
  Color color;
  int body = 0;
};

/// A border of a face that is not horizontal: x at row y is x + (y - top) slope, for top <= y < bottom.
struct FaceEdge {
  double x, slope, top, bottom;
};

class FaceList {
 public:
  void clear();
  /// Cuts the face at the near plane and adds it, unless it looks away or lies outside the image. `corners` in the
  /// camera's frame, counter-clockwise seen from outside.
  void add(const View& view, std::span<const Vec3> corners, const Color& color, int body);

  std::span<const ScreenFace> faces() const { return faces_; }
  std::span<const FaceEdge> edges() const { return edges_; }

 private:
  std::vector<ScreenFace> faces_;
  std::vector<FaceEdge> edges_;
};

/// Samples of some rows of the image.
class Band {
 public:
  /// `width`: samples in a row; `rows`: rows of samples.
  void resize(int width, int rows);
  /// Draws what the faces show of rows [first_row, first_row + rows). `counts`: silhouettes are counted too.
  void draw(const FaceList& list, int first_row, int rows, bool counts);

  /// Index of the face seen at a sample, -1 for none; 1 / depth.
  int face(int row, int x) const { return face_[index(row, x)]; }
  float inverse_depth(int row, int x) const { return inverse_depth_[index(row, x)]; }
  /// Columns [left, right) of a row outside of which there is nothing.
  int left(int row) const { return left_[static_cast<std::size_t>(row)]; }
  int right(int row) const { return right_[static_cast<std::size_t>(row)]; }
  /// Samples that a body would cover if nothing hid it, of the last `draw` with `counts`, added to `sums` by body.
  void add_silhouettes(std::span<std::uint32_t> sums) const;

 private:
  std::size_t index(int row, int x) const {
    return static_cast<std::size_t>(row) * static_cast<std::size_t>(width_) + static_cast<std::size_t>(x);
  }
  void fill(const ScreenFace& face, std::span<const FaceEdge> edges, int number, int first_row, int rows, bool counts);

  int width_ = 0;
  std::vector<std::int32_t> face_;
  std::vector<float> inverse_depth_;
  std::vector<std::int32_t> stamp_;  // last body that covered a sample, hidden or not
  std::vector<int> left_, right_;
  std::vector<std::uint32_t> silhouette_;  // by body
};

}  // namespace wam::camera
