#pragma once
// How many native objects live in the whole process, all environments together: what leak tests look at. The only
// state that does not hang off an environment.

#include <atomic>

namespace wam::binding {

enum class Count { environments, threads, engines, trainers, models, maps, datasets, sim_maps, scorers, jobs, kinds };

inline std::atomic<int>& counter(Count kind) {
  static std::atomic<int> counters[static_cast<int>(Count::kinds)];
  return counters[static_cast<int>(kind)];
}

/// Counts the object that it is a member of.
template <Count kind>
class Counted {
 public:
  Counted() { counter(kind).fetch_add(1, std::memory_order_relaxed); }
  ~Counted() { counter(kind).fetch_sub(1, std::memory_order_relaxed); }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;
};

}  // namespace wam::binding
