// Waypoints to tokens and back, and the reduction of samples.

#include <algorithm>
#include <cmath>

#include "model/reduce.h"
#include "model/trajectory_tokens.h"
#include "test/test.h"

namespace wam::test {

namespace {

using namespace wam::model;

ModelConfig residual() {
  ModelConfig c;
  c.slot_scale.clear();
  for (int w = 1; w <= 8; ++w) c.slot_scale.insert(c.slot_scale.end(), {3.0 * w, 1.5 * w, 0.2 * w});
  return c;
}

scene::Future bend(double speed) {
  scene::Future f{};
  for (int i = 0; i < 8; ++i) {
    const double t = 0.5 * (i + 1);
    f.x[i] = speed * t - 0.3 * t * t, f.y[i] = 0.2 * t * t, f.heading[i] = 0.05 * t, f.valid[i] = true;
  }
  return f;
}

}  // namespace

TEST(tokens_return_the_waypoints_within_half_a_step) {
  ModelConfig absolute;
  absolute.tokens = TokenKind::absolute, absolute.vocab = 1001, absolute.grid_min = -100, absolute.grid_step = 0.2;
  const scene::Future future = bend(9);
  for (const ModelConfig& config : {residual(), absolute}) {
    const TrajectoryTokens tokens(config);
    std::int32_t token[24];
    float pose[24];
    CHECK_EQ(tokens.encode(future, 9, token), 0);
    tokens.decode(token, 9, 0, pose);
    for (int w = 0; w < 8; ++w) {
      const double truth[3] = {future.x[w], future.y[w], future.heading[w]};
      for (int j = 0; j < 3; ++j) {
        // Half the distance to the farther neighbour, found by decoding the neighbours themselves.
        std::int32_t near[24];
        float below[24], above[24];
        std::copy(token, token + 24, near);
        near[w * 3 + j] = token[w * 3 + j] - 1;
        tokens.decode(near, 9, 0, below);
        near[w * 3 + j] = token[w * 3 + j] + 1;
        tokens.decode(near, 9, 0, above);
        const int k = w * 3 + j;
        const double half = 0.5 * std::max(pose[k] - below[k], above[k] - pose[k]);
        CHECK_NEAR(pose[k], truth[j], half * 1.0001 + 1e-6);
      }
    }
  }
}

TEST(waypoints_beyond_the_track_have_no_target_and_values_beyond_the_grid_are_counted) {
  const TrajectoryTokens tokens(residual());
  scene::Future future = bend(9);
  future.valid[7] = false;
  future.y[0] = 1000;
  std::int32_t token[24];
  CHECK_EQ(tokens.encode(future, 9, token), 1);
  CHECK_EQ(token[21], -100);
  CHECK_EQ(token[23], -100);
  CHECK_EQ(token[1], 400);
}

TEST(the_tracked_point_trails_the_box_centre_along_the_heading) {
  const TrajectoryTokens tokens(residual());
  std::int32_t token[24];
  float center[24], rear[24];
  tokens.encode(bend(9), 9, token);
  tokens.decode(token, 9, 0, center);
  tokens.decode(token, 9, 1.4, rear);
  for (int w = 0; w < 8; ++w) {
    const float* c = center + w * 3;
    const float* r = rear + w * 3;
    // In the frame of the rear point the centre starts at (1.4, 0).
    CHECK_NEAR(r[0] + 1.4 * std::cos(r[2]), c[0] + 1.4, 1e-5);
    CHECK_NEAR(r[1] + 1.4 * std::sin(r[2]), c[1], 1e-5);
    CHECK_EQ(r[2], c[2]);
  }
}

TEST(medoid_is_the_sample_nearest_to_all_and_mean_averages_directions) {
  // Three samples of one waypoint: two close together, one far off; headings on both sides of the turn.
  const float samples[] = {0, 0, 3.1f, 1, 0, -3.1f, 10, 0, 3.1f};
  float out[3];
  reduce_samples(Reduce::medoid, 3, 1, samples, out);
  CHECK_EQ(out[0], 1.0f);
  reduce_samples(Reduce::first, 3, 1, samples, out);
  CHECK_EQ(out[0], 0.0f);
  reduce_samples(Reduce::mean, 2, 1, samples, out);
  CHECK_NEAR(out[0], 0.5, 1e-6);
  CHECK_NEAR(std::abs(out[2]), 3.14159265, 1e-5);
}

}  // namespace wam::test
