#include "model/action_decoder.h"

#include "model/autoregressive_decoder.h"
#include "model/flow_decoder.h"
#include "model/value_decoder.h"

namespace wam::model {

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
