#include "model/config.h"

#include <cmath>
#include <string>

#include "core/error.h"

namespace wam::model {

namespace {

[[noreturn]] void fail(const std::string& what) { throw Error("ERR_CONFIG", what); }

void check_range(const char* name, double value, double low, double high) {
  if (!(value >= low && value <= high)) {
    fail(std::string(name) + ": expected a number in [" + std::to_string(low) + ", " + std::to_string(high) +
         "], received " + std::to_string(value));
  }
}

}  // namespace

void ModelConfig::validate() const {
  // The upper bounds only keep a lying file from asking for absurd memory; no model of this family comes near them.
  check_range("hidden_size", hidden, 1, 16384);
  check_range("num_hidden_layers", layers, 1, 256);
  check_range("num_attention_heads", heads, 1, 256);
  check_range("num_key_value_heads", kv_heads, 1, 256);
  check_range("intermediate_size", mlp_hidden, 1, 65536);
  check_range("norm_eps", norm_eps, 1e-12, 1);
  check_range("encoder.hidden_size", encoder_hidden, 1, 16384);
  check_range("encoder.max_agents", max_agents, 0, 1024);
  check_range("encoder.max_lanes", max_lanes, 0, 1024);
  check_range("tokens.vocab_size", vocab, 2, 1 << 20);
  check_range("tokens.waypoints", waypoints, 1, 64);
  check_range("tokens.interval_s", interval_s, 0.01, 10);
  check_range("tokens.compand", compand, 0, 50);
  check_range("numeric.table_size", table_dim, 1, 4096);
  check_range("path.power", metric_power, 0.1, 8);
  if (hidden % heads != 0) fail("hidden_size: must be a multiple of num_attention_heads");
  if (heads % kv_heads != 0) fail("num_attention_heads: must be a multiple of num_key_value_heads");
  if (rope_theta != 0) check_range("rope_theta", rope_theta, 1, 1e9);
  if (rope_theta != 0 && head_dim() % 2 != 0) fail("rope_theta: rotary positions need an even head size");
  if (tokens == TokenKind::residual_companded) {
    if (static_cast<int>(slot_scale.size()) != slots()) {
      fail("tokens.slot_scale: expected " + std::to_string(slots()) + " numbers, received " +
           std::to_string(slot_scale.size()));
    }
    for (double scale : slot_scale) check_range("tokens.slot_scale", scale, 1e-6, 1e6);
  } else {
    check_range("tokens.min", grid_min, -1e6, 1e6);
    check_range("tokens.step", grid_step, 1e-6, 1e6);
  }
  if (decoder == DecoderKind::autoregressive && mask == MaskKind::full) {
    fail("attention_mask: an autoregressive decoder cannot see the tokens to come; expected 'prefix' or 'causal'");
  }
  if (mixture_source == MixtureSource::mask && (path != PathKind::mixture || !mask_at_zero)) {
    fail("path.source: 'mask' needs a mixture path with mask_at_zero");
  }
  check_range("decoder.data_scale", diffusion_scale, 1e-3, 1e3);
  check_range("decoder.start_time", diffusion_start, 1e-2, 1);
  schedule.check();
  sampling_schedule.check();
  mixture.check();
}

}  // namespace wam::model
