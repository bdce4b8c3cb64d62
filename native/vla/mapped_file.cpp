#include "vla/mapped_file.h"

#include <algorithm>
#include <cerrno>
#include <limits>
#include <system_error>
#include <utility>

#include "core/error.h"

#if defined(__unix__) || defined(__APPLE__)
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#else
#include <filesystem>
#include <fstream>
#include <mutex>
#include <vector>
#endif

namespace wam::vla {

#if defined(__unix__) || defined(__APPLE__)

namespace {

[[noreturn]] void io_error(const std::string& path, const char* action, int number) {
  throw Error("ERR_IO", std::string("cannot ") + action + " " + path + ": " + std::generic_category().message(number));
}

struct Moment {
  std::int64_t size, modified_s, modified_ns, changed_s, changed_ns;
  bool operator==(const Moment&) const = default;
};

Moment moment_of(const struct stat& state) {
#if defined(__APPLE__)
  const timespec &modified = state.st_mtimespec, &changed = state.st_ctimespec;
#else
  const timespec &modified = state.st_mtim, &changed = state.st_ctim;
#endif
  return {static_cast<std::int64_t>(state.st_size), modified.tv_sec, modified.tv_nsec, changed.tv_sec, changed.tv_nsec};
}

}  // namespace

struct MappedFile::System {
  int file = -1;
  Moment opened{};
  ~System() {
    if (file >= 0) close(file);
  }
};

MappedFile::MappedFile(std::string path) : path_(std::move(path)), system_(std::make_unique<System>()) {}

std::unique_ptr<MappedFile> MappedFile::open(const std::string& path) {
  // O_NONBLOCK: a named pipe would be waited for.
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) {
    if (errno == ENOENT || errno == ENOTDIR) return nullptr;
    io_error(path, "open", errno);
  }
  std::unique_ptr<MappedFile> opened(new MappedFile(path));
  opened->system_->file = file;
  struct stat state;
  if (fstat(file, &state) != 0) io_error(path, "read", errno);
  if (!S_ISREG(state.st_mode)) throw Error("ERR_CHECKPOINT_CORRUPT", path + ": not a regular file");
  opened->system_->opened = moment_of(state);
  opened->size_ = static_cast<std::uint64_t>(state.st_size);
  return opened;
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) munmap(const_cast<std::byte*>(data_), static_cast<std::size_t>(size_));
}

void MappedFile::read(std::uint64_t at, std::size_t count, char* out) const {
  while (count > 0) {
    const ssize_t done = pread(system_->file, out, std::min(count, std::size_t{1} << 30), static_cast<off_t>(at));
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) io_error(path_, "read", errno);
    if (done == 0) throw Error("ERR_CHECKPOINT_CORRUPT", path_ + ": the file became shorter while it was read");
    at += static_cast<std::uint64_t>(done), out += done, count -= static_cast<std::size_t>(done);
  }
}

void MappedFile::map() {
  if (data_ != nullptr || size_ == 0) return;
  if (size_ > std::numeric_limits<std::size_t>::max()) {
    throw Error("ERR_OUT_OF_MEMORY", path_ + ": " + std::to_string(size_) + " bytes are more than this system can map");
  }
  const auto bytes = static_cast<std::size_t>(size_);
  void* data = mmap(nullptr, bytes, PROT_READ, MAP_PRIVATE, system_->file, 0);
  if (data == MAP_FAILED) {
    if (errno != ENOMEM) io_error(path_, "map", errno);
    throw Error("ERR_OUT_OF_MEMORY", path_ + ": no room for " + std::to_string(size_) + " bytes in the address space");
  }
  madvise(data, bytes, MADV_SEQUENTIAL);  // a wish: a tensor is read once from front to back
  data_ = static_cast<const std::byte*>(data);
}

void MappedFile::release(std::uint64_t at, std::uint64_t count) const {
  if (data_ == nullptr || at >= size_ || count == 0) return;
  static const auto page = static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
  // Outwards to whole pages: what a neighbour loses of its own is read again from the system's cache.
  const std::uint64_t begin = at / page * page, end = at + std::min(count, size_ - at);
  madvise(const_cast<std::byte*>(data_) + begin, static_cast<std::size_t>(end - begin), MADV_DONTNEED);
}

bool MappedFile::unchanged() const {
  struct stat state;
  return fstat(system_->file, &state) == 0 && moment_of(state) == system_->opened;
}

#else

namespace {

std::filesystem::path native_path(const std::string& path) {
  return std::filesystem::path(std::u8string(path.begin(), path.end()));
}

[[noreturn]] void io_error(const std::string& path, const std::error_code& code) {
  throw Error("ERR_IO", "cannot read " + path + ": " + code.message());
}

}  // namespace

struct MappedFile::System {
  std::filesystem::path path;
  std::filesystem::file_time_type modified;
  mutable std::mutex mutex;
  mutable std::ifstream file;
  std::vector<std::byte> content;
};

MappedFile::MappedFile(std::string path) : path_(std::move(path)), system_(std::make_unique<System>()) {}

std::unique_ptr<MappedFile> MappedFile::open(const std::string& path) {
  std::unique_ptr<MappedFile> opened(new MappedFile(path));
  System& system = *opened->system_;
  system.path = native_path(path);
  std::error_code code;
  const auto status = std::filesystem::status(system.path, code);
  if (status.type() == std::filesystem::file_type::not_found) return nullptr;
  if (code) io_error(path, code);
  if (status.type() != std::filesystem::file_type::regular) {
    throw Error("ERR_CHECKPOINT_CORRUPT", path + ": not a regular file");
  }
  opened->size_ = std::filesystem::file_size(system.path, code);
  if (!code) system.modified = std::filesystem::last_write_time(system.path, code);
  if (code) io_error(path, code);
  system.file.open(system.path, std::ios::binary);
  if (!system.file) throw Error("ERR_IO", "cannot open " + path);
  return opened;
}

MappedFile::~MappedFile() = default;

void MappedFile::read(std::uint64_t at, std::size_t count, char* out) const {
  const std::lock_guard<std::mutex> lock(system_->mutex);
  system_->file.clear();
  system_->file.seekg(static_cast<std::streamoff>(at));
  if (!system_->file.read(out, static_cast<std::streamsize>(count))) {
    throw Error("ERR_CHECKPOINT_CORRUPT", path_ + ": the file became shorter while it was read");
  }
}

void MappedFile::map() {
  if (data_ != nullptr || size_ == 0) return;
  if (size_ > std::numeric_limits<std::size_t>::max() / 2) {
    throw Error("ERR_OUT_OF_MEMORY",
                path_ + ": " + std::to_string(size_) + " bytes are more than this system can hold");
  }
  system_->content.resize(static_cast<std::size_t>(size_));
  read(0, system_->content.size(), reinterpret_cast<char*>(system_->content.data()));
  data_ = system_->content.data();
}

void MappedFile::release(std::uint64_t, std::uint64_t) const {}  // the copy is all that there is

bool MappedFile::unchanged() const {
  std::error_code code;
  const bool same_size = std::filesystem::file_size(system_->path, code) == size_ && !code;
  return same_size && std::filesystem::last_write_time(system_->path, code) == system_->modified && !code;
}

#endif

}  // namespace wam::vla
