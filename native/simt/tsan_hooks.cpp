// What code compiled with -fsanitize=thread calls before each load and store, in place of libtsan.

#include <cstdint>

#include "simt/device_state.h"
#include "simt/engine.h"
#include "simt/hooks.h"

namespace {

using wam::simt::Access;

[[gnu::noinline]] void check(const void* p, std::size_t bytes, Access kind, const void* pc) {
  wam::simt::device_state().shadow.access(wam::simt::engine().self(), p, static_cast<int>(bytes), kind, pc);
}

[[gnu::always_inline]] inline void hook(const void* p, std::size_t bytes, Access kind, const void* pc) {
  using wam::simt::unchecked;
  if (reinterpret_cast<std::uintptr_t>(p) - unchecked.low < unchecked.bytes) return;
  check(p, bytes, kind, pc);
}

}  // namespace

extern "C" {

void __tsan_init() {}
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}

#define WAM_HOOK(name, bytes, kind) \
  void name(void* p) { hook(p, bytes, Access::kind, __builtin_return_address(0)); }
WAM_HOOK(__tsan_read1, 1, read)
WAM_HOOK(__tsan_read2, 2, read)
WAM_HOOK(__tsan_read4, 4, read)
WAM_HOOK(__tsan_read8, 8, read)
WAM_HOOK(__tsan_read16, 16, read)
WAM_HOOK(__tsan_write1, 1, write)
WAM_HOOK(__tsan_write2, 2, write)
WAM_HOOK(__tsan_write4, 4, write)
WAM_HOOK(__tsan_write8, 8, write)
WAM_HOOK(__tsan_write16, 16, write)
WAM_HOOK(__tsan_unaligned_read2, 2, read)
WAM_HOOK(__tsan_unaligned_read4, 4, read)
WAM_HOOK(__tsan_unaligned_read8, 8, read)
WAM_HOOK(__tsan_unaligned_read16, 16, read)
WAM_HOOK(__tsan_unaligned_write2, 2, write)
WAM_HOOK(__tsan_unaligned_write4, 4, write)
WAM_HOOK(__tsan_unaligned_write8, 8, write)
WAM_HOOK(__tsan_unaligned_write16, 16, write)
WAM_HOOK(__tsan_vptr_read, 8, read)
#undef WAM_HOOK

void __tsan_read_range(void* p, std::size_t bytes) { hook(p, bytes, Access::read, __builtin_return_address(0)); }
void __tsan_write_range(void* p, std::size_t bytes) { hook(p, bytes, Access::write, __builtin_return_address(0)); }
void __tsan_vptr_update(void**, void*) {}

// Host code in the same files counts references and guards statics with these; they do what they say.
#define WAM_ATOMIC_FETCH(bits, T, name, builtin) \
  T __tsan_atomic##bits##_##name(volatile T* p, T value, int) { return builtin(p, value, __ATOMIC_SEQ_CST); }
#define WAM_ATOMICS(bits, T)                                                                                      \
  T __tsan_atomic##bits##_load(const volatile T* p, int) { return __atomic_load_n(p, __ATOMIC_SEQ_CST); }         \
  void __tsan_atomic##bits##_store(volatile T* p, T value, int) { __atomic_store_n(p, value, __ATOMIC_SEQ_CST); } \
  WAM_ATOMIC_FETCH(bits, T, exchange, __atomic_exchange_n)                                                        \
  WAM_ATOMIC_FETCH(bits, T, fetch_add, __atomic_fetch_add)                                                        \
  WAM_ATOMIC_FETCH(bits, T, fetch_sub, __atomic_fetch_sub)                                                        \
  WAM_ATOMIC_FETCH(bits, T, fetch_and, __atomic_fetch_and)                                                        \
  WAM_ATOMIC_FETCH(bits, T, fetch_or, __atomic_fetch_or)                                                          \
  WAM_ATOMIC_FETCH(bits, T, fetch_xor, __atomic_fetch_xor)                                                        \
  int __tsan_atomic##bits##_compare_exchange_strong(volatile T* p, T* expected, T value, int, int) {              \
    return __atomic_compare_exchange_n(p, expected, value, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);            \
  }                                                                                                               \
  int __tsan_atomic##bits##_compare_exchange_weak(volatile T* p, T* expected, T value, int, int) {                \
    return __atomic_compare_exchange_n(p, expected, value, true, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);             \
  }
WAM_ATOMICS(8, std::uint8_t)
WAM_ATOMICS(16, std::uint16_t)
WAM_ATOMICS(32, std::uint32_t)
WAM_ATOMICS(64, std::uint64_t)
#undef WAM_ATOMICS
#undef WAM_ATOMIC_FETCH
void __tsan_atomic_thread_fence(int) { __atomic_thread_fence(__ATOMIC_SEQ_CST); }
void __tsan_atomic_signal_fence(int) { __atomic_signal_fence(__ATOMIC_SEQ_CST); }

}  // extern "C"
