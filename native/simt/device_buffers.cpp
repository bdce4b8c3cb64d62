#include "simt/device_buffers.h"

#include <cstdlib>
#include <cstring>

namespace wam::simt {

namespace {

#if defined(__SANITIZE_ADDRESS__)
constexpr std::size_t kZone = 0;  // asan has zones of its own, right at the last byte
#else
constexpr std::size_t kZone = DeviceBuffers::kGuard;
#endif

std::uintptr_t guarded_end(const Buffer& b) { return reinterpret_cast<std::uintptr_t>(b.memory) + b.bytes + kZone; }

}  // namespace

void CellBlock::prepare(std::size_t bytes) {
  if (written != nullptr) return;
  words = (bytes + 3) / 4;
  const auto make = [&] { return CellArray(static_cast<Cell*>(std::calloc(words + 1, sizeof(Cell)))); };
  written = make();
  read = make();
  if (written == nullptr || read == nullptr) std::abort();
}

void CellBlock::prepare_bytes() {
  if (bytes_written != nullptr) return;
  const auto make = [&] { return CellArray(static_cast<Cell*>(std::calloc(words + 1, 4 * sizeof(Cell)))); };
  bytes_written = make();
  bytes_read = make();
  if (bytes_written == nullptr || bytes_read == nullptr) std::abort();
}

DeviceBuffers::~DeviceBuffers() {
  for (auto& [end, buffer] : buffers_) std::free(buffer->memory - kZone);
}

Buffer* DeviceBuffers::allocate(std::size_t bytes) {
  void* memory = nullptr;
  if (posix_memalign(&memory, kAlignment, kZone + bytes + kZone) != 0) return nullptr;
  auto buffer = std::make_unique<Buffer>();
  buffer->memory = static_cast<unsigned char*>(memory) + kZone;
  buffer->bytes = bytes;
  std::memset(memory, 0xff, kZone + bytes + kZone);  // NaN, until somebody writes
  ++live_;
  live_bytes_ += bytes;
  ++version_;
  Buffer* result = buffer.get();
  buffers_[guarded_end(*result)] = std::move(buffer);
  return result;
}

bool DeviceBuffers::release(void* memory) {
  Buffer* buffer = find(memory);
  if (buffer == nullptr || buffer->freed || buffer->memory != memory) return false;
  buffer->freed = true;
  buffer->cells = {};
  --live_;
  live_bytes_ -= buffer->bytes;
  ++version_;
#if defined(__SANITIZE_ADDRESS__)
  forget(buffer);  // asan keeps and knows freed memory itself
#else
  quarantine_.push_back(buffer);
  quarantined_ += buffer->bytes;
  while (quarantined_ > kQuarantine) {
    Buffer* oldest = quarantine_.front();
    quarantine_.pop_front();
    quarantined_ -= oldest->bytes;
    forget(oldest);
  }
#endif
  return true;
}

void DeviceBuffers::forget(Buffer* buffer) {
  std::free(buffer->memory - kZone);
  buffers_.erase(guarded_end(*buffer));
}

Buffer* DeviceBuffers::find(const void* address) {
  const auto a = reinterpret_cast<std::uintptr_t>(address);
  const auto at = buffers_.upper_bound(a);
  if (at == buffers_.end()) return nullptr;
  Buffer* b = at->second.get();
  return a >= reinterpret_cast<std::uintptr_t>(b->memory) - kZone ? b : nullptr;
}

bool DeviceBuffers::holds(const void* address, std::size_t bytes) {
  const Buffer* b = find(address);
  if (b == nullptr || b->freed) return false;
  const auto* p = static_cast<const unsigned char*>(address);
  return p >= b->memory && p <= b->memory + b->bytes && bytes <= static_cast<std::size_t>(b->memory + b->bytes - p);
}

}  // namespace wam::simt
