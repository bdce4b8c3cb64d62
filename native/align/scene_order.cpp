#include "align/scene_order.h"

#include <algorithm>
#include <numeric>

#include "core/philox.h"

namespace wam::align {

const std::vector<int>& SceneOrder::pass(std::int64_t number) {
  if (number == number_) return pass_;
  number_ = number;
  const RandomStream stream(seed_);
  std::vector<std::uint64_t> key(static_cast<std::size_t>(scenes_));
  for (int i = 0; i < scenes_; ++i) {
    const Philox4 r =
        stream.at(static_cast<std::uint32_t>(number), static_cast<std::uint32_t>(i), 0, RandomUse::align_order);
    key[static_cast<std::size_t>(i)] = r.word[0] | static_cast<std::uint64_t>(r.word[1]) << 32;
  }
  pass_.resize(static_cast<std::size_t>(scenes_));
  std::iota(pass_.begin(), pass_.end(), 0);
  std::stable_sort(pass_.begin(), pass_.end(),
                   [&](int a, int b) { return key[static_cast<std::size_t>(a)] < key[static_cast<std::size_t>(b)]; });
  return pass_;
}

std::vector<int> SceneOrder::batch(std::int64_t update, int size) {
  std::vector<int> out;
  for (std::int64_t at = update * size; at < (update + 1) * size; ++at) {
    out.push_back(pass(at / scenes_)[static_cast<std::size_t>(at % scenes_)]);
  }
  return out;
}

}  // namespace wam::align
