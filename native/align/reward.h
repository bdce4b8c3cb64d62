#pragma once
// What plans are worth.

#include <memory>
#include <span>
#include <vector>

#include "align/advantage.h"
#include "sim/scorer.h"

namespace wam::align {

/// A plan as it is judged: tokens [slots], and box-centre poses [waypoints, 3] in the ego's present frame.
struct JudgedPlan {
  std::span<const std::int32_t> tokens;
  std::span<const float> poses;
};

struct PlanValue {
  double reward = 0;
  PdmParts parts;
  double held_back = 0;  // mean of what is not part of the reward; NaN when there is none
};

/// Judges plans of a fixed list of scenes, each a window of the data set.
class RewardModel {
 public:
  virtual ~RewardModel() = default;
  virtual int scenes() const = 0;
  virtual int window(int scene) const = 0;
  /// Any thread; one call at a time for each scene.
  virtual void judge(int scene, std::span<const JudgedPlan> plans, PlanValue* out) = 0;
};

/// A window with what judges its plans.
struct ScoredScene {
  int window = 0;
  std::unique_ptr<sim::Scorer> scorer;
  std::unique_ptr<sim::Scorer> held_back;  // of version 2, or null
};

/// The PDM score and its parts. Version 2 with the human filter, before extended comfort. The held-back value is the mean
/// of the direction, light, lane and comfort of version 2.
class PdmReward : public RewardModel {
 public:
  /// `interval`: seconds between waypoints. The weight of the lane counts in version 2 alone.
  PdmReward(std::vector<ScoredScene> scenes, PdmWeights weights, double interval);
  int scenes() const override { return static_cast<int>(scenes_.size()); }
  int window(int scene) const override { return scenes_[static_cast<std::size_t>(scene)].window; }
  void judge(int scene, std::span<const JudgedPlan> plans, PlanValue* out) override;

 private:
  std::vector<ScoredScene> scenes_;
  PdmWeights weights_;
  double interval_;
};

}  // namespace wam::align
