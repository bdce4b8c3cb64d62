#include "vla/gradient_store.h"

#include <algorithm>
#include <set>

#include "core/error.h"

namespace wam::vla {

GradientStore::GradientStore(const VlaNetwork& network, const std::vector<std::string>& trained, LoraAdapters& adapters,
                             Backend& backend)
    : adapters_(adapters), backend_(backend) {
  const std::set<std::string> wanted(trained.begin(), trained.end());
  const auto is_wanted = [&](const Part& part) { return wanted.contains(part.name); };
  std::set<std::string> skipped;
  for (const Matrix& matrix : network.matrices) {
    const bool adapted = adapters.adapts(matrix.linear);
    if (std::any_of(matrix.parts.begin(), matrix.parts.end(), is_wanted)) {
      if (adapted)
        throw Error("ERR_CONFIG", "lora: " + matrix.parts[0].name +
                                      " and what lies in one product with it are trained " +
                                      "themselves or by adapters, not both");
      continue;
    }
    for (const Part& part : matrix.parts) skipped.insert(part.name);
  }
  for (const Part* table : {&network.embedding, &network.head}) {
    if (!is_wanted(*table)) skipped.insert(table->name);
  }
  const auto& tensors = network.layout.tensors();
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    if (skipped.contains(tensors[i].name)) continue;
    // Up to the next tensor, so that what lies side by side there does so here.
    const std::int64_t begin = tensors[i].offset;
    const std::int64_t end = i + 1 < tensors.size() ? tensors[i + 1].offset : network.layout.size();
    pieces_.push_back({begin, end, size_});
    size_ += end - begin;
  }
}

void GradientStore::reserve(Arena& arena) { memory_ = arena.take<real>(static_cast<std::size_t>(size_)); }

void GradientStore::clear() {
  backend_.fill(size_, 0, memory_);
  if (!adapters_.empty()) backend_.fill(adapters_.layout().size(), 0, adapters_.gradient());
}

real* GradientStore::begin(const model::Linear& linear) {
  real* kept = at(linear.weight);
  return kept != nullptr ? kept : adapters_.begin(linear, backend_);
}

void GradientStore::end(const model::Linear& linear) {
  if (at(linear.weight) == nullptr) adapters_.end(linear, backend_);
}

real* GradientStore::at(std::int64_t offset) const {
  const auto after = std::upper_bound(pieces_.begin(), pieces_.end(), offset,
                                      [](std::int64_t value, const Piece& piece) { return value < piece.begin; });
  if (after == pieces_.begin()) return nullptr;
  const Piece& piece = *(after - 1);
  return offset < piece.end ? memory_ + piece.at + (offset - piece.begin) : nullptr;
}

}  // namespace wam::vla
