// Atomics. Threads of the harness run one at a time, so the operations are plain; in random order others get a turn
// after each.

#include <algorithm>

#include "simt/builtins.h"
#include "simt/device_state.h"
#include "simt/engine.h"

namespace wam::simt {

namespace {

template <class T, class Change>
inline T update(T* p, const void* pc, Change change) {
  if (harness_checks()) {
    device_state().shadow.access(engine().self(), p, static_cast<int>(sizeof(T)), Access::atomic, pc);
  }
  const T old = *p;
  *p = change(old);
  engine().may_yield();
  return old;
}

}  // namespace

using u64 = unsigned long long;
#define WAM_ATOMIC(name, T, expression)                                                    \
  T name(T* p, T value) {                                                                  \
    return update(p, __builtin_return_address(0), [&](T old) -> T { return expression; }); \
  }
WAM_ATOMIC(atomicAdd, float, old + value)
WAM_ATOMIC(atomicAdd, double, old + value)
WAM_ATOMIC(atomicAdd, int, static_cast<int>(static_cast<unsigned>(old) + static_cast<unsigned>(value)))
WAM_ATOMIC(atomicAdd, unsigned, old + value)
WAM_ATOMIC(atomicAdd, u64, old + value)
WAM_ATOMIC(atomicSub, int, static_cast<int>(static_cast<unsigned>(old) - static_cast<unsigned>(value)))
WAM_ATOMIC(atomicSub, unsigned, old - value)
WAM_ATOMIC(atomicMin, int, std::min(old, value))
WAM_ATOMIC(atomicMin, unsigned, std::min(old, value))
WAM_ATOMIC(atomicMin, u64, std::min(old, value))
WAM_ATOMIC(atomicMax, int, std::max(old, value))
WAM_ATOMIC(atomicMax, unsigned, std::max(old, value))
WAM_ATOMIC(atomicMax, u64, std::max(old, value))
WAM_ATOMIC(atomicExch, int, (void(old), value))
WAM_ATOMIC(atomicExch, unsigned, (void(old), value))
WAM_ATOMIC(atomicExch, u64, (void(old), value))
WAM_ATOMIC(atomicExch, float, (void(old), value))
WAM_ATOMIC(atomicOr, int, old | value)
WAM_ATOMIC(atomicOr, unsigned, old | value)
WAM_ATOMIC(atomicOr, u64, old | value)
WAM_ATOMIC(atomicAnd, int, old& value)
WAM_ATOMIC(atomicAnd, unsigned, old& value)
WAM_ATOMIC(atomicAnd, u64, old& value)
WAM_ATOMIC(atomicInc, unsigned, old >= value ? 0 : old + 1)
#undef WAM_ATOMIC

#define WAM_ATOMIC_CAS(T)                                                                                    \
  T atomicCAS(T* p, T compare, T value) {                                                                    \
    return update(p, __builtin_return_address(0), [&](T old) -> T { return old == compare ? value : old; }); \
  }
WAM_ATOMIC_CAS(int)
WAM_ATOMIC_CAS(unsigned)
WAM_ATOMIC_CAS(u64)
#undef WAM_ATOMIC_CAS

}  // namespace wam::simt
