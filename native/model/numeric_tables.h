#pragma once
// Input rows and head rows of the numeric tokens. They are linear maps of fixed token features (or free rows), so both
// tables are made once a load in planning and once an update in training.

#include "core/arena.h"
#include "model/decoder.h"

namespace wam::model {

struct NumericTables {
  // Of ModelConfig::network_vocab tokens.
  real* input = nullptr;  // [vocab + 1, hidden]; row `vocab` is the mask token
  real* head = nullptr;   // [vocab, hidden]

  static NumericTables take(const ModelConfig& config, Arena& arena);
  static std::int64_t size(const ModelConfig& config);  // elements of both, as laid out by `at`
  /// Views into a block of `size` elements: input, then head.
  static NumericTables at(const ModelConfig& config, real* block);
};

void make_numeric_tables(const ModelConfig& config, const Network& network, Backend& backend, const real* block,
                         NumericTables& out);

/// Adds the gradients of the tables to those of the weights.
void numeric_tables_backward(const ModelConfig& config, const Network& network, Backend& backend, const real* block,
                             const NumericTables& gradient, real* grad);

}  // namespace wam::model
