#include "model/warm_start.h"

#include <algorithm>
#include <cmath>

#include "scene/road_map.h"

namespace wam::model {
namespace {

struct Node {
  double x, y, heading;
};

/// Node k of the plan: k = 0 is the present of then. Headings are unwrapped against `near`.
Node node(const float* poses, int k, double near) {
  if (k == 0) return {0, 0, near + scene::wrap_angle(-near)};
  const float* p = poses + 3 * (k - 1);
  return {p[0], p[1], near + scene::wrap_angle(p[2] - near)};
}

/// Cubic through b and c whose slopes there are those of the parabolas through the neighbours; at an end of the plan
/// (`a` or `d` missing) of the parabola that is left. Exact for parabolas. f in [0, 1] from b to c.
double between(const double* a, double b, double c, const double* d, double f) {
  const double chord = c - b;
  double at_b = a ? (c - *a) / 2 : chord, at_c = d ? (*d - b) / 2 : chord;
  if (!a && d) at_b = 2 * chord - at_c;
  if (a && !d) at_c = 2 * chord - at_b;
  const double g = 1 - f;
  return b * g * g * (1 + 2 * f) + c * f * f * (3 - 2 * f) + f * g * (at_b * g - at_c * f);
}

Node pose_at(const float* poses, int waypoints, double interval, double t) {
  const double place = t / interval;
  if (place >= waypoints) {
    const Node last = node(poses, waypoints, poses[3 * waypoints - 1]),
               before = node(poses, waypoints - 1, last.heading);
    const double over = place - waypoints, turn = last.heading - before.heading, angle = turn * over;
    // The last chord, turned on: a chord points half of its turn ahead of the tangent at its start.
    const double dx = last.x - before.x, dy = last.y - before.y;
    const double along = (turn + angle) / 2, c = std::cos(along), s = std::sin(along);
    // Chords of one circle are as the sines of half their turns.
    const double scale = std::abs(turn) < 1e-6 ? over : std::sin(angle / 2) / std::sin(turn / 2);
    return {last.x + scale * (c * dx - s * dy), last.y + scale * (s * dx + c * dy), last.heading + angle};
  }
  const int k = static_cast<int>(place);
  const Node b = node(poses, k, k == 0 ? 0 : poses[3 * k - 1]), c = node(poses, k + 1, b.heading);
  Node a{}, d{};
  const bool has_a = k > 0, has_d = k + 2 <= waypoints;
  if (has_a) a = node(poses, k - 1, b.heading);
  if (has_d) d = node(poses, k + 2, c.heading);
  const double f = place - k;
  const auto value = [&](double Node::* v) {
    return between(has_a ? &(a.*v) : nullptr, b.*v, c.*v, has_d ? &(d.*v) : nullptr, f);
  };
  return {value(&Node::x), value(&Node::y), value(&Node::heading)};
}

}  // namespace

void shift_plan(const WarmStart& warm, int waypoints, double interval_s, float* out) {
  const double c = std::cos(warm.motion[2]), s = std::sin(warm.motion[2]);
  for (int i = 0; i < waypoints; ++i, out += 3) {
    const Node p = pose_at(warm.trajectory.data(), waypoints, interval_s, warm.elapsed_s + (i + 1) * interval_s);
    const double dx = p.x - warm.motion[0], dy = p.y - warm.motion[1];
    out[0] = static_cast<float>(c * dx + s * dy);
    out[1] = static_cast<float>(c * dy - s * dx);
    out[2] = static_cast<float>(scene::wrap_angle(p.heading - warm.motion[2]));
  }
}

}  // namespace wam::model
