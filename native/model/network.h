#pragma once
// Where each weight of the network stands in the parameter block, and the parts that both planning and training run.

#include <vector>

#include "core/backend.h"
#include "model/config.h"
#include "model/parameters.h"
#include "model/stack.h"

namespace wam::model {

/// Types of prefix tokens, each with its own two-layer MLP; the bias of the second layer is the type's vector.
enum class TokenType { ego, path, agent, lane };
inline constexpr int kTokenTypes = 4;
int feature_width(TokenType type);

StackShape stack_shape(const ModelConfig& config);

struct Network : Stack {
  explicit Network(const ModelConfig& config);

  ParameterLayout layout;
  Linear encoder_in[kTokenTypes], encoder_out[kTokenTypes];
  std::int64_t slot_embedding = 0;   // [slots, hidden]
  std::int64_t mask_embedding = 0;   // [1, hidden]: the input token at t = 0
  std::int64_t token_features = -1;  // [vocab, feature_dim] fixed, or -1 with free rows
  int feature_dim = 0;
  Linear numeric_input, numeric_head;  // feature_dim -> hidden; with free rows `weight` is the table [vocab, hidden]
  Linear value_head;                   // continuous decoders: hidden -> coordinate
  Linear value_input, time_input;      // diffusion: noisy coordinate -> hidden, features of the time -> hidden
  std::int64_t metric_table = -1;      // [vocab, table_dim] fixed, when the metric or the features need it
  int linear_count = 0;
};

/// Random initial weights, a pure function of (config, seed); fixed buffers are computed, `table` is copied in.
std::vector<real> initial_weights(const ModelConfig& config, const Network& network, std::uint64_t seed,
                                  const std::vector<float>& table);

/// What the path of a model measures. `block`: weights of this layout, for a table; `coordinate`: those of the tokens
/// [vocab]. Both in the backend's memory.
TokenMetric token_metric(const ModelConfig& config, const Network& network, const real* block, const real* coordinate);

}  // namespace wam::model
