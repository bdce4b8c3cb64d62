#include "vla/checkpoint_files.h"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <utility>

#include "core/error.h"
#include "vla/json_reader.h"
#include "vla/name_list.h"

namespace wam::vla {
namespace {

constexpr const char* kSingle = "model.safetensors";
constexpr const char* kIndex = "model.safetensors.index.json";
constexpr std::uint64_t kMaxIndexBytes = 64'000'000;
constexpr std::size_t kMaxShards = 500;
constexpr int kMaxListedFolder = 10'000;

std::filesystem::path native_path(const std::string& path) {
  return std::filesystem::path(std::u8string(path.begin(), path.end()));
}

bool ends_with_any(const std::string& name, std::initializer_list<const char*> endings) {
  return std::any_of(endings.begin(), endings.end(), [&](const char* ending) { return name.ends_with(ending); });
}

/// A pickled weight file in the directory; empty when there is none.
std::string pickle_in(const std::filesystem::path& directory) {
  std::error_code code;
  int seen = 0;
  std::string found;
  for (std::filesystem::directory_iterator entry(directory, code), end; !code && entry != end; entry.increment(code)) {
    if (++seen > kMaxListedFolder) break;
    const std::u8string utf8 = entry->path().filename().u8string();
    const std::string name(utf8.begin(), utf8.end());
    if (name == "pytorch_model.bin" || name == "pytorch_model.bin.index.json") return name;
    if (found.empty() && ends_with_any(name, {".bin", ".pt", ".pth", ".ckpt", ".pkl"})) found = name;
  }
  return found;
}

/// What an index says.
struct Index {
  std::map<std::string, std::string> shard_of;         // by tensor
  std::map<std::string, std::vector<std::string>> in;  // tensors by shard
  std::optional<std::string> total_size;               // bytes of all tensors, as it is written
};

/// A shard is a file of the directory itself: no way out of it, whatever the system calls a path.
void check_shard_name(const JsonReader& json, const std::string& name) {
  const bool plain = !name.empty() && name.size() <= 255 && name[0] != '.' && name.ends_with(".safetensors") &&
                     std::none_of(name.begin(), name.end(), [](char c) {
                       return c == '/' || c == '\\' || c == ':' || static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
                     });
  if (!plain) json.fail("names the shard " + in_quotes(name) + ", expected a file of its own folder, NAME.safetensors");
}

Index parse_index(std::string_view text, const std::string& source) {
  JsonReader json(text, source);
  Index index;
  bool mapped = false;
  json.object([&](const std::string& key) {
    if (key == "weight_map") {
      mapped = true;
      json.object([&](const std::string& tensor) {
        const std::string shard = json.string();
        check_shard_name(json, shard);
        index.shard_of.emplace(tensor, shard);
        index.in[shard].push_back(tensor);
        if (index.in.size() > kMaxShards) json.fail("names more than " + std::to_string(kMaxShards) + " shards");
      });
    } else if (key == "metadata" && json.peek() == '{') {
      json.object([&](const std::string& field) {
        if (field != "total_size") return json.skip();
        index.total_size = std::string(json.number().substr(0, 40));
      });
    } else {
      json.skip();
    }
  });
  json.end();
  if (!mapped) json.fail("has no weight_map");
  if (index.shard_of.empty()) json.fail("its weight_map is empty");
  return index;
}

}  // namespace

std::unique_ptr<TensorSource> open_checkpoint(const std::string& directory) {
  return std::make_unique<CheckpointFiles>(directory);
}

CheckpointFiles::CheckpointFiles(const std::string& directory) : directory_(directory) {
  if (directory.empty() || directory.find('\0') != std::string::npos) {
    throw Error("ERR_ARGUMENT", "directory: expected the path of a checkpoint directory");
  }
  std::unique_ptr<MappedFile> single = open(kSingle);
  const std::unique_ptr<MappedFile> index = open(kIndex);
  if (single) {
    if (index) warnings_.push_back(std::string(kSingle) + " was read; the " + kIndex + " beside it was not");
    SafetensorsHeader header = read_safetensors_header(*single);
    add(kSingle, std::move(single), std::move(header));
  } else if (index) {
    read_index(*index);
  } else {
    nothing_found();
  }
}

const TensorView* CheckpointFiles::find(std::string_view name) const {
  const auto found = tensors_.find(name);
  return found == tensors_.end() ? nullptr : &found->second.view;
}

std::vector<std::string> CheckpointFiles::names() const {
  std::vector<std::string> names;
  names.reserve(tensors_.size());
  for (const auto& [name, entry] : tensors_) names.push_back(name);
  return names;
}

void CheckpointFiles::release(std::string_view name, std::int64_t begin, std::int64_t count) const {
  const auto found = tensors_.find(name);
  if (found == tensors_.end() || begin < 0 || count < 0) return;
  const auto& [view, file, offset] = found->second;
  const std::int64_t size = view.size();
  if (begin >= size) return;
  const std::size_t item = item_size(view.dtype);
  maps_[file]->release(offset + static_cast<std::uint64_t>(begin) * item,
                       static_cast<std::uint64_t>(std::min(count, size - begin)) * item);
}

std::size_t CheckpointFiles::file_of(std::string_view name) const { return tensors_.find(name)->second.file; }

void CheckpointFiles::check_unchanged() const {
  for (const auto& map : maps_) {
    if (!map->unchanged())
      throw Error("ERR_CHECKPOINT_CORRUPT", map->path() + ": the file was changed while it was read");
  }
}

std::unique_ptr<MappedFile> CheckpointFiles::open(const std::string& name) const {
  std::unique_ptr<MappedFile> committed = MappedFile::open(directory_ + "/.committed/" + name);
  if (!committed) return MappedFile::open(directory_ + "/" + name);
  return committed->size() > 0 ? std::move(committed) : nullptr;  // an empty one says that the set has no such file
}

void CheckpointFiles::nothing_found() const {
  const std::filesystem::path path = native_path(directory_);
  std::error_code code;
  const auto status = std::filesystem::status(path, code);
  std::string message = directory_ + ": ";
  if (status.type() == std::filesystem::file_type::not_found) {
    message += "no such folder";
  } else if (status.type() != std::filesystem::file_type::directory) {
    message += "not a folder; expected the one that holds config.json and " + std::string(kSingle);
  } else {
    message += "neither " + std::string(kSingle) + " nor " + kIndex;
    const std::string pickle = pickle_in(path);
    if (!pickle.empty()) {
      message += ". " + pickle + " holds pickled weights, which are never loaded: reading a pickle runs code of its " +
                 "maker's. Convert it once to " + kSingle + "; docs/checkpoints.md has the command";
    }
  }
  throw Error("ERR_CHECKPOINT_NOT_FOUND", message);
}

void CheckpointFiles::add(const std::string& name, std::unique_ptr<MappedFile> file, SafetensorsHeader header) {
  file->map();
  const std::size_t number = files_.size();
  files_.push_back({name, file->size(), header.tensors.size()});
  for (StoredTensor& tensor : header.tensors) {
    const std::uint64_t offset = header.data_begin + tensor.begin;
    const TensorView view{tensor.dtype, std::move(tensor.shape), file->data() + offset};
    tensors_.emplace(std::move(tensor.name), Entry{view, number, offset});
  }
  maps_.push_back(std::move(file));
}

void CheckpointFiles::read_index(const MappedFile& file) {
  const auto corrupt = [&](const std::string& reason) {
    return Error("ERR_CHECKPOINT_CORRUPT", file.path() + ": " + reason);
  };
  if (file.size() > kMaxIndexBytes) throw corrupt(std::to_string(file.size()) + " bytes are too many for an index");
  std::string text(static_cast<std::size_t>(file.size()), '\0');
  file.read(0, text.size(), text.data());
  const Index index = parse_index(text, file.path());

  std::uint64_t bytes = 0;
  for (const auto& [shard, listed] : index.in) {
    std::unique_ptr<MappedFile> opened = open(shard);
    if (!opened) {
      throw corrupt("names the shard " + in_quotes(shard) + " for " + std::to_string(listed.size()) +
                    " tensors, but there is no such file");
    }
    SafetensorsHeader header = read_safetensors_header(*opened);
    std::vector<std::string> held, absent, elsewhere;
    for (const StoredTensor& tensor : header.tensors) {
      held.push_back(tensor.name);
      bytes += tensor.end - tensor.begin;
      const auto found = index.shard_of.find(tensor.name);
      if (found == index.shard_of.end() || found->second != shard) elsewhere.push_back(tensor.name);
    }
    std::sort(held.begin(), held.end());
    for (const std::string& tensor : listed) {
      if (!std::binary_search(held.begin(), held.end(), tensor)) absent.push_back(tensor);
    }
    if (!absent.empty() || !elsewhere.empty()) {
      std::string reason = "does not fit the shard " + in_quotes(shard);
      if (!absent.empty()) reason += "; not in it (" + std::to_string(absent.size()) + "): " + name_list(absent);
      if (!elsewhere.empty()) {
        reason += "; in it, but not listed for it (" + std::to_string(elsewhere.size()) + "): " + name_list(elsewhere);
      }
      throw corrupt(reason);
    }
    add(shard, std::move(opened), std::move(header));
  }
  // Nobody counts on the total: files in use state wrong ones (tied tables counted twice, a conversion of the dtype).
  if (index.total_size && *index.total_size != std::to_string(bytes)) {
    warnings_.push_back(std::string(kIndex) + " says that all tensors have " + *index.total_size +
                        " bytes, they have " + std::to_string(bytes));
  }
}

}  // namespace wam::vla
