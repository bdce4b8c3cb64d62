// The camera against float64 references: rays cast at every face, areas of polygons, and places on the ground.

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numbers>
#include <vector>

#include "camera/coverage.h"
#include "camera/noise.h"
#include "camera/renderer.h"
#include "core/error.h"
#include "test/counting_allocator.h"
#include "test/test.h"

namespace wam::camera {
namespace {

constexpr double kPi = std::numbers::pi;

/// A frame and where it went.
struct Frame {
  FrameInput input;
  std::vector<Body> bodies;
  std::vector<std::uint8_t> rgb;
  std::vector<float> depth;
  std::vector<std::int32_t> ids;
  std::vector<Sight> sights;

  void render(Renderer& renderer) {
    const auto pixels = static_cast<std::size_t>(input.pose.width * input.pose.height_px);
    rgb.resize(3 * pixels), depth.resize(pixels), ids.resize(pixels), sights.resize(bodies.size());
    input.bodies = bodies;
    renderer.render(input, {rgb.data(), depth.data(), ids.data(), sights.data()});
  }
  std::size_t at(int row, int column) const { return static_cast<std::size_t>(row * input.pose.width + column); }
};

Pose small_pose() {
  Pose pose;
  pose.x = 12.5, pose.y = -3.25, pose.height = 1.6, pose.heading = 0.7, pose.pitch = 0.09;
  pose.width = 96, pose.height_px = 80, pose.focal = 75;
  return pose;
}

/// The direction of the ray through (u, v) in the frame of the map, with depth 1; written without the renderer's View.
Vec3 ray_of(const Pose& p, double u, double v) {
  const double x = (u - p.width / 2.0) / p.focal, y = (v - p.height_px / 2.0) / p.focal;
  // Turn about the camera's x axis by the pitch, then lay the axes into the map.
  const double ahead = std::cos(p.pitch) - y * std::sin(p.pitch), down = std::sin(p.pitch) + y * std::cos(p.pitch);
  return {ahead * std::cos(p.heading) + x * std::sin(p.heading), ahead * std::sin(p.heading) - x * std::cos(p.heading),
          -down};
}

/// What a ray hits first.
struct Hit {
  int body = -1;
  double depth = std::numeric_limits<double>::infinity();
  /// Nearest that the ray came to the border of any face it could hit; small ones may be decided either way.
  double margin = std::numeric_limits<double>::infinity();
};

/// A face in the frame of the map, as seen from the camera's place.
struct PlacedFace {
  std::vector<Vec3> corners;
  int body;
};

std::vector<PlacedFace> place(const Pose& pose, const std::vector<Body>& bodies) {
  std::vector<PlacedFace> placed;
  for (std::size_t b = 0; b < bodies.size(); ++b) {
    const Body& body = bodies[b];
    std::vector<BodyFace> faces;
    append_faces(faces, body, 0);
    const double c = std::cos(body.heading), s = std::sin(body.heading);
    for (const BodyFace& face : faces) {
      PlacedFace& to = placed.emplace_back(PlacedFace{{}, static_cast<int>(b)});
      for (int k = 0; k < face.corners; ++k) {
        const Vec3& q = face.corner[static_cast<std::size_t>(k)];
        to.corners.push_back(
            {body.x + q.x * c - q.y * s - pose.x, body.y + q.x * s + q.y * c - pose.y, body.z + q.z - pose.height});
      }
    }
  }
  return placed;
}

Hit cast(const std::vector<PlacedFace>& faces, const Vec3& ray, bool both_sides = false) {
  Hit hit;
  for (const auto& [p, body] : faces) {
    const Vec3 normal = cross(p[1] - p[0], p[2] - p[0]);
    const double toward = dot(normal, ray);
    if (toward == 0 || (toward > 0 && !both_sides)) continue;
    const double depth = dot(normal, p[0]) / toward;
    if (depth < kNear) continue;
    const Vec3 at{ray.x * depth, ray.y * depth, ray.z * depth};
    const double size = std::sqrt(dot(normal, normal));
    double inside = std::numeric_limits<double>::infinity();
    for (std::size_t k = 0; k < p.size(); ++k) {
      const Vec3 edge = p[(k + 1) % p.size()] - p[k];
      inside = std::min(inside, dot(cross(edge, at - p[k]), normal) / (size * std::sqrt(dot(edge, edge))));
    }
    hit.margin = std::min(hit.margin, std::abs(inside) / depth);
    if (inside > 0 && depth < hit.depth) hit.depth = depth, hit.body = body;
  }
  return hit;
}

std::vector<Body> crowd() {
  std::vector<Body> bodies;
  const Pose pose = small_pose();
  const auto add = [&](BodyKind kind, double ahead, double left, double heading, double length, double width,
                       double height, double z = 0) {
    Body body;
    body.kind = kind;
    body.x = pose.x + ahead * std::cos(pose.heading) - left * std::sin(pose.heading);
    body.y = pose.y + ahead * std::sin(pose.heading) + left * std::cos(pose.heading);
    body.z = z;
    body.heading = pose.heading + heading;
    body.length = length, body.width = width, body.height = height;
    body.tint = static_cast<std::uint32_t>(bodies.size() * 2654435761u);
    body.lamps = kBrakeLamps | kHeadLamps;
    body.phase = 0.6;
    body.id = 100 + static_cast<int>(bodies.size());
    bodies.push_back(body);
  };
  add(BodyKind::car, 9, 0.4, 0.1, 4.6, 1.85, 1.5);
  add(BodyKind::truck, 21, 3.6, 3.0, 9.5, 2.5, 3.6);
  add(BodyKind::van, 14, -4, -0.3, 5.4, 2.0, 2.3);
  add(BodyKind::bus, 32, -1.5, 1.4, 12, 2.55, 3.1);
  add(BodyKind::pedestrian, 6.5, -1.9, 1.7, 0.6, 0.6, 1.75);
  add(BodyKind::bicycle, 7.5, 2.6, 0.2, 1.8, 0.6, 1.75);
  add(BodyKind::motorcycle, 5.2, 1.3, 0.4, 2.1, 0.8, 1.6);
  add(BodyKind::cone, 4.0, -0.8, 0, 0.4, 0.4, 0.75);
  add(BodyKind::barrier, 11, 3, 0.4, 0.4, 2.4, 1.0);
  add(BodyKind::sign, 8, -3, 0, 0.4, 0.8, 1.4);
  add(BodyKind::traffic_light, 12, -2.4, 0, 0.3, 0.42, 1.15, 2.6);
  add(BodyKind::pole, 12.3, -2.4, 0, 0.14, 0.14, 3.8);
  add(BodyKind::car, 0.8, -1.9, 0.05, 4.6, 1.85, 1.5);  // beside the camera, through its plane
  return bodies;
}

TEST(camera_shows_what_rays_hit) {
  Renderer renderer;
  Frame frame;
  frame.input.pose = small_pose();
  frame.bodies = crowd();
  frame.render(renderer);
  const Pose& pose = frame.input.pose;
  const auto faces = place(pose, frame.bodies);
  int compared = 0, wrong_ids = 0, wrong_depths = 0, skipped = 0;
  std::vector<int> visible(frame.bodies.size(), 0), doubtful(frame.bodies.size(), 0);
  for (int row = 0; row < pose.height_px; ++row) {
    for (int column = 0; column < pose.width; ++column) {
      std::array<Hit, 4> hits;
      double margin = 1;
      for (int k = 0; k < 4; ++k) {
        const Vec3 ray = ray_of(pose, column + 0.25 + 0.5 * (k % 2), row + 0.25 + 0.5 * (k / 2));
        Hit& hit = hits[static_cast<std::size_t>(k)];
        hit = cast(faces, ray);
        margin = std::min(margin, hit.margin);
        if (hit.body < 0) continue;
        (hit.margin < 1e-7 ? doubtful : visible)[static_cast<std::size_t>(hit.body)]++;
      }
      if (margin < 1e-7) {
        ++skipped;
        continue;
      }
      // Most samples; of as many the nearest; the ground and the sky are the farthest.
      int best = -1, best_count = 0;
      double best_depth = std::numeric_limits<double>::infinity();
      for (const Hit& hit : hits) {
        int count = 0;
        double nearest = std::numeric_limits<double>::infinity();
        for (const Hit& other : hits) {
          if (other.body == hit.body) ++count, nearest = std::min(nearest, other.depth);
        }
        if (count > best_count || (count == best_count && nearest < best_depth)) {
          best = hit.body, best_count = count, best_depth = nearest;
        }
      }
      const Vec3 middle = ray_of(pose, column + 0.5, row + 0.5);
      const int id = best >= 0 ? frame.bodies[static_cast<std::size_t>(best)].id : (middle.z < 0 ? kGroundId : kSkyId);
      const double depth = best >= 0      ? best_depth
                           : middle.z < 0 ? pose.height / -middle.z
                                          : std::numeric_limits<double>::infinity();
      ++compared;
      if (frame.ids[frame.at(row, column)] != id) ++wrong_ids;
      const double seen = frame.depth[frame.at(row, column)];
      if (seen != depth && !(std::abs(seen - depth) <= 2e-5 * depth * std::max(1.0, depth))) ++wrong_depths;
    }
  }
  CHECK_EQ(wrong_ids, 0);
  CHECK_EQ(wrong_depths, 0);
  CHECK(compared > 7000);
  CHECK(skipped < 200);
  for (std::size_t b = 0; b < frame.bodies.size(); ++b) {
    const test::Context at("body " + std::to_string(b));
    CHECK_NEAR(4 * frame.sights[b].visible, visible[b], doubtful[b] + 2);
  }
}

TEST(camera_counts_silhouettes_as_if_nothing_hid_them) {
  Renderer renderer;
  Frame all, alone;
  all.input.pose = alone.input.pose = small_pose();
  all.bodies = crowd();
  all.render(renderer);
  for (std::size_t b = 0; b < all.bodies.size(); ++b) {
    alone.bodies.assign(1, all.bodies[b]);
    alone.render(renderer);
    const test::Context at("body " + std::to_string(b));
    CHECK_EQ(all.sights[b].silhouette, alone.sights[0].visible);
    CHECK(all.sights[b].visible <= all.sights[b].silhouette);
  }
}

TEST(camera_bodies_that_are_boxes_are_closed) {
  // Faces that look away are left out: in a closed shape that changes nothing.
  const Pose pose = small_pose();
  for (const BodyKind kind : {BodyKind::box, BodyKind::cone, BodyKind::sign}) {
    for (int turn = 0; turn < 8; ++turn) {
      std::vector<Body> bodies(1);
      Body& body = bodies[0];
      body.kind = kind;
      body.x = pose.x + 5 * std::cos(pose.heading), body.y = pose.y + 5 * std::sin(pose.heading);
      body.heading = turn * kPi / 4 + 0.1;
      body.length = 0.8, body.width = 1.1, body.height = 1.2;
      const auto faces = place(pose, bodies);
      int wrong = 0;
      for (int i = 0; i < 400; ++i) {
        const Vec3 ray = ray_of(pose, 28 + 2 * (i % 20) + 0.31, 20 + 2 * (i / 20) + 0.17);
        const Hit one = cast(faces, ray), both = cast(faces, ray, true);
        if (one.margin < 1e-7 || both.margin < 1e-7) continue;
        if (one.body != both.body || (one.body >= 0 && std::abs(one.depth - both.depth) > 1e-9)) ++wrong;
      }
      CHECK_EQ(wrong, 0);
    }
  }
}

TEST(camera_vehicles_fill_their_boxes) {
  for (int k = 0; k <= static_cast<int>(BodyKind::bus); ++k) {
    Body body;
    body.kind = static_cast<BodyKind>(k);
    body.length = 6.2, body.width = 2.1, body.height = 2.4;
    std::vector<BodyFace> faces;
    append_faces(faces, body, 0);
    Vec3 low{1e9, 1e9, 1e9}, high{-1e9, -1e9, -1e9};
    for (const BodyFace& face : faces) {
      for (int c = 0; c < face.corners; ++c) {
        const Vec3& p = face.corner[static_cast<std::size_t>(c)];
        low = {std::min(low.x, p.x), std::min(low.y, p.y), std::min(low.z, p.z)};
        high = {std::max(high.x, p.x), std::max(high.y, p.y), std::max(high.z, p.z)};
      }
    }
    CHECK_NEAR(high.x - low.x, body.length, 0.06);
    CHECK_NEAR(high.y - low.y, body.width, 0.06);
    CHECK_NEAR(high.z, body.height, 0.03);
    CHECK_NEAR(low.z, 0, 0.01);
  }
}

// --- coverage --------------------------------------------------------------------------------------------------

struct Canvas {
  int width, height;
  std::vector<float> sums;
  Canvas(int w, int h) : width(w), height(h), sums(static_cast<std::size_t>((w + 2) * h)) {}
  void add(const std::vector<Point>& polygon) {
    std::vector<Edge> edges;
    for (std::size_t i = 0; i < polygon.size(); ++i) {
      const Point &a = polygon[i], &b = polygon[(i + 1) % polygon.size()];
      append_edge(edges, a.x, a.y, b.x, b.y, width, height);
    }
    add_coverage(edges, 0, height, width, sums.data());
  }
  void resolve() {
    for (int row = 0; row < height; ++row) resolve_coverage(&sums[static_cast<std::size_t>(row * (width + 2))], width);
  }
  float at(int row, int column) const { return sums[static_cast<std::size_t>(row * (width + 2) + column)]; }
};

bool inside(const std::vector<Point>& polygon, double x, double y) {
  bool in = false;
  for (std::size_t i = 0, k = polygon.size() - 1; i < polygon.size(); k = i++) {
    const Point &a = polygon[i], &b = polygon[k];
    if ((a.y > y) != (b.y > y) && x < (b.x - a.x) * (y - a.y) / (b.y - a.y) + a.x) in = !in;
  }
  return in;
}

TEST(coverage_is_the_area_of_each_pixel_inside) {
  // Counter-clockwise on the ground is clockwise here, where y runs down; some reach out of the image on each side.
  const std::vector<std::vector<Point>> polygons = {
      {{3.3, 2.1}, {2.2, 14.7}, {15.9, 11.2}, {13.1, 4.4}},
      {{-30, -5}, {-12, 40}, {50, 17}, {40, 6}},
      {{7.15, -20}, {7.1, 60}, {7.4, 60}, {7.45, -20}},
      {{-3, 8}, {-2, 8.2}, {60, 8.4}, {60, 8.1}},
      {{4, 1}, {4, 9}, {6, 9}, {6, 3}, {9, 3}, {9, 9}, {11, 9}, {11, 1}},
  };
  for (const auto& polygon : polygons) {
    Canvas canvas(18, 17);
    canvas.add(polygon);
    canvas.resolve();
    double worst = 0;
    for (int row = 0; row < canvas.height; ++row) {
      for (int column = 0; column < canvas.width; ++column) {
        int hits = 0;
        constexpr int kFine = 100;
        for (int i = 0; i < kFine * kFine; ++i) {
          hits += inside(polygon, column + (i % kFine + 0.5) / kFine, row + (i / kFine + 0.5) / kFine) ? 1 : 0;
        }
        worst = std::max(worst, std::abs(canvas.at(row, column) - static_cast<double>(hits) / (kFine * kFine)));
      }
    }
    CHECK(worst < 0.011);
  }
}

TEST(coverage_of_neighbours_has_no_seam_and_counts_once) {
  Canvas canvas(12, 12);
  const std::vector<Point> left = {{-5, -5}, {-5, 20}, {4.3, 20}, {7.9, -5}},
                           right = {{7.9, -5}, {4.3, 20}, {30, 20}, {30, -5}};
  canvas.add(left);
  canvas.add(right);
  canvas.add(left);
  canvas.resolve();
  for (int row = 0; row < 12; ++row) {
    for (int column = 0; column < 12; ++column) CHECK_NEAR(canvas.at(row, column), 1, 1e-5);
  }
}

// --- ground ----------------------------------------------------------------------------------------------------

TEST(camera_ground_lies_where_it_is) {
  // A road of 7 m along the heading of the camera with a solid line 0.3 m wide in the middle, and a hole of grass.
  const std::vector<Point> points = {{-20, -3.5}, {200, -3.5}, {200, 3.5}, {-20, 3.5},
                                     {10, 1},     {14, 1},     {14, 3},    {10, 3}};
  const std::vector<GroundRing> rings = {{0, 4, false}, {4, 4, true}};
  const std::vector<Point> line = {{-20, 0}, {200, 0}};
  const std::vector<PaintedLine> lines = {{0, 2, 0.3, 100, 0, Layer::white}};
  const GroundMap map(points, rings, line, lines, 0);
  Renderer renderer;
  Frame frame;
  frame.input.map = &map;
  frame.input.varied = false;
  Pose& pose = frame.input.pose;
  pose.height = 1.5, pose.pitch = 0.1, pose.width = 200, pose.height_px = 160, pose.focal = 150;
  frame.render(renderer);
  const auto color = [&](int row, int column) {
    const std::uint8_t* p = &frame.rgb[3 * frame.at(row, column)];
    return std::array<int, 3>{p[0], p[1], p[2]};
  };
  int road = 0, grass = 0, paint = 0;
  for (int row = 0; row < pose.height_px; ++row) {
    for (int column = 0; column < pose.width; ++column) {
      // Places of the corners of the pixel: its middle is judged where all are of one kind.
      int kinds[5] = {};
      bool far = false;
      for (int k = 0; k < 4; ++k) {
        const Vec3 ray = ray_of(pose, column + k % 2, row + k / 2);
        if (ray.z >= -0.03) {
          far = true;
          break;
        }
        const double x = ray.x * pose.height / -ray.z, y = ray.y * pose.height / -ray.z;
        const bool hole = x > 10 && x < 14 && y > 1 && y < 3;
        const bool near_hole = x > 9.6 && x < 14.4 && y > 0.6 && y < 3.4;
        const bool verge = std::abs(std::abs(y) - 3.5) < 0.4 || (near_hole && !hole) ||
                           (hole && (x < 10.4 || x > 13.6 || y < 1.4 || y > 2.6));
        kinds[verge ? 3 : hole || std::abs(y) > 3.5 ? 1 : std::abs(y) < 0.15 ? 2 : 0]++;
      }
      if (far) continue;
      const auto [r, g, b] = color(row, column);
      if (kinds[0] == 4) {
        ++road;
        CHECK(std::abs(r - g) < 12 && std::abs(b - g) < 16 && g < 130);
      } else if (kinds[1] == 4) {
        ++grass;
        CHECK(g > b + 15);
      } else if (kinds[2] == 4) {
        ++paint;
        CHECK(r > 170 && g > 170);
      }
    }
  }
  CHECK(road > 3000);
  CHECK(grass > 2000);
  CHECK(paint > 40);
}

TEST(camera_far_lines_fade_instead_of_flickering) {
  // A thin line keeps its light while the camera moves: the sum over a row changes little.
  const std::vector<Point> points = {{-20, -30}, {300, -30}, {300, 30}, {-20, 30}};
  const std::vector<GroundRing> rings = {{0, 4, false}};
  const std::vector<Point> line = {{-20, 0}, {300, 0}};
  const std::vector<PaintedLine> lines = {{0, 2, 0.12, 100, 0, Layer::white}};
  const GroundMap map(points, rings, line, lines, 0), bare(points, rings, {}, {}, 0);
  Renderer renderer;
  double low = 1e9, high = 0;
  for (int i = 0; i < 20; ++i) {
    double sums[2];
    for (int with = 0; with < 2; ++with) {
      Frame frame;
      frame.input.map = with == 1 ? &map : &bare;
      frame.input.varied = false;
      Pose& pose = frame.input.pose;
      pose.y = 0.037 * i, pose.width = 128, pose.height_px = 128, pose.focal = 100, pose.pitch = 0;
      frame.render(renderer);
      sums[with] = 0;
      for (int column = 0; column < pose.width; ++column) sums[with] += frame.rgb[3 * frame.at(70, column) + 1];
    }
    low = std::min(low, sums[1] - sums[0]);
    high = std::max(high, sums[1] - sums[0]);
  }
  CHECK(low > 30);
  CHECK(high < 1.35 * low);
}

TEST(camera_map_refuses_bad_input) {
  const std::vector<Point> two = {{0, 0}, {1, 0}}, three = {{0, 0}, {1, 0}, {0, std::nan("")}};
  const std::vector<GroundRing> short_ring = {{0, 2, false}}, ring = {{0, 3, false}};
  const std::vector<PaintedLine> thin = {{0, 2, 0, 1, 0, Layer::white}}, dust = {{0, 2, 0.1, 1, 1e-9, Layer::white}};
  CHECK_THROWS(GroundMap(two, short_ring, {}, {}, 0), Error);
  CHECK_THROWS(GroundMap(three, ring, {}, {}, 0), Error);
  CHECK_THROWS(GroundMap({}, {}, two, thin, 0), Error);
  CHECK_THROWS(GroundMap({}, {}, two, dust, 0), Error);
  CHECK_THROWS(GroundMap({}, {}, {}, {}, -1), Error);
}

TEST(camera_allocates_nothing_once_it_has_seen_a_frame) {
  if (!test::counts_allocations()) test::skip("this build has another allocator");
  Renderer renderer;
  Frame frame;
  frame.input.pose = small_pose();
  frame.bodies = crowd();
  frame.render(renderer);
  const long before = test::allocations();
  frame.render(renderer);
  CHECK_EQ(test::allocations(), before);
}

TEST(camera_survives_odd_scenes) {
  // Sizes, places and views that no scenario has, through the camera and around it.
  Draw draw(2024);
  const std::vector<Point> points = {{-5, -5}, {90, -4}, {80, 70}, {-30, 40}, {3, 3}};
  const std::vector<GroundRing> rings = {{0, 5, false}};
  const std::vector<Point> line = {{-40, 0}, {0, 0}, {0, 0}, {70, 3}, {60, 40}};
  const std::vector<PaintedLine> lines = {{0, 5, 0.2, 3, 6, Layer::yellow}, {0, 3, 4, 0.1, 0.1, Layer::white}};
  const GroundMap map(points, rings, line, lines, 2);
  Renderer renderer;
  Frame frame;
  frame.input.map = &map;
  const auto size = [&] { return std::pow(10.0, draw.range(-2, 2.3f)); };
  for (int i = 0; i < 150; ++i) {
    Pose& pose = frame.input.pose;
    pose.x = draw.range(-1, 1) * std::pow(10.0, draw.range(0, 8)), pose.y = draw.range(-40, 40);
    if (i % 2 == 0) pose.x = draw.range(-40, 80);
    pose.height = draw.range(0.2f, 50), pose.heading = draw.range(-9, 9), pose.pitch = draw.range(-1.04f, 1.04f);
    pose.focal = std::pow(10.0, draw.range(0, 5));
    pose.width = 1 + static_cast<int>(draw.range(0, 90)), pose.height_px = 1 + static_cast<int>(draw.range(0, 70));
    frame.input.seed = draw.word();
    frame.bodies.clear();
    for (int b = 0; b < 1 + i % 6; ++b) {
      Body body;
      body.kind = static_cast<BodyKind>(draw.word() % static_cast<std::uint32_t>(BodyKind::kinds));
      body.x = pose.x + draw.range(-15, 15), body.y = pose.y + draw.range(-15, 15), body.z = draw.range(-3, 9);
      body.heading = draw.range(-9, 9), body.phase = draw.range(-99, 99);
      body.length = size(), body.width = size(), body.height = size();
      body.lamps = static_cast<int>(draw.word() % 32);
      body.id = b;
      frame.bodies.push_back(body);
    }
    frame.render(renderer);
    int wrong = 0;
    for (std::size_t k = 0; k < frame.ids.size(); ++k) {
      const bool known = frame.ids[k] >= kSkyId && frame.ids[k] < static_cast<int>(frame.bodies.size());
      if (!known || !(frame.depth[k] > 0)) ++wrong;
    }
    CHECK_EQ(wrong, 0);
  }
}

TEST(camera_same_seed_same_bytes) {
  Renderer one, other;
  Frame a, b;
  a.input.pose = b.input.pose = small_pose();
  a.bodies = b.bodies = crowd();
  a.input.seed = b.input.seed = 77;
  a.input.noise_seed = b.input.noise_seed = 5;
  a.render(one);
  b.bodies.resize(2);
  b.render(other);  // another frame first
  b.bodies = crowd();
  b.render(other);
  CHECK_SAME_BITS(a.rgb.data(), b.rgb.data(), a.rgb.size());
  b.input.noise_seed = 6;
  b.render(other);
  CHECK(a.rgb != b.rgb);
}

}  // namespace
}  // namespace wam::camera
