// cp.async: lazily at the wait that covers a copy, or eagerly where it is issued. In both cases the bytes count as in
// flight until the wait.

#include <cstring>

#include "simt/device.h"
#include "simt/device_state.h"
#include "simt/engine.h"

namespace wam::simt {

namespace {

void perform(const AsyncCopy& copy) {
  if (copy.valid)
    std::memcpy(copy.to, copy.from, static_cast<std::size_t>(copy.bytes));
  else
    std::memset(copy.to, 0, static_cast<std::size_t>(copy.bytes));
}

}  // namespace

void copy_async(void* shared, const void* global, int bytes, bool valid) {
  Thread& t = engine().self();
  const void* pc = __builtin_return_address(0);
  const AsyncCopy copy{
      static_cast<unsigned char*>(shared), static_cast<const unsigned char*>(global), bytes, valid, t.group, pc};
  if (harness_checks()) {
    if (valid) device_state().shadow.global_access(t, copy.from, bytes, Access::read, pc);
    device_state().shadow.copy_issued(t, copy.to, bytes, pc);
  }
  if (!engine().options().lazy_copies) perform(copy);
  t.copies.push_back(copy);
}

void cp_async_commit() { ++engine().self().group; }

void wait_async(int pending) {
  Thread& t = engine().self();
  std::size_t done = 0;
  // Group g is one of the `pending` newest committed ones when g >= t.group - pending.
  for (; done < t.copies.size(); ++done) {
    const AsyncCopy& copy = t.copies[done];
    if (copy.group + static_cast<unsigned>(pending) >= t.group) break;
    if (engine().options().lazy_copies) perform(copy);
    if (harness_checks()) device_state().shadow.copy_completed(t, copy.to, copy.bytes, copy.pc);
  }
  t.copies.erase(t.copies.begin(), t.copies.begin() + static_cast<std::ptrdiff_t>(done));
}

}  // namespace wam::simt
