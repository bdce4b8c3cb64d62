#pragma once
// Judges plans in the spirit of the PDM score by what is known when one plans: the vehicles seen now go on as they do, the
// lights stay. Nothing of the recorded future enters.

#include <array>
#include <limits>
#include <memory>
#include <optional>
#include <vector>

#include "search/forecast.h"
#include "search/guide.h"
#include "search/local_road.h"
#include "sim/comfort.h"

namespace wam::search {

/// Ends of the spans of time that findings are kept apart for: what is far away is forecast badly.
inline constexpr int kSpans = 4;

/// What is found about one plan. It does not depend on the other plans.
struct Findings {
  /// Least metres in the k-th second of the plan to a box that a collision with would be the ego's fault. Infinite: none
  /// is near.
  std::array<double, kSpans> clearance;
  /// Least seconds to a collision at constant speed in the k-th second: 0, 0.3, 0.6, 0.9, or infinite.
  std::array<double, kSpans> time_to_collision;
  double off_road = 0;       // metres that a corner is further from the lanes than any is now
  double against = 0;        // metres driven where all lanes go the other way
  double past_red = 0;       // metres that the front is beyond the stop line of a red light
  double progress = 0;       // metres along the route
  double reference = 0;      // metres that a careful driver would get
  double discomfort = 0;     // largest signal of the PDM score's comfort (version 1) as a share of its bound
  double off_center = 0;     // longest time that the centre is over 0.5 m off every lane's centreline, seconds
  double inconsistency = 0;  // against the plan before: largest difference of extended comfort as a share of its bound
  double deviation = 0;      // mean metres between waypoints and those of the model's median plan
};

/// The plan before this one, see PlanOptions::warm_start.
struct EarlierPlan {
  const float* trajectory = nullptr;  // [waypoints, 3] in the frame of then
  double elapsed_s = 0;
};

/// Holds working memory; one call at a time.
class CausalScorer {
 public:
  CausalScorer(int waypoints, double interval_s);

  /// Takes an observation over: it must outlive the calls of `judge`. `earlier`: null when there is none.
  void look(const scene::Observation& observation, const EarlierPlan* earlier);
  /// `poses` [waypoints, 3] of the tracked point in its present frame; `median`: the model's own opinion, or null.
  Findings judge(const float* poses, const float* median);

 private:
  void drive(const sim::State& from, const float* poses);
  void meet_others(Findings& out) const;
  void stay_on_road(Findings& out);
  void follow_route(Findings& out) const;
  void be_comfortable(Findings& out);

  int waypoints_, states_;
  double interval_;
  std::optional<EgoFrame> frame_;
  Forecasts others_;
  LocalRoad road_;
  Guide guide_;
  sim::State ego_;
  double half_length_ = 0, half_width_ = 0, outside_now_ = 0;
  std::vector<sim::Pose> plan_;
  std::array<sim::Pose, sim::kStates> reference_;
  std::array<sim::State, sim::kStates> rollout_;
  std::array<Box, sim::kStates> box_;
  std::uint64_t bad_area_ = 0;                              // by state: over a border of the lane
  std::unique_ptr<sim::ExtendedComfortCheck> consistency_;  // with plans so long ago
  double consistent_s_ = 0;                                 // that one's interval
  bool compares_ = false;
  sim::ExtendedComfortCheck::Signals earlier_;
  sim::ComfortCheck::Workspace workspace_;
};

/// What findings are worth, in [0, 1].
double score(const Findings& findings);

}  // namespace wam::search
