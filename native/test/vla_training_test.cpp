// The trainer of a vision-language model: gradients of every part, copies, noise, triplets, what is computed again.
#include <algorithm>
#include <cmath>
#include <functional>
#include <map>

#include "core/error.h"
#include "cpu/cpu_backend.h"
#include "model/triplet_draw.h"
#include "test/test.h"
#include "test/vla_reference.h"
#include "vla/vla_trainer.h"

namespace {

using namespace wam;
using namespace wam::vla;
using wam::test::MadeUpSource;

constexpr bool kDouble = sizeof(real) == 8;

VlaConfig trainable_vla() {
  VlaConfig config = test::small_vla();
  config.language.mlp_hidden = 64;  // halves of gate and up begin on cache lines
  config.aligner_depth = 3;
  return config;
}

/// Two images, text between them and an answer of seven tokens behind.
VlaExample example_of(const VlaConfig& config, std::uint32_t key = 11) {
  test::Uniforms uniforms(key);
  VlaExample e;
  const auto text = [&](int count) {
    for (int i = 0; i < count; ++i) {
      e.x_t.push_back(static_cast<std::int32_t>(uniforms.next() * static_cast<float>(config.language.vocab)));
      e.image.push_back(0);
    }
  };
  const auto picture = [&] { e.x_t.insert(e.x_t.end(), 9, 0), e.image.insert(e.image.end(), 9, 1); };
  text(3), picture(), text(2), picture(), text(4);
  e.prefix_rows = e.tokens();
  text(7);
  e.x_1 = e.x_t;
  e.counted.assign(e.x_t.size(), 0);
  for (int i = e.prefix_rows + 1; i < e.tokens(); ++i) e.counted[static_cast<std::size_t>(i)] = 1;
  e.images = 2;
  e.pixels.resize(static_cast<std::size_t>(2 * config.vision.pixels()));
  for (float& p : e.pixels) p = uniforms.next(-1, 1);
  e.mask = Mask::prefix;
  return e;
}

VlaTrainConfig limits(std::vector<std::string> trainable) {
  VlaTrainConfig train;
  train.tokens = 80, train.images = 2, train.copies = 4;
  train.trainable = std::move(trainable);
  return train;
}

std::vector<std::string> all_names(const VlaConfig& config) {
  std::vector<std::string> names;
  for (const Part& part : VlaNetwork(config, Residency::block).tensors()) names.push_back(part.name);
  return names;
}

const char* code_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& error) {
    return error.code();
  }
  return "";
}

struct Bench {
  VlaConfig config = trainable_vla();
  std::shared_ptr<MadeUpSource> source = test::random_source(config, 7);
  std::unique_ptr<Backend> backend = cpu::make_cpu_backend(nullptr, cpu::best_isa());

  std::vector<model::NamedTensor> gradients(const std::vector<VlaExample>& batch, const VlaTrainConfig& train,
                                            VlaStep* step = nullptr) const {
    VlaTrainer trainer(config, source, *backend, train);
    const VlaStep made = trainer.gradients(batch);
    if (step != nullptr) *step = made;
    return trainer.tensors(train.trainable, true);
  }
  double loss(const VlaExample& e) const {
    VlaStep step;
    gradients({e}, limits({"language_model.model.norm.weight"}), &step);
    return step.loss;
  }
};

TEST(vla_trainer_gradients_of_every_tensor_agree_with_differences_of_the_loss) {
  Bench b;
  VlaExample e = example_of(b.config);
  e.weights.assign(e.x_t.size(), 1);
  e.weights.back() = static_cast<real>(-0.5);
  e.range = {2, 57};
  e.counted[static_cast<std::size_t>(e.prefix_rows)] = 1;  // predicted by the prefix
  for (std::int32_t& id : e.x_1) id = 2 + id % 55;
  const auto gradients = b.gradients({e}, limits(all_names(b.config)));
  CHECK_EQ(gradients.size(), all_names(b.config).size());
  const float step = kDouble ? 1e-3F : 1e-2F;
  for (const model::NamedTensor& gradient : gradients) {
    const test::Context at(gradient.name);
    const auto largest = std::max_element(gradient.data.begin(), gradient.data.end(),
                                          [](float x, float y) { return std::abs(x) < std::abs(y); });
    CHECK(*largest != 0);
    float& weight = b.source->values(gradient.name)[static_cast<std::size_t>(largest - gradient.data.begin())];
    const float before = weight;
    weight = before + step;
    const double above = b.loss(e);
    const double high = weight;
    weight = before - step;
    const double below = b.loss(e);
    const double slope = (above - below) / (high - weight);
    weight = before;
    CHECK_NEAR(slope, *largest, kDouble ? 1e-3 * std::abs(*largest) + 1e-7 : 0.03 * std::abs(*largest) + 1e-4);
  }
}

TEST(vla_trainer_recomputed_activations_give_the_same_bits) {
  Bench b;
  const VlaExample e = example_of(b.config);
  VlaTrainConfig kept = limits(all_names(b.config)), again = kept;
  again.recompute = true;
  const auto expected = b.gradients({e, e}, kept), received = b.gradients({e, e}, again);
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const test::Context at(expected[i].name);
    CHECK_SAME_BITS(received[i].data.data(), expected[i].data.data(), expected[i].data.size());
  }
}

TEST(vla_trainer_keeps_no_gradients_of_frozen_matrices) {
  Bench b;
  const VlaExample e = example_of(b.config);
  const std::string query = "language_model.model.layers.1.self_attn.q_proj.weight";
  const auto all = b.gradients({e}, limits(all_names(b.config)));
  VlaTrainer trainer(b.config, b.source, *b.backend, limits({query}));
  trainer.gradients({e});
  const auto one = trainer.tensors({query}, true);
  for (const model::NamedTensor& gradient : all) {
    if (gradient.name == query) CHECK_SAME_BITS(one[0].data.data(), gradient.data.data(), gradient.data.size());
  }
  CHECK_EQ(std::string(code_of([&] { trainer.tensors({"language_model.lm_head.weight"}, true); })), "ERR_ARGUMENT");
  const VlaNetwork network(b.config, Residency::block);
  LoraAdapters none(network, {});
  CHECK(GradientStore(network, {query}, none, *b.backend).size() < network.layout.size() / 10);
}

/// Noise at a large inverse temperature leaves the targets as they are, so that copies are the clean example.
TEST(vla_trainer_copies_on_one_prefix_are_examples_of_their_own) {
  Bench b;
  VlaExample clean = example_of(b.config), copies = clean;
  VlaTrainConfig train = limits(all_names(b.config));
  train.schedule.c = 1e12;
  copies.times = {0.5, 0.6, 0.7}, copies.seed = 5;
  VlaStep one, three;
  const auto expected = b.gradients({clean}, train, &one), received = b.gradients({copies}, train, &three);
  CHECK_NEAR(three.loss, one.loss, kDouble ? 1e-12 : 1e-5);
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const test::Context at(expected[i].name);
    double largest = 0;
    for (const float g : expected[i].data) largest = std::max(largest, static_cast<double>(std::abs(g)));
    for (std::size_t k = 0; k < expected[i].data.size(); ++k)
      CHECK_NEAR(received[i].data[k], expected[i].data[k], 1e-4 * largest + 1e-7);
  }
}

/// The loss of a noised example under every x_t that one row can have, weighted by the path's law, is the mean over seeds.
TEST(vla_trainer_noise_follows_the_path) {
  Bench b;
  VlaExample e = example_of(b.config);
  e.counted.assign(e.x_t.size(), 0);
  const auto noised = static_cast<std::size_t>(e.prefix_rows + 2);
  e.counted[noised] = 1;
  e.range = {20, 29};
  e.x_1[noised] = 24;
  const double t = 0.6, beta = 3 * std::pow(t / (1 - t), 0.9);
  const auto& table = b.source->values("language_model.model.embed_tokens.weight");
  const auto unit = [&](int id) {
    std::vector<double> row(table.begin() + id * 32, table.begin() + (id + 1) * 32);
    double square = 0;
    for (const double x : row) square += x * x;
    for (double& x : row) x /= std::sqrt(square);
    return row;
  };
  std::map<int, double> probability;
  double sum = 0;
  for (int y = 20; y < 29; ++y) {
    double square = 0;
    for (std::size_t j = 0; j < 32; ++j) square += std::pow(unit(y)[j] - unit(24)[j], 2);
    sum += probability[y] = std::exp(-beta * square * square);
  }
  double mean = 0, second = 0;
  for (auto& [y, p] : probability) {
    VlaExample given = e;
    given.x_t[noised] = y;
    const double loss = b.loss(given);
    p /= sum, mean += p * loss, second += p * loss * loss;
  }
  constexpr int kDraws = 2000;
  VlaTrainer trainer(b.config, b.source, *b.backend, limits({"language_model.model.norm.weight"}));
  double drawn = 0;
  e.times = {t, t, t, t};
  for (int i = 0; i < kDraws / 4; ++i) {
    e.seed = static_cast<std::uint64_t>(i);
    drawn += trainer.gradients({e}).loss * 4 / kDraws;
  }
  const double sigma = std::sqrt((second - mean * mean) / kDraws);
  CHECK(sigma > 0);
  CHECK_NEAR(drawn, mean, 4 * sigma);
  // A mask token at time 0 is read whatever the target is.
  VlaTrainConfig masked = limits({"language_model.model.norm.weight"});
  masked.mask_token = 3;
  e.times = {0};
  VlaStep step;
  b.gradients({e}, masked, &step);
  VlaExample given = e;
  given.times.clear(), given.x_t[noised] = 3;
  CHECK_NEAR(step.loss, b.loss(given), kDouble ? 1e-12 : 1e-6);
}

TEST(vla_trainer_triplets_add_their_gradient_and_bring_numbers_into_order) {
  Bench b;
  const VlaExample e = example_of(b.config);
  const std::string name = "language_model.model.embed_tokens.weight";
  VlaTrainConfig train = limits({name});
  train.triplet = {
      .first_id = 20, .count = 31, .batch = 64, .weight = 2, .margin = 0.2, .margin_per_gap = 1, .seed = 3};
  VlaStep step;
  const auto with = b.gradients({e}, train, &step);
  VlaTrainConfig plain = train;
  plain.triplet.count = 0;
  const auto without = b.gradients({e}, plain);
  // The triplets again, in plain double.
  std::vector<double> coordinate;
  for (int i = 0; i < 31; ++i) coordinate.push_back(-1 + i / 15.0);
  const auto loss_of = [&](const std::vector<float>& table) {
    double loss = 0;
    for (std::uint32_t i = 0; i < 64; ++i) {
      const model::Triplet t = model::draw_triplet(RandomStream(3), 1, i, coordinate);
      const auto distance = [&](int a, int c) {
        double aa = 0, cc = 0, square = 0;
        const auto at = [&](int token, int j) { return static_cast<double>(table[(20 + token) * 32 + j]); };
        for (int j = 0; j < 32; ++j) aa += at(a, j) * at(a, j), cc += at(c, j) * at(c, j);
        for (int j = 0; j < 32; ++j) square += std::pow(at(a, j) / std::sqrt(aa) - at(c, j) / std::sqrt(cc), 2);
        return std::sqrt(square);
      };
      loss += std::max(0.0, distance(t.anchor, t.positive) - distance(t.anchor, t.negative) + std::min(0.2, t.gap));
    }
    return loss / 64;
  };
  std::vector<float> table = b.source->values(name);
  CHECK_NEAR(step.triplet_loss, loss_of(table), 1e-5);
  for (const int index : {20 * 32 + 5, 35 * 32 + 1, 50 * 32 + 31, 19 * 32 + 4}) {
    const auto k = static_cast<std::size_t>(index);
    const float before = table[k];
    table[k] = before + 1e-3F;
    const double above = loss_of(table), high = table[k];
    table[k] = before - 1e-3F;
    const double slope = 2 * (above - loss_of(table)) / (high - table[k]);
    table[k] = before;
    CHECK_NEAR(with[0].data[k] - without[0].data[k], slope, 2e-3 * std::abs(slope) + 2e-5);
  }
  VlaTrainer trainer(b.config, b.source, *b.backend, train);
  const double first = trainer.gradients({e}).triplet_loss;
  double last = 0;
  for (int i = 0; i < 150; ++i) {
    const VlaStep made = trainer.gradients({e});
    trainer.update(0.02, made.grad_norm);
    last = made.triplet_loss;
  }
  CHECK(last < 0.5 * first);
}

/// Two chains on one prefix: the clipped objective from log-probabilities of the rows, and its gradient.
TEST(vla_trainer_learns_from_chains_by_the_clipped_objective) {
  Bench b;
  VlaExample e = example_of(b.config);
  e.range = {10, 50};
  const int each = e.counted_rows();
  test::Uniforms uniforms(23);
  for (int i = 0; i < 2 * each; ++i) {
    e.policy.states.push_back(10 + static_cast<int>(uniforms.next() * 40));
    e.policy.chosen.push_back(10 + static_cast<int>(uniforms.next() * 40));
    e.policy.advantage.push_back(uniforms.next(-1, 1));
  }
  e.policy.temperature = 2;
  // Each chain as an example that reads its states.
  std::vector<double> expected;
  for (int chain = 0; chain < 2; ++chain) {
    VlaExample plain = e;
    plain.policy = {};
    int k = chain * each;
    for (std::size_t i = 0; i < e.x_t.size(); ++i) {
      if (e.counted[i] == 0) continue;
      plain.x_t[i] = e.policy.states[static_cast<std::size_t>(k)];
      plain.x_1[i] = e.policy.chosen[static_cast<std::size_t>(k++)];
    }
    VlaTrainer trainer(b.config, b.source, *b.backend, limits({"language_model.model.norm.weight"}));
    const auto rows = trainer.log_probabilities({plain});
    CHECK_EQ(rows.size(), static_cast<std::size_t>(each));
    double sum = 0;
    for (const float row : rows) sum -= static_cast<double>(row);
    CHECK_NEAR(trainer.gradients({plain}).loss, sum / each, 1e-5);
  }
  e.policy.log_probability.assign(e.policy.chosen.size(), 0);
  VlaTrainer trainer(b.config, b.source, *b.backend, limits({"language_model.model.norm.weight"}));
  const auto now = trainer.log_probabilities({e});
  for (std::size_t i = 0; i < now.size(); ++i)
    e.policy.log_probability[i] = static_cast<real>(now[i]) + static_cast<real>(0.15 * (static_cast<int>(i % 5) - 2));
  double objective = 0;
  for (std::size_t i = 0; i < now.size(); ++i) {
    const double ratio = std::exp(static_cast<double>(now[i]) - static_cast<double>(e.policy.log_probability[i]));
    const auto advantage = static_cast<double>(e.policy.advantage[i]);
    objective -= std::min(ratio * advantage, std::clamp(ratio, 0.8, 1.2) * advantage) / static_cast<double>(now.size());
  }
  CHECK_NEAR(trainer.gradients({e}).loss, objective, 1e-5);
  const std::vector<std::string> names = {"language_model.model.layers.1.mlp.down_proj.weight",
                                          "aligner.layers.0.weight"};
  for (const model::NamedTensor& gradient : b.gradients({e}, limits(names))) {
    const test::Context at(gradient.name);
    const auto largest = std::max_element(gradient.data.begin(), gradient.data.end(),
                                          [](float x, float y) { return std::abs(x) < std::abs(y); });
    float& weight = b.source->values(gradient.name)[static_cast<std::size_t>(largest - gradient.data.begin())];
    const float before = weight;
    weight = before + 2e-3F;
    const double above = b.loss(e), high = weight;
    weight = before - 2e-3F;
    CHECK_NEAR((above - b.loss(e)) / (high - weight), *largest, 0.03 * std::abs(*largest) + 1e-4);
    weight = before;
  }
  e.policy.states.pop_back();
  CHECK_EQ(std::string(code_of([&] { trainer.gradients({e}); })), "ERR_SHAPE");
}

TEST(vla_trainer_goes_on_from_weights_and_moments_with_the_same_bits) {
  Bench b;
  const VlaTrainConfig train = limits(all_names(b.config));
  VlaExample e = example_of(b.config);
  e.times = {0.2, 0.9};
  const auto update = [&](VlaTrainer& trainer, int from, int to) {
    for (int i = from; i < to; ++i) {
      e.seed = static_cast<std::uint64_t>(i);
      trainer.update(1e-3, trainer.gradients({e}).grad_norm);
    }
  };
  VlaTrainer whole(b.config, b.source, *b.backend, train), half(b.config, b.source, *b.backend, train);
  update(whole, 0, 4), update(half, 0, 2);
  const auto saved = std::make_shared<MadeUpSource>();
  for (const auto& t : half.tensors(train.trainable, false))
    saved->add(t.name, t.shape, {t.data.begin(), t.data.end()});
  VlaTrainer resumed(b.config, saved, *b.backend, train);
  if (kDouble) return;  // files hold floats
  resumed.restore(half.state(), half.steps_done());
  CHECK_EQ(resumed.steps_done(), 2);
  update(resumed, 2, 4);
  const auto expected = whole.tensors(train.trainable, false), received = resumed.tensors(train.trainable, false);
  for (std::size_t i = 0; i < expected.size(); ++i)
    CHECK_SAME_BITS(received[i].data.data(), expected[i].data.data(), expected[i].data.size());
  auto moments = half.state();
  moments.pop_back();
  CHECK_EQ(std::string(code_of([&] { resumed.restore(moments, 2); })), "ERR_CHECKPOINT_CORRUPT");
}

TEST(vla_trainer_adapters_learn_and_leave_all_else_as_it_was) {
  Bench b;
  const VlaExample e = example_of(b.config);
  const std::string layer = "language_model.model.layers.";
  VlaTrainConfig train = limits({});
  train.lora.rank = 3, train.lora.alpha = 6;
  for (const char* name : {"0.self_attn.k_proj.weight", "0.self_attn.v_proj.weight", "2.self_attn.q_proj.weight",
                           "1.mlp.up_proj.weight", "1.mlp.down_proj.weight", "2.self_attn.o_proj.weight"})
    train.lora.targets.push_back(layer + name);
  const auto all = all_names(b.config);
  std::vector<std::string> adapters;
  for (const std::string& name : train.lora.targets)
    for (const char* side : {".lora_A.weight", ".lora_B.weight"})
      adapters.push_back(name.substr(0, name.rfind('.')) + side);
  VlaTrainer trainer(b.config, b.source, *b.backend, train);
  const double first = trainer.gradients({e}).loss;
  CHECK_NEAR(first, b.loss(e), kDouble ? 1e-12 : 1e-6);  // B is 0
  for (int i = 0; i < 30; ++i) trainer.update(3e-3, trainer.gradients({e}).grad_norm);
  CHECK(trainer.gradients({e}).loss < 0.8 * first);
  const auto after = trainer.tensors(all, false), values = trainer.tensors(adapters, false);
  for (const model::NamedTensor& tensor : after) {
    const test::Context at(tensor.name);
    const auto& before = b.source->values(tensor.name);
    const auto target = std::find(train.lora.targets.begin(), train.lora.targets.end(), tensor.name);
    if (target == train.lora.targets.end()) {
      CHECK_SAME_BITS(tensor.data.data(), before.data(), before.size());
      continue;
    }
    const auto k = static_cast<std::size_t>(target - train.lora.targets.begin());
    const std::vector<float>&a = values[2 * k].data, &up = values[2 * k + 1].data;
    const auto columns = static_cast<std::size_t>(tensor.shape[1]);
    for (std::size_t i = 0; i < before.size(); ++i) {
      double sum = before[i];
      for (std::size_t r = 0; r < 3; ++r)
        sum += static_cast<double>(up[i / columns * 3 + r]) * static_cast<double>(a[r * columns + i % columns]);
      CHECK_NEAR(tensor.data[i], sum, 1e-6);
    }
  }
  // Gradients of A and B against differences of the loss; values go in as a state.
  trainer.gradients({e});
  for (const model::NamedTensor& gradient : trainer.tensors(adapters, true)) {
    const test::Context at(gradient.name);
    const auto largest = std::max_element(gradient.data.begin(), gradient.data.end(),
                                          [](float x, float y) { return std::abs(x) < std::abs(y); });
    CHECK(*largest != 0);
    const auto index = static_cast<std::size_t>(largest - gradient.data.begin());
    std::vector<model::NamedTensor> state = trainer.state();
    const auto value =
        std::find_if(state.begin(), state.end(), [&](const auto& t) { return t.name == "adapter." + gradient.name; });
    const float kept = value->data[index];
    const auto loss_at = [&](float moved) {
      value->data[index] = moved;
      VlaTrainer other(b.config, b.source, *b.backend, train);
      other.restore(state, 5);
      return other.gradients({e}).loss;
    };
    const float above = kept + 3e-3F, below = kept - 3e-3F;
    const double slope = (loss_at(above) - loss_at(below)) / (above - below);
    CHECK_NEAR(slope, *largest, 0.03 * std::abs(*largest) + 2e-4);
  }
  // A run that goes on.
  VlaTrainer resumed(b.config, b.source, *b.backend, train);
  if (!kDouble) {
    resumed.restore(trainer.state(), trainer.steps_done());
    for (VlaTrainer* one : {&trainer, &resumed}) one->update(1e-3, one->gradients({e}).grad_norm);
    const auto expected = trainer.tensors(all, false), received = resumed.tensors(all, false);
    for (std::size_t i = 0; i < expected.size(); ++i)
      CHECK_SAME_BITS(received[i].data.data(), expected[i].data.data(), expected[i].data.size());
  }
  const auto code = [&](const std::function<void(VlaTrainConfig&)>& spoil) {
    VlaTrainConfig bad = train;
    spoil(bad);
    return std::string(code_of([&] { VlaTrainer(b.config, b.source, *b.backend, bad); }));
  };
  CHECK_EQ(code([](VlaTrainConfig& c) { c.lora.rank = 33; }), "ERR_CONFIG");
  CHECK_EQ(code([](VlaTrainConfig& c) { c.lora.alpha = 0; }), "ERR_CONFIG");
  CHECK_EQ(code([](VlaTrainConfig& c) { c.lora.targets.push_back("nothing"); }), "ERR_CONFIG");
  CHECK_EQ(code([](VlaTrainConfig& c) { c.lora.targets.push_back("language_model.model.norm.weight"); }), "ERR_CONFIG");
  CHECK_EQ(code([&](VlaTrainConfig& c) { c.trainable = {layer + "0.self_attn.q_proj.weight"}; }), "ERR_CONFIG");
}

TEST(vla_trainer_refuses_examples_and_settings_that_do_not_fit) {
  Bench b;
  const std::string norm = "language_model.model.norm.weight";
  VlaTrainer trainer(b.config, b.source, *b.backend, limits({norm}));
  const auto code = [&](const std::function<void(VlaExample&)>& spoil) {
    VlaExample e = example_of(b.config);
    spoil(e);
    return std::string(code_of([&] { trainer.gradients({e}); }));
  };
  CHECK_EQ(code([](VlaExample&) {}), "");
  CHECK_EQ(code([](VlaExample& e) { e.times = {0.1, 0.2, 0.3, 0.4, 0.5}; }), "ERR_RANGE");
  CHECK_EQ(code([](VlaExample& e) { e.times = {1}; }), "ERR_RANGE");
  CHECK_EQ(code([](VlaExample& e) { e.times = {NAN}; }), "ERR_RANGE");
  CHECK_EQ(code([](VlaExample& e) { e.mask = Mask::full, e.times = {0.1, 0.2}; }), "ERR_RANGE");
  CHECK_EQ(code([](VlaExample& e) { e.range = {3, 58}; }), "ERR_RANGE");
  CHECK_EQ(code([](VlaExample& e) { e.range = {-1, 5}; }), "ERR_RANGE");
  CHECK_EQ(code([](VlaExample& e) { e.range = {5, 5}; }), "");
  CHECK_EQ(code([](VlaExample& e) { e.range = {9, 5}; }), "ERR_RANGE");
  CHECK_EQ(code([](VlaExample& e) { e.x_1.back() = 57; }), "ERR_RANGE");
  CHECK_EQ(code([](VlaExample& e) { e.weights = {1}; }), "ERR_SHAPE");
  CHECK_EQ(code([](VlaExample& e) { e.weights.assign(e.x_t.size(), NAN); }), "ERR_NOT_FINITE");
  CHECK_EQ(code([](VlaExample& e) { e.times = {0.5}, e.counted[1] = 1; }), "ERR_RANGE");
  CHECK_EQ(code([](VlaExample& e) { e.counted.assign(e.x_t.size(), 0); }), "ERR_ARGUMENT");
  CHECK_EQ(code([](VlaExample& e) { e.pixels.pop_back(); }), "ERR_SHAPE");
  const auto config = [&](const std::function<void(VlaTrainConfig&)>& spoil) {
    VlaTrainConfig train = limits({norm});
    spoil(train);
    return std::string(code_of([&] { VlaTrainer(b.config, b.source, *b.backend, train); }));
  };
  CHECK_EQ(config([](VlaTrainConfig&) {}), "");
  CHECK_EQ(config([&](VlaTrainConfig& c) { c.trainable = {norm, norm}; }), "ERR_CONFIG");
  CHECK_EQ(config([](VlaTrainConfig& c) { c.trainable = {"nothing"}; }), "ERR_CONFIG");
  CHECK_EQ(config([](VlaTrainConfig& c) { c.triplet.count = 5; }), "ERR_CONFIG");
  CHECK_EQ(config([](VlaTrainConfig& c) { c.mask_token = 57; }), "ERR_CONFIG");
  CHECK_EQ(config([](VlaTrainConfig& c) { c.schedule.c = -1; }), "ERR_CONFIG");
}

}  // namespace
