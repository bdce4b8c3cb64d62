#pragma once
// What a transformer is made of, wherever its weights lie: the decoder of every model of the family, and the vision
// tower, which is the same thing with other norms and no positions.

#include <cstdint>
#include <vector>

#include "model/config.h"

namespace wam::model {

/// y = x W^T + b with W [out, in].
struct Linear {
  std::int64_t weight = 0, bias = -1;  // offsets into the block of weights; bias -1: none
  int in = 0, out = 0;
  int id = 0;  // among the linear maps that share a list of packed weights
};

/// Weight (and for layer_norm bias) of a normalisation over `hidden` columns.
struct Norm {
  std::int64_t weight = 0, bias = -1;
};

struct Layer {
  Norm attention_norm, mlp_norm;
  Linear qkv, output;       // qkv: rows q | k | v
  Linear query, key_value;  // its rows q and k | v, in a stack that is split
  Linear up, down;          // swiglu: up holds gate rows, then up rows
};

struct StackShape {
  int layers = 1, hidden = 0, heads = 1, kv_heads = 1, head_dim = 0, mlp_hidden = 0;
  MlpKind mlp = MlpKind::gelu;
  NormKind norm = NormKind::layer_norm;
  double norm_eps = 1e-5;
  double rope_theta = 0;  // 0: no rotary positions
};

struct Stack {
  std::vector<Layer> layers;
  Linear last_key_value;  // the k | v rows of the last layer's qkv: all that prefix rows need there
  Norm final_norm;
  /// Queries and keys with values come from products of their own, `query` and `key_value`: a cache then holds no
  /// queries. Costs a second pass over the rows; for forward passes alone.
  bool split = false;
};

}  // namespace wam::model
