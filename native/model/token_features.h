#pragma once
#include "model/config.h"

namespace wam::model {

/// Columns of the fixed features of a numeric token.
int token_feature_width(const ModelConfig& config);

/// features [vocab, width]. fourier: of the coordinate u in [-1,1], u itself, sin and cos of 2^k pi u (k = 0..7) and two
/// rows of Gaussian bumps, so that near tokens look alike and every token still differs from its neighbours.
/// table: rows of the triplet-trained table (`table` [vocab, table_dim]), L2-normalised and scaled to unit mean square,
/// as the metric path sees them.
void write_token_features(const ModelConfig& config, const real* table, real* features);

}  // namespace wam::model
