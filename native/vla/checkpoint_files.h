#pragma once
// The weight files of a checkpoint directory as one source of tensors.

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "vla/mapped_file.h"
#include "vla/safetensors.h"
#include "vla/tensor_source.h"

namespace wam::vla {

/// Tensors of one safetensors file, or of the shards that an index lists, mapped into memory.
class CheckpointFiles : public TensorSource {
 public:
  struct File {
    std::string name;  // in the directory
    std::uint64_t bytes = 0;
    std::size_t tensors = 0;
  };

  /// Opens and checks; see open_checkpoint. No data is read.
  explicit CheckpointFiles(const std::string& directory);

  const TensorView* find(std::string_view name) const override;
  std::vector<std::string> names() const override;
  void release(std::string_view name, std::int64_t begin, std::int64_t count) const override;

  const std::vector<File>& files() const { return files_; }
  /// Index into files(). `name` must exist.
  std::size_t file_of(std::string_view name) const;
  /// What is odd but does no harm, a sentence each.
  const std::vector<std::string>& warnings() const { return warnings_; }
  /// Throws Error(ERR_CHECKPOINT_CORRUPT) when a file was changed since it was opened: call it when all is read.
  void check_unchanged() const;

 private:
  struct Entry {
    TensorView view;
    std::size_t file;
    std::uint64_t offset;  // from the start of the file
  };
  /// Where a file of the set lies: in a commit that is not finished (lib/model/file-set.ts), or under its own name.
  std::unique_ptr<MappedFile> open(const std::string& name) const;
  [[noreturn]] void nothing_found() const;
  /// Maps the file and takes its tensors.
  void add(const std::string& name, std::unique_ptr<MappedFile> file, SafetensorsHeader header);
  void read_index(const MappedFile& index);

  std::string directory_;
  std::vector<std::unique_ptr<MappedFile>> maps_;
  std::vector<File> files_;
  std::map<std::string, Entry, std::less<>> tensors_;
  std::vector<std::string> warnings_;
};

}  // namespace wam::vla
