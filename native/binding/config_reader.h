#pragma once
#include <napi.h>

#include "model/config.h"
#include "model/trainer.h"

namespace wam::binding {

/// The objects of lib/native-types.ts. Throws Error that names the field: ERR_ARGUMENT for a wrong type, ERR_CONFIG for
/// a model configuration that is not valid.
model::ModelConfig read_model_config(Napi::Value value);
model::TrainConfig read_train_config(Napi::Value value);
model::TokenizerTrainConfig read_tokenizer_train_config(Napi::Value value);

}  // namespace wam::binding
