#include "test/counting_allocator.h"

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdlib>

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define WAM_COUNTS_ALLOCATIONS 1
#else
#define WAM_COUNTS_ALLOCATIONS 0
#endif

namespace wam::test {
namespace {
std::atomic<long> count{0};
}
bool counts_allocations() { return WAM_COUNTS_ALLOCATIONS != 0; }
long allocations() { return count.load(); }
}  // namespace wam::test

#if WAM_COUNTS_ALLOCATIONS
// glibc lets a program bring its own malloc, and keeps its own under these names.
extern "C" {
void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* __libc_memalign(std::size_t, std::size_t);

void* malloc(std::size_t size) {
  wam::test::count.fetch_add(1, std::memory_order_relaxed);
  return __libc_malloc(size);
}
void* calloc(std::size_t n, std::size_t size) {
  wam::test::count.fetch_add(1, std::memory_order_relaxed);
  return __libc_calloc(n, size);
}
void* realloc(void* memory, std::size_t size) {
  wam::test::count.fetch_add(1, std::memory_order_relaxed);
  return __libc_realloc(memory, size);
}
void* aligned_alloc(std::size_t align, std::size_t size) {
  wam::test::count.fetch_add(1, std::memory_order_relaxed);
  return __libc_memalign(align, size);
}
int posix_memalign(void** memory, std::size_t align, std::size_t size) {
  wam::test::count.fetch_add(1, std::memory_order_relaxed);
  *memory = __libc_memalign(align, size);
  return *memory == nullptr ? ENOMEM : 0;
}
}
#endif
