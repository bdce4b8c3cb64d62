#include "simt/report.h"

#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>
#include <map>
#include <string_view>

namespace wam::simt {

namespace {

/// Paths of the build may be absolute; from the folder native on they read the same everywhere.
std::string short_path(std::string path) {
  const std::size_t at = path.rfind("native/");
  return at == std::string::npos ? path : path.substr(at);
}

/// "norm" of "void wam::simt::(anonymous namespace)::norm<wam::simt::NormConfig<4> >(wam::simt::NormParams)".
std::string bare(std::string function) {
  constexpr std::string_view kHidden = "(anonymous namespace)::";
  while (function.find(kHidden) != std::string::npos) function.erase(function.find(kHidden), kHidden.size());
  function = function.substr(0, function.find_first_of("<("));
  const std::size_t name = function.rfind("::");
  return name == std::string::npos ? function : function.substr(name + 2);
}

std::string hexadecimal(std::uintptr_t value) {
  char text[32];
  std::snprintf(text, sizeof text, "0x%zx", static_cast<std::size_t>(value));
  return text;
}

/// Runs addr2line over offsets of one module: a place for each, empty where it knows none.
std::vector<std::string> ask_addr2line(const std::string& module, const std::vector<std::uintptr_t>& offsets) {
  std::vector<std::string> places(offsets.size());
  if (module.find('\'') != std::string::npos) return places;
  std::string command = "addr2line -a -C -f -i -e '" + module + "'";
  for (const std::uintptr_t offset : offsets) command += " " + hexadecimal(offset);
  command += " 2>/dev/null";
  FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return places;
  // For each address: the address, then pairs of lines, function and file:line, from the innermost outwards.
  std::size_t index = 0;
  bool first = true, is_function = true;
  std::string function;
  char* line = nullptr;
  std::size_t capacity = 0;
  for (ssize_t length; (length = getline(&line, &capacity, pipe)) > 0;) {
    std::string text(line, static_cast<std::size_t>(length));
    while (!text.empty() && text.back() == '\n') text.pop_back();
    if (text.rfind("0x", 0) == 0) {
      index = first ? 0 : index + 1;
      first = false;
      is_function = true;
    } else if (is_function) {
      function = text;
      is_function = false;
    } else {
      is_function = true;
      if (first || index >= places.size() || text.rfind("??", 0) == 0) continue;
      text = short_path(text.substr(0, text.find(" (")));
      // Wrappers of the harness are nobody's fault: show what called them.
      if (text.rfind("native/simt/", 0) == 0) continue;
      places[index] += (places[index].empty() ? "" : " < ") + text + (function == "??" ? "" : " in " + bare(function));
    }
  }
  std::free(line);
  pclose(pipe);
  return places;
}

}  // namespace

std::string describe(const std::source_location& at) {
  return short_path(at.file_name()) + ":" + std::to_string(at.line());
}

std::vector<std::string> describe_addresses(const std::vector<const void*>& addresses) {
  std::vector<std::string> places(addresses.size());
  std::map<std::string, std::vector<std::size_t>> modules;
  std::vector<std::uintptr_t> offsets(addresses.size());
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    Dl_info info;
    places[i] = hexadecimal(reinterpret_cast<std::uintptr_t>(addresses[i]));
    if (dladdr(addresses[i], &info) == 0 || info.dli_fname == nullptr) continue;
    // The address is where the call returns to; the call itself lies one byte before. Executables that are not
    // position-independent are looked up by their absolute addresses.
    const auto base = reinterpret_cast<std::uintptr_t>(info.dli_fbase);
    const std::uintptr_t at = reinterpret_cast<std::uintptr_t>(addresses[i]) - 1;
    offsets[i] = base == 0x400000 ? at : at - base;
    places[i] = std::string(info.dli_fname) + "+" + hexadecimal(offsets[i]);
    modules[info.dli_fname].push_back(i);
  }
  for (const auto& [module, which] : modules) {
    std::vector<std::uintptr_t> wanted;
    for (const std::size_t i : which) wanted.push_back(offsets[i]);
    // The program itself may have been started by a relative path.
    char* real = realpath(module.c_str(), nullptr);
    const std::vector<std::string> found = ask_addr2line(real != nullptr ? real : "/proc/self/exe", wanted);
    std::free(real);
    for (std::size_t k = 0; k < which.size(); ++k) {
      if (!found[k].empty()) places[which[k]] = found[k];
    }
  }
  return places;
}

bool Reports::add(const char* kind, const std::string& text, const void* pc0, const void* pc1) {
  if (raw_.size() + texts_.size() >= kMost || !seen_.insert({kind, {pc0, pc1}}).second) return false;
  raw_.push_back({std::string(kind) + ": " + text, {pc0, pc1}});
  return true;
}

bool Reports::add_text(const std::string& key, const std::string& text) {
  if (raw_.size() + texts_.size() >= kMost || !seen_.insert({key, {}}).second) return false;
  raw_.push_back({text, {nullptr, nullptr}});
  return true;
}

const std::vector<std::string>& Reports::texts() {
  std::vector<const void*> addresses;
  for (const Raw& r : raw_) {
    for (const void* pc : r.pc) {
      if (pc != nullptr) addresses.push_back(pc);
    }
  }
  const std::vector<std::string> places = describe_addresses(addresses);
  std::size_t next = 0;
  for (Raw& r : raw_) {
    for (int i = 0; i < 2; ++i) {
      const std::string mark = "{" + std::to_string(i) + "}";
      const std::string place = r.pc[i] != nullptr ? places[next++] : "";
      if (const std::size_t at = r.text.find(mark); at != std::string::npos) r.text.replace(at, 3, place);
    }
    texts_.push_back(std::move(r.text));
  }
  raw_.clear();
  return texts_;
}

void Reports::clear() {
  raw_.clear();
  texts_.clear();
  seen_.clear();
}

}  // namespace wam::simt
