#pragma once
// Switching between stacks of one operating-system thread: a fiber is one CUDA thread of the running block.

#include <cstddef>
#include <cstdint>

namespace wam::simt {

/// A suspended flow of control. Of the host while a kernel runs, else of a fiber.
struct Context {
  void* stack_pointer = nullptr;
};

/// Prepares `context` to run `entry`, which never returns, on the stack [low, low + bytes).
void make_context(Context& context, void* low, std::size_t bytes, void (*entry)());

/// Suspends the caller into `from` and goes on with `to`.
void switch_context(Context& from, Context& to);

/// Stacks of equal size, each above a page that faults. Addresses are reserved at once, memory is taken when touched.
class StackPool {
 public:
  /// Asan's frames are larger.
#if defined(__SANITIZE_ADDRESS__)
  static constexpr std::size_t kBytes = 256 * 1024;
#else
  static constexpr std::size_t kBytes = 64 * 1024;
#endif
  static constexpr std::size_t kGuard = 4096;
  static constexpr int kCount = 1024;

  StackPool();
  StackPool(const StackPool&) = delete;
  StackPool& operator=(const StackPool&) = delete;
  ~StackPool();
  unsigned char* low(int i) const { return base_ + static_cast<std::size_t>(i) * (kBytes + kGuard) + kGuard; }
  bool contains(std::uintptr_t address) const {
    return address - reinterpret_cast<std::uintptr_t>(base_) < kCount * (kBytes + kGuard);
  }

 private:
  unsigned char* base_;
};

}  // namespace wam::simt
