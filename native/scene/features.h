#pragma once
// An observation as numbers for the scene encoder: what each prefix token is made of, in the ego frame and in units
// near 1. docs/features.md lists every column.

#include <cstdint>
#include <vector>

#include "core/philox.h"
#include "core/real.h"
#include "scene/observation.h"
#include "scene/route.h"

namespace wam::scene {

inline constexpr int kEgoPast = 9;  // history offsets of the ego
inline constexpr int kEgoFeatures = 12 + kEgoPast * 6;
inline constexpr int kPreviewPoints = 10;  // along the path, by distance
inline constexpr int kPreviewTimes = 4;    // along the path, by time at the present speed
inline constexpr int kLeaders = 3;
inline constexpr int kLeaderFeatures = 14;
inline constexpr int kPathFeatures = 20 + kPreviewPoints * 4 + kPreviewTimes * 2 + (kLeaders + 1) * kLeaderFeatures;
inline constexpr int kAgentPast = 3;
inline constexpr int kAgentFeatures = 26 + kAgentPast * 3;
inline constexpr int kLaneFeatures = 10 + 18;

/// Changes an observation the way that another recording might have differed. Drawn once a training sample.
struct Augmentation {
  bool mirror = false;        // left and right exchanged, command too
  double scale = 1;           // of all lengths and velocities
  double drop = 0;            // probability that a vehicle or lane piece is not seen
  double position_noise = 0;  // metres, standard deviation, one offset a vehicle (not the ego)
  double velocity_noise = 0;  // m/s
  const RandomStream* stream = nullptr;
  std::uint32_t step = 0, sample = 0;  // address of the draws
};

/// Rows of features; reused storage.
struct Features {
  int paths = 0, agents = 0, lanes = 0;
  std::vector<real> ego;    // [kEgoFeatures]
  std::vector<real> path;   // [paths, kPathFeatures]
  std::vector<real> agent;  // [agents, kAgentFeatures]
  std::vector<real> lane;   // [lanes, kLaneFeatures]
  double speed = 0;         // of the ego along its heading at t = 0, m/s, after augmentation: base of residual tokens
  int tokens() const { return 1 + paths + agents + lanes; }
};

struct FeatureLimits {
  int max_agents = 16;
  int max_lanes = 20;
};

/// Prefix tokens at most: ego, two paths, agents, lane pieces.
inline int max_prefix_tokens(const FeatureLimits& limits) { return 3 + limits.max_agents + limits.max_lanes; }

class FeatureBuilder {
 public:
  explicit FeatureBuilder(FeatureLimits limits);
  ~FeatureBuilder();
  FeatureBuilder(FeatureBuilder&&) noexcept;
  void build(const Observation& observation, const Augmentation& augmentation, Features& out);

 private:
  struct Seen;  // an agent with what the columns need
  struct Frame;
  void see_agents(const Observation& observation, const Augmentation& augmentation, const Frame& frame);
  void write_ego(const Observation& observation, const Frame& frame, Features& out) const;
  void write_path(const Observation& observation, const Frame& frame, int which, Features& out);
  void write_agents(const Frame& frame, Features& out);
  void write_lanes(const Observation& observation, const Augmentation& augmentation, const Frame& frame, Features& out);

  FeatureLimits limits_;
  Route route_;
  std::vector<Seen> seen_;
  std::vector<int> order_;
  std::vector<double> lane_key_;
};

}  // namespace wam::scene
