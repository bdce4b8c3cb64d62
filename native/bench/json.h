#pragma once
// Text for JSON.

#include <string>

namespace wam::bench {

/// In quotes. What we print holds nothing that JSON would want escaped but these two characters and line ends.
inline std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c == '\n' ? ' ' : c;
  }
  return out + '"';
}

}  // namespace wam::bench
