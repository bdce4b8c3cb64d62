#include "model/action_decoder.h"

#include "core/error.h"
#include "model/autoregressive_decoder.h"
#include "model/flow_decoder.h"
#include "model/value_decoder.h"

namespace wam::model {

void refuse_warm_start(const PlanOptions& options, const char* decoder) {
  if (!options.warm.begins()) return;
  throw Error("ERR_ARGUMENT", std::string("warmStart: the decoder ") + decoder +
                                  " cannot begin with an earlier plan; expected a model with the decoder flow");
}

std::unique_ptr<ActionDecoder> make_action_decoder(std::shared_ptr<const Model> model, Backend& backend,
                                                   PlanLimits limits) {
  switch (model->config().decoder) {
    case DecoderKind::flow:
      return std::make_unique<FlowDecoder>(std::move(model), backend, limits);
    case DecoderKind::autoregressive:
      return std::make_unique<AutoregressiveDecoder>(std::move(model), backend, limits);
    default:
      return std::make_unique<ValueDecoder>(std::move(model), backend, limits);
  }
}

}  // namespace wam::model
