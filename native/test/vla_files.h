#pragma once
// Checkpoint directories for tests, laid out by hand.

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>

#include "core/error.h"

namespace wam::test {

/// A folder that goes away with its object.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::random_device random;
    path_ = std::filesystem::temp_directory_path() /
            ("wam-vla-" + std::to_string(random()) + "-" + std::to_string(random()));
    std::filesystem::create_directories(path_);
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  std::string path() const { return path_.string(); }
  std::string at(const std::string& name) const { return (path_ / name).string(); }
  void write(const std::string& name, const std::string& content) const {
    std::ofstream(path_ / name, std::ios::binary) << content;
  }
  void remove(const std::string& name) const { std::filesystem::remove_all(path_ / name); }

 private:
  std::filesystem::path path_;
};

/// A safetensors file of this header text and these data bytes.
inline std::string safetensors(const std::string& header, const std::string& data) {
  std::string file;
  for (int i = 0; i < 8; ++i) file.push_back(static_cast<char>(static_cast<std::uint64_t>(header.size()) >> (8 * i)));
  return file + header + data;
}

/// "CODE: message" of the Error that `call` throws; "" when it throws none.
template <class Call>
std::string error_of(Call&& call) {
  try {
    call();
  } catch (const Error& error) {
    return std::string(error.code()) + ": " + error.what();
  }
  return "";
}

/// Whether an error is of this code and says this.
inline bool says(const std::string& error, const std::string& code, const std::string& text) {
  return error.starts_with(code + ": ") && error.find(text) != std::string::npos;
}

}  // namespace wam::test
