#pragma once
// A pull parser for the JSON of checkpoint files: strict (RFC 8259, UTF-8, no key twice), without a tree, so that a text
// costs no more memory than what its reader keeps.

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_set>

namespace wam::vla {

/// `name` in double quotes for a message: control characters escaped, cut after 80 bytes.
std::string in_quotes(std::string_view name);

/// Reads one text from front to back. Every function throws Error(ERR_CHECKPOINT_CORRUPT), which begins with `source`,
/// when the text goes on differently.
class JsonReader {
 public:
  /// `text` must live as long as the reader. Throws when it is no UTF-8.
  JsonReader(std::string_view text, std::string source);

  /// Calls member(key), which reads the value, for every member in order.
  template <class Member>
  void object(Member&& member) {
    enter('{');
    std::unordered_set<std::string> keys;
    if (!take('}')) {
      do {
        std::string key = string();
        expect(':');
        const auto [known, is_new] = keys.insert(std::move(key));
        if (!is_new) fail("the key " + in_quotes(*known) + " stands twice");
        member(*known);
      } while (take(','));
      expect('}');
    }
    --depth_;
  }

  /// Calls element(), which reads the value, for every element in order.
  template <class Element>
  void array(Element&& element) {
    enter('[');
    if (!take(']')) {
      do {
        element();
      } while (take(','));
      expect(']');
    }
    --depth_;
  }

  std::string string();
  /// A whole number from 0 to 2^53 - 1, written with digits alone.
  std::int64_t integer();
  /// A number as it is written.
  std::string_view number();
  /// Any value.
  void skip();
  /// Nothing but white space is left.
  void end();

  /// The next character that is no white space; 0 at the end.
  char peek();
  [[noreturn]] void fail(const std::string& reason) const;

 private:
  void enter(char bracket);
  void expect(char character);
  bool take(char character);
  void word(std::string_view text);
  std::uint32_t hex4();
  void escape(std::string& out);

  std::string_view text_;
  std::string source_;
  std::size_t at_ = 0;
  int depth_ = 0;
};

}  // namespace wam::vla
