#pragma once
// What instrumented code asks before anything else: whether an address matters. Outside of kernels and for a thread's
// own stack the answer is no.

#include <cstdint>

namespace wam::simt {

/// The addresses that need no check on this operating-system thread: the running fiber's stack; everything, where no
/// checked kernel runs.
struct Unchecked {
  std::uintptr_t low = 0, bytes = UINTPTR_MAX;
};
extern thread_local Unchecked unchecked __attribute__((tls_model("initial-exec")));

/// No checks in a scope: while the harness words a report, which may run inline functions of instrumented files.
class Quiet {
 public:
  Quiet() : before_(unchecked) { unchecked = {}; }
  ~Quiet() { unchecked = before_; }
  Quiet(const Quiet&) = delete;
  Quiet& operator=(const Quiet&) = delete;

 private:
  Unchecked before_;
};

}  // namespace wam::simt
