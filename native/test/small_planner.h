#pragma once
// A small planner with random weights on the made-up road: enough for plans to have structure.

#include <memory>
#include <vector>

#include "model/model.h"
#include "model/network.h"
#include "model/planner.h"
#include "test/synthetic.h"

namespace wam::test {

using namespace wam::model;

inline ModelConfig small_planner(MaskKind mask) {
  ModelConfig c;
  c.hidden = 32, c.layers = 3, c.heads = 2, c.kv_heads = 2, c.mlp_hidden = 64, c.encoder_hidden = 32;
  c.max_agents = 6, c.max_lanes = 8, c.vocab = 101, c.mask = mask;
  c.slot_scale.assign(24, 5.0);
  return c;
}

/// Random weights with a head strong enough for posteriors with structure.
inline std::shared_ptr<const Model> random_model(const ModelConfig& config, std::uint64_t seed) {
  const Network network(config);
  std::vector<real> block = initial_weights(config, network, seed, {});
  for (std::int64_t i = 0; i < static_cast<std::int64_t>(config.hidden) * network.feature_dim; ++i) {
    block[static_cast<std::size_t>(network.numeric_head.weight + i)] *= 20;
  }
  return std::make_shared<Model>(config, named_tensors(network.layout, "", block.data()));
}

inline scene::Observation observed(const scene::Dataset& data, int window) {
  scene::Observation o;
  data.observe(window, o);
  return o;
}

inline PlanOptions sampled(int steps, int samples, std::uint64_t seed) {
  PlanOptions o;
  o.steps = steps, o.samples = samples, o.seed = seed;
  o.decode = o.last_decode = DecodeRule::sample;
  return o;
}

}  // namespace wam::test
