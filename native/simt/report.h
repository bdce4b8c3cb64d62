#pragma once
// What was done wrong, as texts. A report is made on a fiber's small stack while the kernel stands still, so places of
// the program stay addresses until the host asks.

#include <cstdint>
#include <set>
#include <source_location>
#include <string>
#include <utility>
#include <vector>

namespace wam::simt {

class Reports {
 public:
  /// Whether a report of this kind at these addresses would be taken: one that is not new need not be worded.
  bool is_new(const char* kind, const void* pc0, const void* pc1) const {
    return raw_.size() + texts_.size() < kMost && seen_.find({kind, {pc0, pc1}}) == seen_.end();
  }
  /// `text` with every "{0}" and "{1}" standing for the source lines of the two addresses. A second report of the same
  /// kind at the same addresses is dropped: false.
  bool add(const char* kind, const std::string& text, const void* pc0 = nullptr, const void* pc1 = nullptr);
  /// The same for what is known by text alone, once for each `key`.
  bool add_text(const std::string& key, const std::string& text);

  bool empty() const { return raw_.empty() && texts_.empty(); }
  /// Resolves the places. Starts addr2line, once for all that is new; without it places read "module+0x12ab".
  const std::vector<std::string>& texts();
  void clear();

 private:
  struct Raw {
    std::string text;
    const void* pc[2];
  };
  using Key = std::pair<std::string, std::pair<const void*, const void*>>;
  static constexpr std::size_t kMost = 64;  // one mistake in a loop can be met at many places

  std::vector<Raw> raw_;
  std::vector<std::string> texts_;
  std::set<Key> seen_;
};

/// "native/kernels/attention.cuh:88"
std::string describe(const std::source_location& at);

/// The source line of each address and the calls inlined around it: "attention.cuh:88 in attention_forward".
std::vector<std::string> describe_addresses(const std::vector<const void*>& addresses);

}  // namespace wam::simt
