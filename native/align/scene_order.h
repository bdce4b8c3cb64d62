#pragma once
#include <cstdint>
#include <vector>

namespace wam::align {

/// The order in which scenes are visited: all of them once in a random order, then all of them in another one.
class SceneOrder {
 public:
  SceneOrder(std::uint64_t seed, int scenes) : seed_(seed), scenes_(scenes) {}
  /// Scenes of update number `update`, from 0: a pure function of (seed, scenes, size, update).
  std::vector<int> batch(std::int64_t update, int size);

 private:
  const std::vector<int>& pass(std::int64_t number);

  std::uint64_t seed_;
  int scenes_;
  std::int64_t number_ = -1;  // of the pass at hand
  std::vector<int> pass_;
};

}  // namespace wam::align
