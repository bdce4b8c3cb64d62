#pragma once
#include <stdexcept>
#include <string>

namespace wam {

/// Thrown for everything that a caller did wrong or that only native code can know. `code` is one of the stable
/// ERR_* strings of lib/errors.ts; the binding turns it into a WamFlowError with the same code.
class Error : public std::runtime_error {
 public:
  Error(const char* code, const std::string& message) : std::runtime_error(message), code_(code) {}
  const char* code() const { return code_; }

 private:
  const char* code_;  // always a string literal
};

}  // namespace wam
