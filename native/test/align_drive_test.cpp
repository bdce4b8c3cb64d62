// Alignment on a road where a vehicle stands 35 m ahead: the recorded drivers drive on or brake, and only those who brake
// score. The policy learns from both first, and is then aligned with the PDM score.

#include <algorithm>
#include <cmath>

#include "align/aligner.h"
#include "cpu/cpu_backend.h"
#include "test/sim_scenes.h"
#include "test/small_planner.h"
#include "test/test.h"

namespace wam::test {

namespace {

constexpr double kSpeed = 10, kGap = 35;  // m/s; metres from box centre to box centre
constexpr int kPresent = 20;              // step

/// Distance driven `t` seconds after the present when braking with `a` m/s2 from `delay` on, to a stop.
double driven(double t, double a, double delay) {
  const double braking = std::clamp(t - delay, 0.0, kSpeed / a);
  return kSpeed * std::min(t, delay) + kSpeed * braking - 0.5 * a * braking * braking;
}

scene::Track along_the_road(double x, double (*distance)(double)) {
  scene::Track track;
  track.length = sim::vehicle::kLength, track.width = sim::vehicle::kWidth;
  for (int k = 0; k <= kPresent + 45; ++k) {
    const double t = (k - kPresent) * 0.1;
    track.x.push_back(x + distance(t));
    track.y.push_back(kLaneWidth / 2);
    track.heading.push_back(0);
    track.vx.push_back((distance(t + 0.05) - distance(t - 0.05)) / 0.1);
    track.vy.push_back(0);
  }
  return track;
}

double on_and_on(double t) { return kSpeed * t; }
double to_a_stop(double t) { return t < 0 ? kSpeed * t : driven(t, 2, 0); }
double nowhere(double) { return 0; }

std::shared_ptr<scene::Dataset> two_drivers(double ego_x) {
  scene::Lane lane;
  for (int i = 0; i <= 60; ++i) lane.center.push_back({5.0 * i, kLaneWidth / 2});
  lane.speed_limit = 15;
  const auto map = std::make_shared<const scene::RoadMap>(std::vector<scene::Lane>{lane});
  auto data = std::make_shared<scene::Dataset>();
  for (auto* drive : {&on_and_on, &to_a_stop}) {
    scene::Recording recording;
    recording.map = map;
    recording.tracks.push_back(along_the_road(ego_x, drive));
    recording.tracks.push_back(along_the_road(ego_x + kGap, &nowhere));
    scene::Window window;
    window.recording = data->add_recording(std::move(recording));
    window.present = kPresent, window.future = 45, window.route = {0};
    data->add_window(window);
  }
  return data;
}

sim::Scene blocked_scene() {
  sim::Scene scene = straight_scene(kSpeed);
  scene.objects.push_back(moving_object(scene, kGap + sim::vehicle::kRearAxleToCenter, 0, 0, 0));
  return scene;
}

std::shared_ptr<align::PdmReward> blocked_reward() {
  std::vector<align::ScoredScene> scenes;
  for (int window = 0; window < 2; ++window) {
    scenes.push_back({window, std::make_unique<sim::Scorer>(blocked_scene(), sim::Version::v1, sim::Traffic::replay),
                      std::make_unique<sim::Scorer>(blocked_scene(), sim::Version::v2, sim::Traffic::replay)});
  }
  return std::make_shared<align::PdmReward>(std::move(scenes), align::PdmWeights{}, 0.5);
}

/// The best of all plans that brake evenly.
double best_braking() {
  const auto reward = blocked_reward();
  double best = 0;
  for (double a = 0.5; a <= 6; a += 0.1) {
    for (double delay = 0; delay <= 2; delay += 0.1) {
      std::vector<float> poses;
      for (int k = 1; k <= 8; ++k) {
        for (const double value : {driven(0.5 * k, a, delay), 0.0, 0.0}) poses.push_back(static_cast<float>(value));
      }
      const align::JudgedPlan plan{{}, poses};
      align::PlanValue value;
      reward->judge(0, {&plan, 1}, &value);
      best = std::max(best, value.reward);
    }
  }
  return best;
}

}  // namespace

TEST(alignment_learns_to_brake_for_a_standing_vehicle) {
  if (sizeof(real) > sizeof(float)) skip("takes too long in the double build, which checks the gradients instead");
  const auto data = two_drivers(straight_scene(0).ego.x + sim::vehicle::kRearAxleToCenter);
  ModelConfig model;
  model.hidden = 32, model.layers = 2, model.heads = 2, model.kv_heads = 2, model.mlp_hidden = 48;
  model.encoder_hidden = 24, model.max_agents = 2, model.max_lanes = 2, model.vocab = 61;
  model.sampling_schedule.final_width = 0.02, model.schedule.final_width = 0.02;
  for (int i = 1; i <= 8; ++i) {
    for (const double scale : {5.5 * i, 0.5, 0.1}) model.slot_scale.push_back(scale);
  }
  TrainConfig train;
  train.steps = 150, train.batch = 4, train.micro_batches = 2, train.lr = 5e-3, train.warmup = 20, train.ema = 0.9;
  train.dropout = 0, train.augment = false, train.smear = 1, train.copies = 4;
  const BackendFactory make_backend = [] { return cpu::make_cpu_backend(nullptr, cpu::best_isa()); };
  Trainer trainer(model, train, data, make_backend, 1, {});
  for (int i = 0; i < train.steps; ++i) trainer.step();

  align::AlignConfig config;
  config.steps = 200, config.batch = 4, config.micro_batches = 2, config.group = 12, config.rollout_steps = {1, 4};
  config.lr = 2e-3, config.warmup = 5, config.kl_beta = 0.003, config.probe_every = 200;
  config.max_kl = 1e9, config.min_diversity = 0, config.max_ade_drift = 1e9;
  align::Aligner aligner(model, config, data, blocked_reward(), blocked_reward(), trainer.ema_tensors(), make_backend,
                         1);
  align::AlignStats stats;
  for (int i = 0; i < config.steps; ++i) stats = aligner.step();
  const double best = best_braking();
  const align::GroupFigures &before = aligner.start().group, &after = stats.probe.group;
  CHECK(best > 0.9);
  CHECK(before.mean(before.reward) < 0.7 * best);
  CHECK(after.mean(after.reward) > 0.93 * best);
  CHECK(stats.probe.median.mean(stats.probe.median.reward) > 0.93 * best);
  CHECK(after.mean(after.collision) > 0.99);
  CHECK(std::isfinite(after.held_back));
}

}  // namespace wam::test
