#include "align/reward.h"

#include <cmath>
#include <limits>

namespace wam::align {

namespace {

/// Poses of the rear axle in the ego's rear-axle frame, from those of the box centre in its own: both frames have the
/// ego's heading.
void append_rear_axle(std::span<const float> centers, std::vector<double>& out) {
  for (std::size_t i = 0; i < centers.size(); i += 3) {
    const double heading = centers[i + 2];
    out.push_back(centers[i] + sim::vehicle::kRearAxleToCenter * (1 - std::cos(heading)));
    out.push_back(centers[i + 1] - sim::vehicle::kRearAxleToCenter * std::sin(heading));
    out.push_back(heading);
  }
}

PdmParts parts_of(const sim::Scorer& scorer, const sim::TrajectoryScore& score) {
  PdmParts parts;
  if (scorer.version() == sim::Version::v1) {
    const sim::Verdict& v = score.verdict;
    parts.collision = v.collision, parts.drivable = v.drivable;
    parts.ttc = v.ttc, parts.progress = score.ego_progress, parts.comfort = v.comfort;
    return parts;
  }
  double part[sim::kFiltered];
  scorer.filtered(score, part);
  parts.collision = part[0], parts.drivable = part[1], parts.direction = part[2], parts.light = part[3];
  parts.progress = part[4], parts.ttc = part[5], parts.lane = part[6], parts.comfort = part[7];
  return parts;
}

}  // namespace

PdmReward::PdmReward(std::vector<ScoredScene> scenes, PdmWeights weights, double interval)
    : scenes_(std::move(scenes)), weights_(weights), interval_(interval) {
  pdm_reward({}, weights_);  // refuses bad weights
}

void PdmReward::judge(int scene, std::span<const JudgedPlan> plans, PlanValue* out) {
  ScoredScene& s = scenes_[static_cast<std::size_t>(scene)];
  const auto n = static_cast<int>(plans.size());
  std::vector<double> poses;
  for (const JudgedPlan& plan : plans) append_rear_axle(plan.poses, poses);
  const int count = static_cast<int>(plans[0].poses.size() / 3);
  std::vector<sim::TrajectoryScore> scores(plans.size());
  s.scorer->score(poses.data(), n, count, interval_, scores.data(), nullptr);
  PdmWeights weights = weights_;
  if (s.scorer->version() == sim::Version::v1) weights.lane = 0;
  for (std::size_t i = 0; i < plans.size(); ++i) {
    out[i].parts = parts_of(*s.scorer, scores[i]);
    out[i].reward = pdm_reward(out[i].parts, weights);
    out[i].held_back = std::numeric_limits<double>::quiet_NaN();
  }
  if (!s.held_back) return;
  s.held_back->score(poses.data(), n, count, interval_, scores.data(), nullptr);
  for (std::size_t i = 0; i < plans.size(); ++i) {
    const PdmParts parts = parts_of(*s.held_back, scores[i]);
    out[i].held_back = (parts.direction + parts.light + parts.lane + parts.comfort) / 4;
  }
}

}  // namespace wam::align
