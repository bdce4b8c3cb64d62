#include "sim/scorer.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"

namespace wam::sim {
namespace {

constexpr double kPastInterval = 0.5;

/// The past at 10 Hz. The devkit drops the last sample before the present, so that -0.1 s is missing.
std::vector<State> history_of(const Scene& scene) {
  std::vector<State> history;
  if (scene.past.empty()) return history;
  std::vector<double> heading{scene.past[0].heading};
  for (std::size_t i = 1; i < scene.past.size(); ++i)
    heading.push_back(unwrapped(scene.past[i].heading, heading.back()));
  for (int k = 0; k < kHistoryStates; ++k) {
    const double t = k * kDt;
    const auto i = std::min<std::size_t>(static_cast<std::size_t>(t / kPastInterval + 1e-9), scene.past.size() - 2);
    const double part = (t - static_cast<double>(i) * kPastInterval) / kPastInterval;
    const State &a = scene.past[i], &b = scene.past[i + 1];
    const auto line = [part](double u, double v) { return (v - u) * part + u; };
    State s;
    s.x = line(a.x, b.x);
    s.y = line(a.y, b.y);
    s.heading = wrap_modulo(line(heading[i], heading[i + 1]));
    s.vx = line(a.vx, b.vx);
    s.vy = line(a.vy, b.vy);
    s.ax = line(a.ax, b.ax);
    s.ay = line(a.ay, b.ay);
    history.push_back(s);
  }
  return history;
}

}  // namespace

Scorer::Scorer(Scene scene, Version version, Traffic traffic, int threads)
    : scene_(std::move(scene)), version_(version) {
  if (traffic == Traffic::reactive && version == Version::v1) {
    throw Error("ERR_ARGUMENT", "traffic: reactive traffic belongs to version 2");
  }
  if (threads < 1 || threads > 256) throw Error("ERR_RANGE", "threads: expected 1 to 256");
  scene_.check();
  const WorldMap& map = *scene_.map;
  std::vector<std::uint8_t> raw_route(map.lanes().size());
  for (const int block : scene_.route) {
    for (const int lane : map.blocks()[static_cast<std::size_t>(block)].lanes) {
      raw_route[static_cast<std::size_t>(lane)] = 1;
    }
  }
  route_ = plan_route(scene_);
  ground_.map = scene_.map;
  ground_.centerline = Centerline(route_.centerline);
  ground_.use = area_uses(map, center_of({scene_.ego.x, scene_.ego.y, scene_.ego.heading}), route_.lanes);
  plan_ = plan_pdm_closed(scene_, version, ground_, route_.speed_limit, forecast(scene_, raw_route));
  occupancy_ = replay(scene_, version, raw_route);
  if (traffic == Traffic::reactive) reactive_ = std::make_unique<ReactiveTraffic>(scene_, raw_route);
  history_ = version == Version::v2 ? history_of(scene_) : std::vector<State>{};
  if (version == Version::v1 || !history_.empty()) comfort_ = &rollout_comfort(version);

  for (int i = 0; i < threads; ++i) workers_.push_back(std::make_unique<Worker>(ground_, version));
  if (threads > 1) team_ = std::make_unique<ThreadPool>(threads);
  Judge& judge = workers_[0]->judge;
  reference_ = judge.judge(plan_.rollout, occupancy_, comfort_, history_);
  if (!scene_.human.empty()) {
    Pose reference[kStates];
    State rollout[kStates];
    Profiles profiles;
    reference_poses(scene_.ego, scene_.time_us, {scene_.human, kPastInterval}, reference);
    estimate_profiles(reference, profiles);
    simulate(scene_.ego, reference, profiles, rollout);
    human_ = judge.judge(rollout, occupancy_, nullptr, {});
  }
}

void Scorer::judge_one(Worker& worker, std::span<const State, kStates> rollout, TrajectoryScore& out) {
  const Occupancy* occupancy = &occupancy_;
  Verdict verdicts[2] = {reference_, {}};
  if (reactive_) {
    // The reference is judged in the traffic that reacts to this rollout.
    reactive_->simulate(rollout, worker.reactive);
    occupancy = &worker.reactive;
    verdicts[0] = worker.judge.judge(plan_.rollout, *occupancy, comfort_, history_);
  }
  verdicts[1] = worker.judge.judge(rollout, *occupancy, comfort_, history_);
  double progress[2];
  ego_progress(version_, verdicts, progress);
  out.verdict = verdicts[1];
  // Findings name the scene's objects: those of reacting traffic are gone after this.
  for (Finding* finding : {&out.verdict.collision_at, &out.verdict.ttc_at}) {
    if (finding->object >= 0) finding->object = occupancy->objects()[static_cast<std::size_t>(finding->object)].source;
  }
  out.ego_progress = progress[1];
  out.multiplier = multiplier(version_, verdicts[1]);
  out.score = pdm_score(version_, verdicts[1], progress[1]);
  out.reference_progress = verdicts[0].progress;
  out.reference_multiplier = multiplier(version_, verdicts[0]);
}

void Scorer::score(const double* poses, int n, int count, double interval, TrajectoryScore* out, State* rollouts) {
  if (n < 0 || count < 1 || count > kMaxPlanPoses) throw Error("ERR_RANGE", "poses: expected 1 to 400 a trajectory");
  if (!(interval >= 0.01 && interval <= 10)) throw Error("ERR_RANGE", "interval: expected 0.01 to 10 s");
  const std::size_t size = static_cast<std::size_t>(count) * 3;
  for (std::size_t i = 0; i < static_cast<std::size_t>(n) * size; ++i) {
    if (!(std::abs(poses[i]) <= 1e6)) {
      throw Error("ERR_NOT_FINITE", "poses[" + std::to_string(i / 3) + "]: expected finite numbers up to 1e6");
    }
  }
  const auto one = [&](int i, int worker) {
    Pose plan[kMaxPlanPoses], reference[kStates];
    State rollout[kStates];
    Profiles profiles;
    const double* p = poses + static_cast<std::size_t>(i) * size;
    for (int k = 0; k < count; ++k) plan[k] = {p[3 * k], p[3 * k + 1], p[3 * k + 2]};
    reference_poses(scene_.ego, scene_.time_us, {{plan, static_cast<std::size_t>(count)}, interval}, reference);
    estimate_profiles(reference, profiles);
    simulate(scene_.ego, reference, profiles, rollout);
    judge_one(*workers_[static_cast<std::size_t>(worker)], rollout, out[i]);
    if (rollouts != nullptr) std::copy(rollout, rollout + kStates, rollouts + static_cast<std::size_t>(i) * kStates);
  };
  if (team_) {
    team_->run(n, one);
  } else {
    for (int i = 0; i < n; ++i) one(i, 0);
  }
}

void Scorer::score_rollouts(const State* rollouts, int n, TrajectoryScore* out) {
  const auto one = [&](int i, int worker) {
    const std::span<const State, kStates> rollout(rollouts + static_cast<std::size_t>(i) * kStates, kStates);
    judge_one(*workers_[static_cast<std::size_t>(worker)], rollout, out[i]);
  };
  if (team_) {
    team_->run(n, one);
  } else {
    for (int i = 0; i < n; ++i) one(i, 0);
  }
}

double Scorer::filtered(const TrajectoryScore& score, std::span<double, kFiltered> out) const {
  const Verdict& v = score.verdict;
  const double values[kFiltered] = {v.collision,        v.drivable, v.direction, v.light,
                                    score.ego_progress, v.ttc,      v.lane,      v.comfort};
  // The human's own progress and comfort are never 0: alone it is normalised by itself, and it has no history.
  const double human[kFiltered] = {
      human_.collision, human_.drivable, human_.direction, human_.light, 1, human_.ttc, human_.lane, 1};
  const bool forgives = version_ == Version::v2 && !scene_.human.empty();
  for (std::size_t i = 0; i < kFiltered; ++i) out[i] = forgives && human[i] == 0 ? 1 : values[i];
  return out[0] * out[1] * out[2] * out[3] * (5 * out[4] + 5 * out[5] + 2 * out[6] + 2 * out[7]) / 14;
}

std::vector<ReactiveTrack> Scorer::reactive_tracks(std::span<const State, kStates> rollout) const {
  if (!reactive_) return {};
  Occupancy unused;
  return reactive_->simulate(rollout, unused);
}

std::size_t Scorer::bytes() const {
  std::size_t objects = 0;
  for (const SceneObject& object : scene_.objects) objects += sizeof object + object.samples.size() * sizeof(Sample);
  return sizeof *this + objects + occupancy_.bytes() + ground_.use.size() + route_.centerline.size() * sizeof(Pose) * 4;
}

}  // namespace wam::sim
