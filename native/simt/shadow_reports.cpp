// The words of what shadow.cpp finds.

#include <string>

#include "simt/device_state.h"
#include "simt/hooks.h"
#include "simt/shadow.h"

namespace wam::simt {

namespace {

const char* name(Access kind) { return kind == Access::read ? "read" : kind == Access::write ? "write" : "atomic"; }

}  // namespace

/// "4 bytes at offset 512 of shared memory: kernel norm, block (0, 0, 0): thread (3, 0, 0)"
std::string Shadow::describe(const At& at) const {
  const Engine& e = engine();
  std::string where = at.buffer == nullptr ? std::to_string(shared_bytes_) + " bytes of shared memory"
                                           : "a buffer of " + std::to_string(at.buffer->bytes) + " bytes";
  return std::to_string(at.bytes) + " bytes at offset " + std::to_string(static_cast<std::ptrdiff_t>(at.offset)) +
         " of " + where + ": " + e.describe_kernel() + ": " + e.describe(*at.thread);
}

void Shadow::fail_misaligned(const At& at) const {
  const Quiet quiet;
  const std::string kind = std::string("misaligned ") + (at.buffer == nullptr ? "shared " : "global ") + name(at.kind);
  engine().fail(kind.c_str(), describe(at) + " at {0}", at.pc);
}

void Shadow::fail_outside(const At& at, const unsigned char* p) const {
  const Quiet quiet;
  if (static_cast<std::size_t>(p - arena_) < arena_bytes_) {
    engine().fail((std::string("out-of-bounds shared ") + name(at.kind)).c_str(), describe(at) + " at {0}", at.pc);
  }
  Buffer* buffer = device_state().buffers.find(p);
  if (buffer == nullptr) {
    const bool stack = engine().on_stack(p);
    engine().fail(
        (std::string(name(at.kind)) + (stack ? " of another thread's stack" : " of memory that is not the device's"))
            .c_str(),
        std::to_string(at.bytes) + " bytes: " + engine().describe_kernel() + ": " + engine().describe(*at.thread) +
            " at {0}",
        at.pc);
  }
  At found = at;
  found.buffer = buffer;
  found.offset = static_cast<std::size_t>(p - buffer->memory);
  const std::string kind =
      (buffer->freed ? "use after free, global " : "out-of-bounds global ") + std::string(name(at.kind));
  engine().fail(kind.c_str(), describe(found) + " at {0}", at.pc);
}

void Shadow::report_race(const At& at, Cell other, bool other_wrote) const {
  const Quiet quiet;
  // This access is the later of the two in the order that the harness happened to take.
  const std::string kind = std::string(at.kind == Access::read    ? "read"
                                       : at.kind == Access::write ? "write"
                                                                  : "atomic") +
                           "-after-" + (other_wrote ? (other.place & kAtomic ? "atomic" : "write") : "read") +
                           " race in " + (at.buffer == nullptr ? "shared" : "global") + " memory";
  const void* before = address(other.place);
  if (!device_state().reports.is_new(kind.c_str(), at.pc, before)) return;
  std::string who = "another block";
  if (other.segment >= segments_.epoch_base()) {
    const Thread* t = segments_.thread_of(other.segment);
    who = t == nullptr ? "several threads" : engine().describe(*t);
  }
  device_state().reports.add(kind.c_str(), describe(at) + " at {0}, " + who + " at {1}", at.pc, before);
}

void Shadow::report_unwritten(const At& at) const {
  const Quiet quiet;
  const std::string kind =
      std::string("uninitialised ") + (at.buffer == nullptr ? "shared " : "global ") + name(at.kind);
  if (!device_state().reports.is_new(kind.c_str(), at.pc, nullptr)) return;
  device_state().reports.add(kind.c_str(), describe(at) + " at {0}", at.pc);
}

void Shadow::report_in_flight(const At& at, Cell copy) const {
  const Quiet quiet;
  const std::string kind = std::string(name(at.kind)) + " of bytes of a cp.async in flight";
  const void* issued = address(copy.place);
  if (!device_state().reports.is_new(kind.c_str(), at.pc, issued)) return;
  device_state().reports.add(kind.c_str(), describe(at) + " at {0}, copied at {1}", at.pc, issued);
}

}  // namespace wam::simt
