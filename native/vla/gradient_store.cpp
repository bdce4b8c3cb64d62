#include "vla/gradient_store.h"

#include <algorithm>
#include <set>

namespace wam::vla {

GradientStore::GradientStore(const VlaNetwork& network, const std::vector<std::string>& trained) {
  const std::set<std::string> wanted(trained.begin(), trained.end());
  const auto is_wanted = [&](const Part& part) { return wanted.contains(part.name); };
  std::set<std::string> skipped;
  for (const Matrix& matrix : network.matrices) {
    if (std::any_of(matrix.parts.begin(), matrix.parts.end(), is_wanted)) continue;
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

real* GradientStore::at(std::int64_t offset) const {
  const auto after = std::upper_bound(pieces_.begin(), pieces_.end(), offset,
                                      [](std::int64_t value, const Piece& piece) { return value < piece.begin; });
  if (after == pieces_.begin()) return nullptr;
  const Piece& piece = *(after - 1);
  return offset < piece.end ? memory_ + piece.at + (offset - piece.begin) : nullptr;
}

}  // namespace wam::vla
