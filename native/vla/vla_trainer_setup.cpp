// Construction of a trainer: what it takes of memory, the weights that it reads, and what a run keeps to go on.
#include <algorithm>
#include <cmath>
#include <utility>

#include "core/error.h"
#include "vla/read_real.h"
#include "vla/vla_trainer.h"
#include "vla/vla_weights.h"

namespace wam::vla {
namespace {

constexpr std::int64_t kReadAtATime = 1 << 20;
constexpr const char *kFirst = "first_moment.", *kSecond = "second_moment.", *kAdapter = "adapter.";

}  // namespace

VlaTrainer::VlaTrainer(const VlaConfig& config, Backend& backend, VlaTrainConfig train)
    : config_(config),
      train_(std::move(train)),
      network_(config, Residency::block),
      backend_(backend),
      adapters_(network_, train_.lora),
      gradients_(network_, train_.trainable, adapters_, backend),
      weights_(Arena::measuring()),
      tower_(config_, network_, {}, backend, train_.images),
      decoder_(network_.language_shape, network_.language, backend),
      arena_(Arena::measuring()) {
  check_train();
  for (const std::string& name : train_.trainable) {
    const model::TensorSpec* spec = network_.layout.find(name);
    if (spec == nullptr) throw Error("ERR_CONFIG", "trainable: expected tensors of the model, received " + name);
    if (moments_.find(name) != nullptr) throw Error("ERR_CONFIG", "trainable: received " + name + " twice");
    trained_.push_back({spec, moments_.add(name, spec->shape, true), false});
    trains_aligner_ |= name.starts_with("aligner."), trains_tower_ |= name.starts_with("vision_model.");
    trains_table_ |= name == network_.embedding.name;
  }
  for (const model::TensorSpec& spec : adapters_.layout().tensors()) {
    trained_.push_back({&spec, moments_.add(spec.name, spec.shape, true), true});
    trains_aligner_ |= spec.name.starts_with("aligner."), trains_tower_ |= spec.name.starts_with("vision_model.");
  }
  if (trained_.empty()) throw Error("ERR_CONFIG", "trainable: expected tensors, or adapters");
  const int count = train_.triplet.count;
  for (int i = 0; i < count; ++i) coordinate_.push_back(-1 + 2.0 * i / (count - 1));
}

VlaTrainer::VlaTrainer(const VlaConfig& config, std::shared_ptr<const TensorSource> source, Backend& backend,
                       VlaTrainConfig train)
    : VlaTrainer(config, backend, std::move(train)) {
  check_tensors(network_, *source);
  weights_ = make_arena(
      backend, [this](Arena& arena) { block_ = arena.take<real>(static_cast<std::size_t>(network_.layout.size())); });
  tower_.use({block_, nullptr});
  arena_ = make_arena(backend, [this](Arena& arena) { reserve(arena); });
  load(*source);
  adapters_.start(backend_);
  tower_.arrange();
  if (train_.lora.rank > 0) source_ = std::move(source);
}

TrainMemory VlaTrainer::plan(const VlaConfig& config, Backend& backend, VlaTrainConfig train) {
  VlaTrainer trainer(config, backend, std::move(train));
  Arena arena = Arena::measuring();
  return trainer.reserve(arena);
}

VlaTrainer::~VlaTrainer() = default;

void VlaTrainer::check_train() const {
  const auto require = [](bool fine, const char* text) {
    if (!fine) throw Error("ERR_CONFIG", text);
  };
  train_.schedule.check();
  require(train_.mask_token < config_.language.vocab, "maskId: expected a token, or none");
  require(train_.smear >= 0 && std::isfinite(train_.smear), "smear: expected tokens, 0 or more");
  const TripletConfig& t = train_.triplet;
  if (t.count == 0) return;
  require(t.count >= 3 && t.first_id >= 0 && t.first_id <= config_.language.vocab - t.count,
          "triplet: expected at least 3 numeric tokens within the vocabulary");
  require(t.batch >= 1 && t.batch <= 1 << 20, "triplet.batch: expected 1 to 1048576");
  require(t.weight > 0 && t.margin >= 0 && t.margin_per_gap >= 0 && std::isfinite(t.weight * t.margin),
          "triplet: expected a weight above 0 and margins of 0 or more");
  require(
      std::find(train_.trainable.begin(), train_.trainable.end(), network_.embedding.name) != train_.trainable.end(),
      "triplet: the token table must be trained");
}

TrainMemory VlaTrainer::reserve(Arena& arena) {
  const auto tokens = static_cast<std::size_t>(train_.tokens);
  const auto hidden = static_cast<std::size_t>(config_.language.hidden);
  const auto patches = static_cast<std::size_t>(config_.vision.tokens());
  TrainMemory memory;
  memory.weights = network_.layout.size() * static_cast<std::int64_t>(sizeof(real));
  std::size_t counted = 0;
  const auto since = [&] { return static_cast<std::int64_t>(arena.used() - std::exchange(counted, arena.used())); };
  gradients_.reserve(arena), adapters_.reserve(arena);
  memory.gradients = since();
  first_moment_ = arena.take<real>(static_cast<std::size_t>(moments_.size()));
  second_moment_ = arena.take<real>(static_cast<std::size_t>(moments_.size()));
  memory.moments = since();
  const bool vision = trains_tower_ || trains_aligner_;
  tower_.reserve(arena, vision, train_.recompute);
  if (vision) dimage_ = arena.take<real>(patches * hidden);
  memory.vision = since();
  decoder_.reserve(arena, train_.tokens, true, true, train_.recompute);
  dnormed_ = arena.take<real>(tokens * hidden);
  memory.language = since();
  head_input_ = arena.take<real>(tokens * hidden), dhead_input_ = arena.take<real>(tokens * hidden);
  const auto rows = static_cast<std::size_t>(logit_rows());
  logits_ = arena.take<real>(rows * static_cast<std::size_t>(config_.language.vocab));
  loss_ = arena.take<real>(rows), log_probability_ = arena.take<real>(rows);
  x_t_ = arena.take<std::int32_t>(tokens);
  staged_.clear();
  for (Staged<std::int32_t>* list : {&ids_, &position_, &row_, &target_}) list->reserve(staged_, tokens);
  for (Staged<std::int32_t>* list : {&image_row_, &image_at_})
    list->reserve(staged_, static_cast<std::size_t>(train_.images) * patches);
  weight_.reserve(staged_, tokens);
  for (Staged<real>& list : policy_) list.reserve(staged_, tokens);
  const int copies = std::min(train_.copies, train_.tokens);
  all_.reserve(staged_, 1, copies), last_.reserve(staged_, 1, copies);
  staged_.take(arena, backend_);
  noise_.clear();
  x_1_.reserve(noise_, tokens), draw_.reserve(noise_, tokens), beta_.reserve(noise_, tokens);
  noise_.take(arena, backend_);
  triplet_.clear();
  const std::size_t triplets = train_.triplet.count > 0 ? static_cast<std::size_t>(train_.triplet.batch) : 0;
  for (Staged<std::int32_t>* list : {&anchor_, &positive_, &negative_}) list->reserve(triplet_, triplets);
  margin_.reserve(triplet_, triplets);
  triplet_.take(arena, backend_);
  memory.head = since();
  return memory;
}

void VlaTrainer::load(const TensorSource& source) {
  std::vector<real> piece(static_cast<std::size_t>(kReadAtATime));
  for (const model::TensorSpec& spec : network_.layout.tensors()) {
    const TensorView& view = *source.find(spec.name);
    for (std::int64_t first = 0; first < spec.count; first += kReadAtATime) {
      const std::int64_t count = std::min(kReadAtATime, spec.count - first);
      read_real(view, first, count, piece.data());
      require_finite(spec.name, first, piece.data(), count);
      source.release(spec.name, first, count);
      backend_.upload(block_ + spec.offset + first, piece.data(), static_cast<std::size_t>(count) * sizeof(real));
    }
  }
}

std::vector<model::NamedTensor> VlaTrainer::tensors(const std::vector<std::string>& names, bool gradient) const {
  std::vector<model::NamedTensor> out;
  for (const std::string& name : names) {
    const model::TensorSpec *spec = network_.layout.find(name), *adapter = adapters_.layout().find(name);
    if (spec == nullptr && adapter == nullptr) throw Error("ERR_ARGUMENT", "names: the model has no tensor " + name);
    const real* from = nullptr;
    if (spec == nullptr) {
      spec = adapter, from = (gradient ? adapters_.gradient() : adapters_.values()) + adapter->offset;
    } else {
      from = gradient ? gradients_.at(spec->offset) : block_ + spec->offset;
    }
    if (from == nullptr) throw Error("ERR_ARGUMENT", "names: expected trained tensors, received " + name);
    std::vector<real> values(static_cast<std::size_t>(spec->count));
    backend_.download(values.data(), from, values.size() * sizeof(real));
    out.push_back({spec->name, spec->shape, {values.begin(), values.end()}});
  }
  return out;
}

std::vector<model::NamedTensor> VlaTrainer::state() const {
  std::vector<model::NamedTensor> out;
  std::vector<real> values;
  const auto add = [&](const model::ParameterLayout& layout, const char* prefix, const real* memory) {
    values.resize(static_cast<std::size_t>(layout.size()));
    backend_.download(values.data(), memory, values.size() * sizeof(real));
    for (model::NamedTensor& tensor : model::named_tensors(layout, prefix, values.data()))
      out.push_back(std::move(tensor));
  };
  add(moments_, kFirst, first_moment_), add(moments_, kSecond, second_moment_);
  if (!adapters_.empty()) add(adapters_.layout(), kAdapter, adapters_.values());
  return out;
}

void VlaTrainer::restore(const std::vector<model::NamedTensor>& state, std::int64_t steps_done) {
  if (steps_done < 0) throw Error("ERR_CHECKPOINT_CORRUPT", "steps done: expected a count, received a negative number");
  // All are checked before the first is taken.
  const auto read = [&](const model::ParameterLayout& layout, const char* prefix) {
    std::vector<real> values(static_cast<std::size_t>(layout.size()));
    model::copy_tensors(layout, state, prefix, values.data());
    return values;
  };
  const std::vector<real> first = read(moments_, kFirst), second = read(moments_, kSecond);
  const std::vector<real> adapters = read(adapters_.layout(), kAdapter);
  backend_.upload(first_moment_, first.data(), first.size() * sizeof(real));
  backend_.upload(second_moment_, second.data(), second.size() * sizeof(real));
  steps_ = steps_done;
  if (adapters_.empty()) return;
  backend_.upload(adapters_.values(), adapters.data(), adapters.size() * sizeof(real));
  adapters_.merge(*source_, backend_, block_);
}

}  // namespace wam::vla
