#pragma once
// A file as memory: its pages are read when they are touched and can be given back. POSIX systems map it; elsewhere the
// whole file is read at the first touch.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace wam::vla {

/// A regular file, open for reading. Const functions may be called from several threads at once.
///
/// The file must not be changed in place while it is mapped: bytes that another process cuts off end this process with a
/// bus error, as they do in every program that maps files. A file that is replaced (written beside it and renamed) stays
/// as it was.
class MappedFile {
 public:
  /// Null when there is no such file. `path` is UTF-8.
  /// Throws Error: ERR_IO, ERR_CHECKPOINT_CORRUPT when it is a folder, a pipe or the like.
  static std::unique_ptr<MappedFile> open(const std::string& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  const std::string& path() const { return path_; }
  /// Bytes, when it was opened.
  std::uint64_t size() const { return size_; }
  /// Copies bytes by the system's read, not through the map: a file that shrank gives ERR_CHECKPOINT_CORRUPT.
  void read(std::uint64_t at, std::size_t count, char* out) const;
  /// Maps the file; once, and only when its size is not 0. Throws Error: ERR_IO, ERR_OUT_OF_MEMORY.
  void map();
  /// The first byte; after map().
  const std::byte* data() const { return data_; }
  /// Gives the pages of [at, at + count) back to the system; they are read again when they are touched.
  void release(std::uint64_t at, std::uint64_t count) const;
  /// Whether size and time of change are still those of the moment of opening.
  bool unchanged() const;

 private:
  explicit MappedFile(std::string path);

  struct System;
  std::string path_;
  std::unique_ptr<System> system_;
  std::uint64_t size_ = 0;
  const std::byte* data_ = nullptr;
};

}  // namespace wam::vla
