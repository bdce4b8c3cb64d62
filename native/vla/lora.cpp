#include "vla/lora.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/philox.h"
#include "vla/read_real.h"

namespace wam::vla {
namespace {

constexpr std::int64_t kReadAtATime = 1 << 20;

/// `stem` of `stem.weight`.
std::string stem(const std::string& name) { return name.substr(0, name.rfind('.')); }

}  // namespace

LoraAdapters::LoraAdapters(const VlaNetwork& network, const LoraConfig& config) : config_(config) {
  if (config_.rank == 0) return;
  if (config_.rank < 1 || !(config_.alpha > 0) || !std::isfinite(config_.alpha))
    throw Error("ERR_CONFIG", "lora: expected a rank of at least 1 and a positive alpha");
  std::size_t found = 0;
  for (const Matrix& matrix : network.matrices) {
    std::int64_t at = matrix.linear.weight;
    bool adapted = false;
    for (const Part& part : matrix.parts) {
      std::int64_t columns = 1;
      for (std::size_t i = 1; i < part.shape.size(); ++i) columns *= part.shape[i];
      const std::int64_t weight = at;
      at += part.rows() * columns;
      if (std::find(config_.targets.begin(), config_.targets.end(), part.name) == config_.targets.end()) continue;
      const int rows = static_cast<int>(part.rows()), inputs = static_cast<int>(columns);
      if (config_.rank > std::min(rows, inputs))
        throw Error("ERR_CONFIG", "lora.rank: expected at most " + std::to_string(std::min(rows, inputs)) +
                                      ", the lesser side of " + part.name + ", received " +
                                      std::to_string(config_.rank));
      Adapter adapter{part.name, weight, rows, inputs, 0, 0};
      adapter.a = layout_.add(stem(part.name) + ".lora_A.weight", {config_.rank, columns}, true);
      adapter.b = layout_.add(stem(part.name) + ".lora_B.weight", {part.rows(), config_.rank}, true);
      adapters_.push_back(std::move(adapter));
      adapted = true, ++found;
    }
    if (adapted) largest_ = std::max(largest_, std::int64_t{matrix.linear.out} * matrix.linear.in);
  }
  if (found != config_.targets.size() || found == 0)
    throw Error("ERR_CONFIG", "lora: expected names of matrices, each once; " + std::to_string(found) + " of " +
                                  std::to_string(config_.targets.size()) + " are");
  std::sort(adapters_.begin(), adapters_.end(), [](const Adapter& x, const Adapter& y) { return x.weight < y.weight; });
}

void LoraAdapters::reserve(Arena& arena) {
  values_ = arena.take<real>(static_cast<std::size_t>(layout_.size()));
  gradient_ = arena.take<real>(static_cast<std::size_t>(layout_.size()));
  product_ = arena.take<real>(static_cast<std::size_t>(largest_));
}

void LoraAdapters::start(Backend& backend) {
  if (empty()) return;
  const RandomStream stream(config_.seed);
  std::vector<real> values(static_cast<std::size_t>(layout_.size()));
  for (std::size_t k = 0; k < adapters_.size(); ++k) {
    const Adapter& adapter = adapters_[k];
    const double bound = 1 / std::sqrt(static_cast<double>(adapter.columns));
    const std::int64_t count = std::int64_t{config_.rank} * adapter.columns;
    for (std::int64_t i = 0; i < count; ++i) {
      const Philox4 random =
          stream.at(static_cast<std::uint32_t>(i / 4), static_cast<std::uint32_t>(k), 0, RandomUse::initial_weight);
      values[static_cast<std::size_t>(adapter.a + i)] =
          static_cast<real>(bound * (2.0 * static_cast<double>(unit_uniform(random.word[i % 4])) - 1.0));
    }
  }
  backend.upload(values_, values.data(), values.size() * sizeof(real));
}

double LoraAdapters::speed(const model::TensorSpec& spec) const {
  return spec.name.ends_with(".lora_B.weight") ? config_.alpha / config_.rank : 1;
}

bool LoraAdapters::adapts(const model::Linear& linear) const {
  const std::int64_t end = linear.weight + std::int64_t{linear.out} * linear.in;
  return std::any_of(adapters_.begin(), adapters_.end(),
                     [&](const Adapter& adapter) { return adapter.weight >= linear.weight && adapter.weight < end; });
}

real* LoraAdapters::begin(const model::Linear& linear, Backend& backend) {
  if (!adapts(linear)) return nullptr;
  backend.fill(std::int64_t{linear.out} * linear.in, 0, product_);
  return product_;
}

void LoraAdapters::end(const model::Linear& linear, Backend& backend) {
  const std::int64_t count = std::int64_t{linear.out} * linear.in;
  for (const Adapter& adapter : adapters_) {
    const std::int64_t first = adapter.weight - linear.weight;
    if (first < 0 || first >= count) continue;
    const real* dw = product_ + first;
    Gemm db;  // dB += dW A^T
    db.m = adapter.rows, db.n = config_.rank, db.k = adapter.columns;
    db.a = dw, db.lda = adapter.columns;
    db.b = values_ + adapter.a, db.ldb = adapter.columns, db.b_transposed = true;
    db.c = gradient_ + adapter.b, db.ldc = config_.rank;
    db.accumulate = true;
    backend.gemm(db);
    Gemm da;  // dA += B^T dW
    da.m = config_.rank, da.n = adapter.columns, da.k = adapter.rows;
    da.a = values_ + adapter.b, da.lda = config_.rank, da.a_transposed = true;
    da.b = dw, da.ldb = adapter.columns;
    da.c = gradient_ + adapter.a, da.ldc = adapter.columns;
    da.accumulate = true;
    backend.gemm(da);
  }
}

void LoraAdapters::merge(const TensorSource& source, Backend& backend, real* block) const {
  std::vector<real> piece(static_cast<std::size_t>(empty() ? 0 : kReadAtATime));
  for (const Adapter& adapter : adapters_) {
    const TensorView& view = *source.find(adapter.name);
    const std::int64_t count = std::int64_t{adapter.rows} * adapter.columns;
    for (std::int64_t first = 0; first < count; first += kReadAtATime) {
      const std::int64_t size = std::min(kReadAtATime, count - first);
      read_real(view, first, size, piece.data());
      source.release(adapter.name, first, size);
      backend.upload(block + adapter.weight + first, piece.data(), static_cast<std::size_t>(size) * sizeof(real));
    }
    Gemm sum;  // W += B A
    sum.m = adapter.rows, sum.n = adapter.columns, sum.k = config_.rank;
    sum.a = values_ + adapter.b, sum.lda = config_.rank;
    sum.b = values_ + adapter.a, sum.ldb = adapter.columns;
    sum.c = block + adapter.weight, sum.ldc = adapter.columns;
    sum.accumulate = true;
    backend.gemm(sum);
  }
}

}  // namespace wam::vla
