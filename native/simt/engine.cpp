#include "simt/engine.h"

#include <pthread.h>
#include <sys/mman.h>

#include <bit>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <numeric>
#include <thread>
#include <utility>

#include "simt/device_state.h"
#include "simt/hooks.h"
#include "simt/report.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

namespace wam::simt {

thread_local Unchecked unchecked;

namespace {

bool same(const Site& a, const Site& b) {
  return a.line() == b.line() && a.column() == b.column() &&
         (a.file_name() == b.file_name() || std::strcmp(a.file_name(), b.file_name()) == 0);
}

std::string triple(uint3 v) {
  return "(" + std::to_string(v.x) + ", " + std::to_string(v.y) + ", " + std::to_string(v.z) + ")";
}

std::string hexadecimal(unsigned value) {
  char text[16];
  std::snprintf(text, sizeof text, "0x%08x", value);
  return text;
}

#if defined(__SANITIZE_ADDRESS__)
struct StackBounds {
  const void* low = nullptr;
  std::size_t bytes = 0;
};
StackBounds host_stack() {
  StackBounds bounds;
  pthread_attr_t attributes;
  void* low = nullptr;
  if (pthread_getattr_np(pthread_self(), &attributes) == 0) {
    pthread_attr_getstack(&attributes, &low, &bounds.bytes);
    pthread_attr_destroy(&attributes);
  }
  bounds.low = low;
  return bounds;
}
StackBounds host_bounds;
/// Asan must know whose stack comes next; `from_stays` false drops what it keeps for the one that is left.
void annotated_switch(Context& from, Context& to, const void* low, std::size_t bytes, bool from_stays) {
  void* fake = nullptr;
  __sanitizer_start_switch_fiber(from_stays ? &fake : nullptr, low, bytes);
  switch_context(from, to);
  __sanitizer_finish_switch_fiber(fake, nullptr, nullptr);
}
#endif

}  // namespace

Engine* the_engine = nullptr;

Engine& make_engine() {
  if (the_engine == nullptr) the_engine = new Engine;  // outlives every static backend
  return *the_engine;
}

Engine::Engine() : threads_(new Thread[kMaxThreads]), warps_(new Warp[kMaxThreads / kWarp]) {
  for (unsigned i = 0; i < kMaxThreads; ++i) {
    Thread& t = threads_[i];
    t.id = i;
    t.lane = i % kWarp;
    t.warp = &warps_[i / kWarp];
    if (t.lane == 0) {
      t.warp->threads = &t;
      t.warp->index = i / kWarp;
    }
  }
}

std::uint64_t Engine::random() {  // xorshift64*, Vigna 2016
  random_state_ ^= random_state_ >> 12;
  random_state_ ^= random_state_ << 25;
  random_state_ ^= random_state_ >> 27;
  return random_state_ * 0x2545F4914F6CDD1Dull >> 32;
}

void Engine::run(const KernelLaunch& launch, const HarnessOptions& options) {
  launch_ = &launch;
  options_ = options;
  random_state_ = options.seed * 0x9E3779B97F4A7C15ull | 1;
  failed_ = false;
  // A suspended fiber may hold addresses of its operating-system thread's variables.
  if (std::exchange(host_thread_, std::this_thread::get_id()) != std::this_thread::get_id()) drop_fibers();
  thread_count_ = launch.block.x * launch.block.y * launch.block.z;
  warp_count_ = thread_count_ / kWarp;
  for (unsigned i = 0; i < thread_count_; ++i) {
    threads_[i].index = {i % launch.block.x, i / launch.block.x % launch.block.y,
                         i / (launch.block.x * launch.block.y)};
  }
  device_state().shadow.begin_launch(launch);
  shared_ = device_state().shadow.shared();
#if defined(__SANITIZE_ADDRESS__)
  host_bounds = host_stack();
#endif
  const dim3 grid = launch.grid;
  const std::uint64_t count = std::uint64_t{grid.x} * grid.y * grid.z;
  std::vector<std::uint32_t> order;
  if (options.order == Order::random) {
    order.resize(count);
    std::iota(order.begin(), order.end(), 0u);
    for (std::uint64_t i = count; i > 1; --i) std::swap(order[i - 1], order[random() % i]);
  }
  for (std::uint64_t i = 0; i < count && !failed_; ++i) {
    const std::uint64_t b = options.order == Order::random    ? order[i]
                            : options.order == Order::reverse ? count - 1 - i
                                                              : i;
    block_ = {static_cast<unsigned>(b % grid.x), static_cast<unsigned>(b / grid.x % grid.y),
              static_cast<unsigned>(b / (std::uint64_t{grid.x} * grid.y))};
    run_block();
  }
  launch_ = nullptr;
}

void Engine::run_block() {
  ++blocks;
  device_state().shadow.begin_block(threads_.get(), thread_count_);
  finished_ = at_barrier_ = 0;
  first_at_barrier_ = nullptr;
  votes_ = 0;
  for (unsigned i = 0; i < thread_count_; ++i) {
    Thread& t = threads_[i];
    t.finished = false;
    t.copies.clear();
    t.group = 0;
    t.segment = 0;
    if (!t.has_context) {
      unsigned char* low = stacks_.low(static_cast<int>(i));
#if defined(__SANITIZE_ADDRESS__)
      __asan_unpoison_memory_region(low, StackPool::kBytes);
#endif
      // Stacks lie a multiple of 4 KiB apart: without the shift all tops would share a few sets of the first cache.
      make_context(t.context, low, StackPool::kBytes - i * 448 % 4096, &Engine::fiber_main);
      t.has_context = true;
    }
  }
  for (unsigned w = 0; w < warp_count_; ++w) {
    warps_[w].ready = 0xffffffffu;
    warps_[w].pending.clear();
  }
  ready_warps_ = warp_count_ == 32 ? 0xffffffffu : (1u << warp_count_) - 1;
  enter(*next());
}

void Engine::fiber_main() {
  Engine& e = engine();
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(nullptr, nullptr, nullptr);
#endif
  for (;;) {
    e.launch_->invoke(e.launch_->kernel, e.launch_->params);
    e.finish_thread();
  }
}

Thread* Engine::next() {
  if (ready_warps_ == 0) return nullptr;
  Warp* warp = nullptr;
  unsigned lane = 0;
  if (options_.order == Order::random) {
    // Some set bit: the first at or after a random place.
    const auto r = static_cast<unsigned>(random());
    warp = &warps_[(std::countr_zero(std::rotr(ready_warps_, r & 31)) + (r & 31)) & 31];
    lane = (std::countr_zero(std::rotr(warp->ready, r >> 5 & 31)) + (r >> 5 & 31)) & 31;
  } else {
    const bool forward = options_.order == Order::forward;
    // A warp runs as far as it can: what one warp does too early is then met by all the others.
    if (current_ != nullptr && current_->warp->ready != 0) {
      warp = current_->warp;
    } else {
      warp = &warps_[forward ? std::countr_zero(ready_warps_) : 31 - std::countl_zero(ready_warps_)];
    }
    lane = forward ? std::countr_zero(warp->ready) : 31 - std::countl_zero(warp->ready);
  }
  warp->ready &= ~(1u << lane);
  if (warp->ready == 0) ready_warps_ &= ~(1u << warp->index);
  return &warp->threads[lane];
}

void Engine::go(Thread& to) {
  Thread& from = *current_;
  if (&from == &to) return;
  ++switches;
  current_ = &to;
  unsigned char* low = stacks_.low(static_cast<int>(to.id));
  if (options_.check) unchecked.low = reinterpret_cast<std::uintptr_t>(low);
#if defined(__SANITIZE_ADDRESS__)
  annotated_switch(from.context, to.context, low, StackPool::kBytes, true);
#else
  switch_context(from.context, to.context);
#endif
}

void Engine::enter(Thread& first) {
  current_ = &first;
  unsigned char* low = stacks_.low(static_cast<int>(first.id));
  if (options_.check) unchecked = {reinterpret_cast<std::uintptr_t>(low), StackPool::kBytes};
#if defined(__SANITIZE_ADDRESS__)
  annotated_switch(host_, first.context, low, StackPool::kBytes, true);
#else
  switch_context(host_, first.context);
#endif
  current_ = nullptr;
  unchecked = {};
}

void Engine::finish_thread() {
  Thread& t = *current_;
  t.finished = true;
  ++finished_;
  Thread* to = next();
  if (to != nullptr) return go(*to);
  if (finished_ < thread_count_) fail_deadlock();
#if defined(__SANITIZE_ADDRESS__)
  annotated_switch(t.context, host_, host_bounds.low, host_bounds.bytes, true);
#else
  switch_context(t.context, host_);
#endif
}

void Engine::drop_fibers() {
  for (unsigned i = 0; i < kMaxThreads; ++i) threads_[i].has_context = false;
}

void Engine::fail(const char* kind, const std::string& text, const void* pc0, const void* pc1) {
  unchecked = {};
  device_state().reports.add(kind, text, pc0, pc1);
  failed_ = true;
  drop_fibers();
  Context nowhere;
#if defined(__SANITIZE_ADDRESS__)
  annotated_switch(nowhere, host_, host_bounds.low, host_bounds.bytes, false);
#else
  switch_context(nowhere, host_);
#endif
  std::abort();  // nobody comes back
}

std::string Engine::describe(const Thread& thread) const { return "thread " + triple(thread.index); }

std::string Engine::describe_kernel() const {
  return std::string("kernel ") + launch_->name + ", block " + triple(block_);
}

void Engine::wait(const char* what, Site at) {
  Thread& t = *current_;
  t.waiting_for = what;
  t.waiting_at = at;
  Thread* to = next();
  if (to == nullptr) fail_deadlock();
  go(*to);
}

void Engine::fail_deadlock() {
  const Quiet quiet;
  // Nobody can go on: name two who wait for different things, or one who waits and one who is gone.
  const Thread* waiting = nullptr;
  const Thread* other = nullptr;
  const auto differ = [](const Thread& a, const Thread& b) {
    return a.finished != b.finished ||
           (!a.finished && (a.waiting_for != b.waiting_for || !same(a.waiting_at, b.waiting_at)));
  };
  for (unsigned i = 0; i < thread_count_; ++i) {
    if (!threads_[i].finished && waiting == nullptr) waiting = &threads_[i];
  }
  for (unsigned i = 0; i < thread_count_; ++i) {
    if (other == nullptr && differ(threads_[i], *waiting)) other = &threads_[i];
  }
  const bool barrier = waiting->waiting_for == kBarrierName || (other != nullptr && other->waiting_for == kBarrierName);
  std::string text = describe_kernel() + ": " + triple(waiting->index) + " waits for " + waiting->waiting_for + " at " +
                     simt::describe(waiting->waiting_at);
  if (other == nullptr)
    text += ", as all that are left do";
  else if (other->finished)
    text += ", " + triple(other->index) + " has returned";
  else
    text += ", " + triple(other->index) + " for " + other->waiting_for + " at " + simt::describe(other->waiting_at);
  fail(barrier ? "divergent barrier" : "divergent warp collective", text);
}

void Engine::barrier(Site at) {
  Thread& t = *current_;
  if (at_barrier_ == 0) {
    first_at_barrier_ = &t;
    t.waiting_at = at;
  } else if (!same(first_at_barrier_->waiting_at, at)) {
    const Quiet quiet;
    fail("divergent barrier", describe_kernel() + ": " + triple(first_at_barrier_->index) + " waits at " +
                                  simt::describe(first_at_barrier_->waiting_at) + ", " + triple(t.index) + " came to " +
                                  simt::describe(at));
  }
  if (++at_barrier_ < thread_count_) return wait(kBarrierName, at);
  at_barrier_ = 0;
  last_votes_ = std::exchange(votes_, 0u);
  device_state().shadow.block_synchronised();
  for (unsigned w = 0; w < warp_count_; ++w) warps_[w].ready = 0xffffffffu;
  ready_warps_ = warp_count_ == 32 ? 0xffffffffu : (1u << warp_count_) - 1;
  if (options_.order == Order::random) return go(*next());
  t.warp->ready &= ~(1u << t.lane);
  if (t.warp->ready == 0) ready_warps_ &= ~(1u << t.warp->index);
}

void Engine::collective(unsigned mask, const char* operation, void* operands, void (*run)(Warp&, unsigned), Site at) {
  Thread& t = *current_;
  Warp& warp = *t.warp;
  const unsigned self = 1u << t.lane;
  if ((mask & self) == 0) {
    const Quiet quiet;
    fail("divergent warp collective", describe_kernel() + ": " + triple(t.index) + " is not in the mask " +
                                          hexadecimal(mask) + " of its " + operation + " at " + simt::describe(at));
  }
  warp.operands[t.lane] = operands;
  std::size_t found = warp.pending.size();
  for (std::size_t i = 0; i < warp.pending.size(); ++i) {
    Rendezvous& r = warp.pending[i];
    if (r.mask != mask) continue;  // lanes of several masks may be on their way to one another; else nobody can go on
    if (r.operation != operation || !same(r.at, at)) {
      const Quiet quiet;
      const Thread& other = warp.threads[std::countr_zero(r.arrived)];
      fail("divergent warp collective", describe_kernel() + ": " + triple(other.index) + " waits in " + r.operation +
                                            " at " + simt::describe(r.at) + ", " + triple(t.index) + " came to " +
                                            operation + " at " + simt::describe(at) + ", both with mask " +
                                            hexadecimal(mask));
    }
    found = i;
  }
  if (found == warp.pending.size()) warp.pending.push_back({mask, 0, operation, at});
  Rendezvous& r = warp.pending[found];
  r.arrived |= self;
  if (r.arrived != mask) return wait(operation, at);
  warp.pending[found] = warp.pending.back();
  warp.pending.pop_back();
  run(warp, mask);
  warp.ready |= mask;
  ready_warps_ |= 1u << warp.index;
  if (options_.order == Order::random) return go(*next());
  warp.ready &= ~self;
  if (warp.ready == 0) ready_warps_ &= ~(1u << warp.index);
}

void Engine::may_yield() {
  if (options_.order != Order::random) return;
  Thread& t = *current_;
  t.warp->ready |= 1u << t.lane;
  ready_warps_ |= 1u << t.warp->index;
  go(*next());
}

}  // namespace wam::simt
