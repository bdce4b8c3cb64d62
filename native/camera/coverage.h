#pragma once
// How much of each pixel a set of polygons covers, exactly: the antialiasing of everything that lies on the ground.

#include <span>
#include <vector>

namespace wam::camera {

/// A piece of a polygon's border in the image, pixels.
struct Edge {
  float x0, y0, x1, y1;
};

/// Appends the edge from (x0, y0) to (x1, y1), cut to an image of width x height. What lies left of the image is moved
/// to its border, where it covers the same; what lies right of it covers nothing.
void append_edge(std::vector<Edge>& edges, double x0, double y0, double x1, double y1, double width, double height);

/// Whether any edge lies in rows [first_row, first_row + rows).
bool touches(std::span<const Edge> edges, int first_row, int rows);

/// Adds the area right of each edge to rows [first_row, first_row + rows): positive for edges that run down the image.
/// `sums` [rows, width + 2], zero at the start, holds differences along each row until `resolve_coverage`.
void add_coverage(std::span<const Edge> edges, int first_row, int rows, int width, float* sums);

/// Turns the differences of one row into shares of pixels covered, [0, 1]; what is covered twice counts once.
void resolve_coverage(float* row, int width);

}  // namespace wam::camera
