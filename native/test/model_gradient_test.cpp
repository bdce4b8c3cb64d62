// Gradients of the whole mini model against central differences of the loss. Meant for the double build, where the
// difference quotient is good to nine digits; the float build skips it.

#include <memory>

#include "core/philox.h"
#include "cpu/cpu_backend.h"
#include "model/batch_loss.h"
#include "test/synthetic.h"
#include "test/test.h"

namespace wam::test {

namespace {

using namespace wam::model;

struct Variant {
  const char* name;
  ModelConfig model;
};

ModelConfig small() {
  ModelConfig c;
  c.hidden = 24, c.layers = 2, c.heads = 2, c.kv_heads = 2, c.mlp_hidden = 40, c.encoder_hidden = 20;
  c.max_agents = 4, c.max_lanes = 5, c.vocab = 31;
  c.slot_scale.assign(24, 4.0);
  return c;
}

std::vector<Variant> variants() {
  std::vector<Variant> list;
  list.push_back({"mini: prefix mask, layer norm, gelu, fourier", small()});
  ModelConfig llama = small();
  llama.norm = NormKind::rms_norm, llama.mlp = MlpKind::swiglu, llama.rope_theta = 10000, llama.kv_heads = 1;
  llama.mask = MaskKind::full, llama.numeric = NumericKind::free, llama.mask_at_zero = false;
  list.push_back({"full mask, rms norm, swiglu, rope, grouped heads, free rows", llama});
  ModelConfig causal = small();
  causal.mask = MaskKind::causal, causal.rope_theta = 100, causal.path = PathKind::mixture;
  causal.tokens = TokenKind::absolute, causal.grid_min = -60, causal.grid_step = 4;
  list.push_back({"causal mask, mixture path, absolute tokens", causal});
  ModelConfig table = small();
  table.numeric = NumericKind::table, table.metric = MetricKind::table, table.table_dim = 6;
  list.push_back({"triplet table as features and metric", table});
  ModelConfig next = small();
  next.decoder = DecoderKind::autoregressive;
  list.push_back({"autoregressive, prefix sees itself", next});
  next.mask = MaskKind::causal, next.rope_theta = 100, next.numeric = NumericKind::free;
  list.push_back({"autoregressive, causal throughout, free rows", next});
  ModelConfig values = small();
  values.decoder = DecoderKind::regression;
  list.push_back({"regression", values});
  values.decoder = DecoderKind::diffusion, values.diffusion_start = 0.8;
  list.push_back({"diffusion", values});
  values.mask = MaskKind::full, values.norm = NormKind::rms_norm;
  list.push_back({"diffusion, full mask", values});
  ModelConfig masked = small();
  masked.path = PathKind::mixture, masked.mixture_source = MixtureSource::mask;
  list.push_back({"mixture path from mask tokens", masked});
  return list;
}

}  // namespace

TEST(gradients_of_the_whole_model_agree_with_central_differences) {
  if (sizeof(real) < 8) skip("needs the double build");
  const auto data = bent_dataset(5, 90);
  for (const Variant& variant : variants()) {
    const Context context(variant.name);
    const ModelConfig& config = variant.model;
    TrainConfig train;
    train.batch = 6, train.micro_batches = 2, train.copies = 2, train.dropout = 0.1;
    const Network network(config);
    std::vector<float> table(static_cast<std::size_t>(config.vocab) * config.table_dim);
    for (std::size_t i = 0; i < table.size(); ++i) table[i] = std::sin(0.7f * static_cast<float>(i));
    std::vector<real> block = initial_weights(config, network, 3, table);
    // Away from the initial state, where norms are 1 and biases 0 and much would cancel unnoticed.
    const RandomStream stream(9);
    for (std::size_t i = 0; i < block.size(); ++i) {
      const Philox4 r = stream.at(static_cast<std::uint32_t>(i), 0, 0, RandomUse::initial_weight);
      if (network.token_features >= 0 && static_cast<std::int64_t>(i) >= network.token_features &&
          static_cast<std::int64_t>(i) < network.token_features + config.vocab * network.feature_dim) {
        continue;
      }
      block[i] += static_cast<real>(0.2 * (unit_uniform(r.word[0]) - 0.5));
    }
    const auto backend = cpu::make_cpu_backend(nullptr, cpu::Isa::portable);
    const std::vector<real> coordinate = TrajectoryTokens(config).coordinates();
    TokenMetric metric;
    metric.vocab = config.vocab;
    metric.coordinate = coordinate.data();
    std::vector<real> fixed_table(table.begin(), table.end());
    if (network.metric_table >= 0 && config.metric == MetricKind::table) {
      metric.coordinate = nullptr, metric.table = fixed_table.data(), metric.dim = config.table_dim;
    }
    BatchLoss batch(config, train, network, *data, *backend, metric);

    std::vector<real> tables(static_cast<std::size_t>(NumericTables::size(config)));
    NumericTables numeric = NumericTables::at(config, tables.data());
    const auto loss_at = [&] {
      make_numeric_tables(config, network, *backend, block.data(), numeric);
      return batch.run(block.data(), numeric, 1, 1, nullptr, nullptr).loss;
    };
    std::vector<real> grad(block.size(), 0), table_grad(tables.size(), 0);
    const NumericTables numeric_grad = NumericTables::at(config, table_grad.data());
    make_numeric_tables(config, network, *backend, block.data(), numeric);
    batch.run(block.data(), numeric, 1, 1, grad.data(), &numeric_grad);
    numeric_tables_backward(config, network, *backend, block.data(), numeric_grad, grad.data());

    for (const TensorSpec& tensor : network.layout.tensors()) {
      if (!tensor.trained) continue;
      const Context at(tensor.name);
      // Along one random direction through the whole tensor, and at a few single elements.
      const double step = 1e-5;
      std::vector<real> saved(block.begin() + tensor.offset, block.begin() + tensor.offset + tensor.count);
      const auto difference = [&](auto&& direction) {
        for (std::int64_t i = 0; i < tensor.count; ++i) block[tensor.offset + i] = saved[i] + step * direction(i);
        const double plus = loss_at();
        for (std::int64_t i = 0; i < tensor.count; ++i) block[tensor.offset + i] = saved[i] - step * direction(i);
        const double minus = loss_at();
        std::copy(saved.begin(), saved.end(), block.begin() + tensor.offset);
        return (plus - minus) / (2 * step);
      };
      const auto sign = [&](std::int64_t i) {
        return (stream.at(static_cast<std::uint32_t>(i), 1, 0, RandomUse::initial_weight).word[0] & 1) != 0 ? 1.0
                                                                                                            : -1.0;
      };
      double expected = 0, size = 0;
      for (std::int64_t i = 0; i < tensor.count; ++i) {
        expected += sign(i) * grad[tensor.offset + i];
        size += std::abs(grad[tensor.offset + i]);
      }
      CHECK_NEAR(difference(sign), expected, 1e-7 * (1e-2 + size));
      for (std::int64_t pick : {std::int64_t{0}, tensor.count / 3, tensor.count - 1}) {
        const auto single = [&](std::int64_t i) { return i == pick ? 1.0 : 0.0; };
        CHECK_NEAR(difference(single), grad[tensor.offset + pick],
                   1e-7 * (1e-2 + std::abs(grad[tensor.offset + pick])));
      }
    }
  }
}

}  // namespace wam::test
