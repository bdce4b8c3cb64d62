#include "simt/shadow.h"

#include <dlfcn.h>
#include <link.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "simt/device_state.h"

namespace wam::simt {

namespace {

#if defined(__SANITIZE_ADDRESS__)
constexpr std::size_t kMargin = 0;  // asan's own zones start at the last byte
#else
constexpr std::size_t kMargin = 4096;
#endif

struct Image {
  std::uintptr_t inside, low, high;
};

/// Widens `image` to the loaded module that holds the address `inside`.
int find_image(dl_phdr_info* info, std::size_t, void* data) {
  auto& image = *static_cast<Image*>(data);
  std::uintptr_t low = UINTPTR_MAX, high = 0;
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    if (info->dlpi_phdr[i].p_type != PT_LOAD) continue;
    const std::uintptr_t start = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
    low = std::min(low, start);
    high = std::max<std::uintptr_t>(high, start + info->dlpi_phdr[i].p_memsz);
  }
  if (image.inside < low || image.inside >= high) return 0;
  image.low = low;
  image.high = high;
  return 1;
}

bool natural(const void* p, int bytes) {
  return (bytes & (bytes - 1)) != 0 ||
         (reinterpret_cast<std::uintptr_t>(p) & static_cast<std::uintptr_t>(bytes - 1)) == 0;
}

}  // namespace

Shadow::Shadow() {
#if !defined(__SANITIZE_ADDRESS__)
  arena_bytes_ = (kMargin + kMaxSharedBytes + kMargin + 4095) / 4096 * 4096;
  arena_ = static_cast<unsigned char*>(std::aligned_alloc(4096, arena_bytes_));
#endif
  shared_cells_.prepare(kMaxSharedBytes);
  Image image{reinterpret_cast<std::uintptr_t>(&natural), 0, 0};
  dl_iterate_phdr(&find_image, &image);
  image_low_ = image.low;
  image_high_ = image.high;
}

Shadow::~Shadow() { std::free(arena_); }

void Shadow::begin_launch(const KernelLaunch& launch) {
  if (segments_.nearly_used_up()) renumber();
  segments_.begin_launch();
#if defined(__SANITIZE_ADDRESS__)
  std::free(arena_);
  arena_ = nullptr;
  void* memory = nullptr;
  if (posix_memalign(&memory, 128, launch.shared_bytes) != 0) std::abort();
  arena_ = static_cast<unsigned char*>(memory);
  arena_bytes_ = launch.shared_bytes;
#endif
  shared_ = arena_ + kMargin;
  shared_bytes_ = launch.shared_bytes;
  const std::uint64_t version = device_state().buffers.version();
  if (version != buffers_version_) std::fill(recent_.begin(), recent_.end(), Recent{});
  buffers_version_ = version;
}

void Shadow::begin_block(Thread* threads, unsigned count) {
  segments_.begin_block(threads, count);
  std::memset(shared_, 0xff, shared_bytes_);  // NaN, until somebody writes
  if (!harness_checks()) return;
  const std::size_t words = (shared_bytes_ + 3) / 4;
  std::fill_n(shared_cells_.written.get(), words, Cell{});
  std::fill_n(shared_cells_.read.get(), words, Cell{});
}

void Shadow::renumber() {
  device_state().buffers.each([](Buffer& b) {
    const auto age = [](CellArray& cells, std::size_t count) {
      if (cells == nullptr) return;
      for (std::size_t i = 0; i < count; ++i) {
        if (cells[i].segment != 0 && cells[i].segment != kSplit) cells[i].segment = Segments::kHost;
      }
    };
    age(b.cells.written, b.cells.words);
    age(b.cells.read, b.cells.words);
    age(b.cells.bytes_written, 4 * b.cells.words);
    age(b.cells.bytes_read, 4 * b.cells.words);
  });
  segments_.renumber();
}

void Shadow::access(Thread& thread, const void* p, int bytes, Access kind, const void* pc) {
  if (static_cast<std::size_t>(static_cast<const unsigned char*>(p) - arena_) < arena_bytes_) {
    shared_access(thread, p, bytes, kind, pc);
  } else {
    global_access(thread, p, bytes, kind, pc);
  }
}

/// Nearly every access: of whole words, where what was there was written in order, by somebody, and read in order.
/// False, with nothing lost, where it needs a closer look.
template <bool kWrite>
inline bool Shadow::check_quickly(const CellBlock& cells, std::size_t offset, int bytes, std::uint32_t mine,
                                  const void* pc) {
  if (((offset | static_cast<std::size_t>(bytes)) & 3) != 0) return false;
  const std::uint32_t launch = segments_.launch_base(), block = segments_.block_base();
  const std::uint32_t in_block = segments_.epoch_base() - block;
  Cell* written = &cells.written[offset / 4];
  Cell* read = &cells.read[offset / 4];
  for (Cell* end = written + bytes / 4; written != end; ++written, ++read) {
    const std::uint32_t w = written->segment, r = read->segment;
    if (!(w == mine || w - 1 < launch - 1 || w - block < in_block)) return false;
    const bool read_in_order = r < launch || r - block < in_block;
    if constexpr (kWrite) {
      if (!(r == mine || read_in_order)) return false;
      read->segment = 0;
      *written = {mine, place(pc)};
    } else if (read_in_order) {
      *read = {mine, place(pc)};
    } else if (r != mine && r != block + in_block && r != launch) {  // the last two: several readers, with this one
      return false;
    }
  }
  return true;
}

void Shadow::shared_access(Thread& thread, const void* p, int bytes, Access kind, const void* pc) {
  ++accesses;
  const auto* address = static_cast<const unsigned char*>(p);
  const auto offset = static_cast<std::size_t>(address - shared_);
  const bool inside = offset <= shared_bytes_ && static_cast<std::size_t>(bytes) <= shared_bytes_ - offset;
  const bool aligned = natural(p, bytes);
  if (inside && aligned) {
    const std::uint32_t mine = segments_.of(thread);
    if (kind == Access::read && check_quickly<false>(shared_cells_, offset, bytes, mine, pc)) return;
    if (kind == Access::write && check_quickly<true>(shared_cells_, offset, bytes, mine, pc)) return;
  }
  const At at{&thread, nullptr, offset, bytes, kind, pc};
  if (!aligned) fail_misaligned(at);
  if (!inside) fail_outside(at, address);
  check_cells(shared_cells_, at);
}

void Shadow::global_access(Thread& thread, const void* p, int bytes, Access kind, const void* pc) {
  ++accesses;
  const auto value = reinterpret_cast<std::uintptr_t>(p);
  Recent& recent = recent_[reinterpret_cast<std::uintptr_t>(pc) >> 1 & (kRecent - 1)];
  const std::size_t offset = value - recent.low;
  const bool aligned = natural(p, bytes);
  if (offset < recent.bytes && static_cast<std::size_t>(bytes) <= recent.bytes - offset && aligned) {
    const std::uint32_t mine = segments_.of(thread);
    const CellBlock& cells = recent.buffer->cells;
    if (kind == Access::read && check_quickly<false>(cells, offset, bytes, mine, pc)) return;
    if (kind == Access::write && check_quickly<true>(cells, offset, bytes, mine, pc)) return;
  }
  // Tables of constants and functions of the program may be read.
  if (kind == Access::read && value >= image_low_ && value < image_high_) return;
  At at{&thread, nullptr, 0, bytes, kind, pc};
  Buffer& buffer = find_buffer(at, static_cast<const unsigned char*>(p));
  buffer.cells.prepare(buffer.bytes);
  recent = {reinterpret_cast<std::uintptr_t>(buffer.memory), buffer.bytes, &buffer};
  at.buffer = &buffer;
  at.offset = value - recent.low;
  if (!aligned) fail_misaligned(at);
  check_cells(buffer.cells, at);
}

Buffer& Shadow::find_buffer(const At& at, const unsigned char* p) {
  Buffer* buffer = device_state().buffers.find(p);
  if (buffer == nullptr || buffer->freed || p < buffer->memory || p + at.bytes > buffer->memory + buffer->bytes) {
    fail_outside(at, p);
  }
  return *buffer;
}

bool Shadow::before(std::uint32_t segment, const At& at, std::uint32_t mine) const {
  if (segment == mine || segment < segments_.launch_base()) return true;
  if (segment < segments_.block_base()) return at.buffer == nullptr;  // shared memory never outlives a block
  return segment < segments_.epoch_base() || segments_.ordered(segment, *at.thread);
}

void Shadow::check_cell(Cell& written, Cell& read, const At& at, std::uint32_t mine, bool known_written) {
  const std::uint32_t writer = written.segment;
  if (writer == kInFlight) {
    report_in_flight(at, written);
  } else if (!before(writer, at, mine) && !(at.kind == Access::atomic && (written.place & kAtomic) != 0)) {
    report_race(at, written, true);
  } else if (writer == 0 && at.kind != Access::write) {
    if (known_written)
      written.segment = Segments::kHost;
    else
      report_unwritten(at);
  }
  if (at.kind != Access::write && at.kind != Access::atomic) {
    const std::uint32_t reader = read.segment;
    if (reader == mine) return;
    if (reader < segments_.launch_base() || (reader >= segments_.block_base() && reader < segments_.epoch_base())) {
      read = {mine, place(at.pc)};
    } else if (reader < segments_.block_base()) {
      read.segment = segments_.several_blocks();
    } else {
      const std::uint32_t together = segments_.with_reader(reader, *at.thread);
      if (together != reader) read = {together, place(at.pc)};
    }
    return;
  }
  if (!before(read.segment, at, mine)) report_race(at, read, false);
  read.segment = 0;
  written = {mine, place(at.pc) | (at.kind == Access::atomic ? kAtomic : 0)};
}

void Shadow::check_cells(CellBlock& cells, const At& at) {
  const std::uint32_t mine = segments_.of(*at.thread);
  const std::size_t first = at.offset / 4, end = (at.offset + static_cast<std::size_t>(at.bytes) + 3) / 4;
  if (((at.offset | static_cast<std::size_t>(at.bytes)) & 3) != 0) {
    for (std::size_t word = first; word < end; ++word) check_bytes(cells, at, word, mine);
    return;
  }
  for (std::size_t word = first; word < end; ++word) {
    Cell& written = cells.written[word];
    if (written.segment != kSplit) {
      check_cell(written, cells.read[word], at, mine, cells.all_written);
      continue;
    }
    check_bytes(cells, at, word, mine);
    if (at.kind == Access::read) continue;
    written = cells.bytes_written[4 * word];  // one value again
    cells.read[word] = {};
  }
}

void Shadow::check_bytes(CellBlock& cells, const At& at, std::size_t word, std::uint32_t mine) {
  if (cells.written[word].segment != kSplit) split(cells, word);
  const std::size_t low = std::max(at.offset, 4 * word);
  const std::size_t high = std::min(at.offset + static_cast<std::size_t>(at.bytes), 4 * word + 4);
  for (std::size_t b = low; b < high; ++b) {
    check_cell(cells.bytes_written[b], cells.bytes_read[b], at, mine, cells.all_written);
  }
}

void Shadow::split(CellBlock& cells, std::size_t word) {
  cells.prepare_bytes();
  std::fill_n(&cells.bytes_written[4 * word], 4, cells.written[word]);
  std::fill_n(&cells.bytes_read[4 * word], 4, cells.read[word]);
  cells.written[word].segment = kSplit;
}

void Shadow::copy_issued(Thread& thread, const void* to, int bytes, const void* pc) {
  shared_access(thread, to, bytes, Access::write, pc);
  set_writer(shared_cells_, static_cast<std::size_t>(static_cast<const unsigned char*>(to) - shared_), bytes,
             {kInFlight, place(pc)});
}

void Shadow::copy_completed(Thread& thread, const void* to, int bytes, const void* pc) {
  set_writer(shared_cells_, static_cast<std::size_t>(static_cast<const unsigned char*>(to) - shared_), bytes,
             {segments_.of(thread), place(pc)});
}

void Shadow::set_writer(CellBlock& cells, std::size_t offset, int bytes, Cell value) {
  for (std::size_t word = offset / 4; word < (offset + static_cast<std::size_t>(bytes)) / 4; ++word) {
    cells.written[word] = value;
  }
}

void Shadow::host_wrote(const void* to, std::size_t bytes) {
  Buffer* b = device_state().buffers.find(to);
  const auto offset = static_cast<std::size_t>(static_cast<const unsigned char*>(to) - b->memory);
  if (bytes == b->bytes) b->cells.all_written = true;
  if (b->cells.all_written) return;
  b->cells.prepare(b->bytes);
  for (std::size_t i = offset; i < offset + bytes;) {
    const std::size_t word = i / 4;
    Cell& written = b->cells.written[word];
    if (i % 4 == 0 && i + 4 <= offset + bytes && written.segment != kSplit) {
      if (written.segment == 0) written.segment = Segments::kHost;
      i += 4;
      continue;
    }
    if (written.segment != kSplit) split(b->cells, word);
    Cell& byte = b->cells.bytes_written[i];
    if (byte.segment == 0) byte.segment = Segments::kHost;
    ++i;
  }
}

void Shadow::discarded(const void* from, std::size_t bytes) {
  Buffer* b = device_state().buffers.find(from);
  const auto offset = static_cast<std::size_t>(static_cast<const unsigned char*>(from) - b->memory);
  CellBlock& cells = b->cells;
  cells.prepare(b->bytes);
  if (cells.all_written) {  // no longer: every cell has to say so
    cells.all_written = false;
    host_wrote(b->memory, offset);
    host_wrote(b->memory + offset + bytes, b->bytes - offset - bytes);
  }
  for (std::size_t i = offset; i < offset + bytes;) {
    const std::size_t word = i / 4;
    if (i % 4 == 0 && i + 4 <= offset + bytes) {
      cells.written[word] = {};
      i += 4;
      continue;
    }
    if (cells.written[word].segment != kSplit) split(cells, word);
    cells.bytes_written[i++] = {};
  }
}

void Shadow::device_copied(const void* to, const void* from, std::size_t bytes) {
  const Buffer* source = device_state().buffers.find(from);
  const auto offset = static_cast<std::size_t>(static_cast<const unsigned char*>(from) - source->memory);
  const CellBlock& cells = source->cells;
  const auto was_written = [&](std::size_t i) {
    if (cells.all_written) return true;
    if (cells.written == nullptr) return false;
    const std::uint32_t segment = cells.written[i / 4].segment;
    return (segment == kSplit ? cells.bytes_written[i].segment : segment) != 0;
  };
  // Runs of bytes that have been written. What is copied without having been written stays as it was.
  for (std::size_t i = 0; i < bytes;) {
    std::size_t end = i;
    if (cells.all_written)
      end = bytes;
    else
      while (end < bytes && was_written(offset + end)) ++end;
    if (end > i) host_wrote(static_cast<const unsigned char*>(to) + i, end - i);
    i = end + 1;
  }
}

}  // namespace wam::simt
