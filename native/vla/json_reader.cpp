#include "vla/json_reader.h"

#include <utility>

#include "core/error.h"

namespace wam::vla {
namespace {

constexpr int kMaxDepth = 32;
constexpr std::size_t kMaxQuoted = 80;
constexpr std::int64_t kMaxInteger = (std::int64_t{1} << 53) - 1;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// Bytes of the UTF-8 sequence at the front of `text`; 0 when there is none (overlong forms, surrogates and code points
/// beyond U+10FFFF included).
std::size_t utf8_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  const auto tail = [&](std::size_t i) { return (byte(i) & 0xc0) == 0x80; };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first <= 0xdf) return tail(1) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef) {
    const bool fits = (first != 0xe0 || byte(1) >= 0xa0) && (first != 0xed || byte(1) < 0xa0);
    return fits && tail(1) && tail(2) ? 3 : 0;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    const bool fits = (first != 0xf0 || byte(1) >= 0x90) && (first != 0xf4 || byte(1) < 0x90);
    return fits && tail(1) && tail(2) && tail(3) ? 4 : 0;
  }
  return 0;
}

void append_utf8(std::string& out, std::uint32_t code) {
  const auto put = [&](std::uint32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xc0 | code >> 6), put(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    put(0xe0 | code >> 12), put(0x80 | (code >> 6 & 0x3f)), put(0x80 | (code & 0x3f));
  } else {
    put(0xf0 | code >> 18), put(0x80 | (code >> 12 & 0x3f)), put(0x80 | (code >> 6 & 0x3f)), put(0x80 | (code & 0x3f));
  }
}

}  // namespace

std::string in_quotes(std::string_view name) {
  std::string text = "\"";
  std::size_t at = 0;
  while (at < name.size() && at < kMaxQuoted) {
    const std::size_t length = utf8_length(name.substr(at));
    const char c = name[at];
    if (length == 0 || static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      constexpr char kHex[] = "0123456789abcdef";
      text += "\\x";
      text += kHex[static_cast<unsigned char>(c) >> 4];
      text += kHex[static_cast<unsigned char>(c) & 15];
      ++at;
      continue;
    }
    if (c == '"' || c == '\\') text += '\\';
    text += name.substr(at, length);
    at += length;
  }
  return text + (at < name.size() ? "...\"" : "\"");
}

JsonReader::JsonReader(std::string_view text, std::string source) : text_(text), source_(std::move(source)) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = utf8_length(text.substr(at, 4));
    if (length == 0) fail("not UTF-8 at byte " + std::to_string(at) + " of the text");
    at += length;
  }
}

std::string JsonReader::string() {
  expect('"');
  const std::size_t start = at_;
  std::string value;
  for (;;) {
    std::size_t plain = at_;
    while (plain < text_.size() && text_[plain] != '"' && text_[plain] != '\\' &&
           static_cast<unsigned char>(text_[plain]) >= 0x20) {
      ++plain;
    }
    value += text_.substr(at_, plain - at_);
    at_ = plain;
    if (at_ == text_.size()) fail("the string at byte " + std::to_string(start) + " of the text does not end");
    const char c = text_[at_++];
    if (c == '"') return value;
    if (c != '\\') fail("a control character in the string at byte " + std::to_string(start) + " of the text");
    escape(value);
  }
}

void JsonReader::escape(std::string& out) {
  const char c = at_ < text_.size() ? text_[at_++] : '\0';
  switch (c) {
    case '"':
    case '\\':
    case '/':
      out.push_back(c);
      return;
    case 'b':
      out.push_back('\b');
      return;
    case 'f':
      out.push_back('\f');
      return;
    case 'n':
      out.push_back('\n');
      return;
    case 'r':
      out.push_back('\r');
      return;
    case 't':
      out.push_back('\t');
      return;
    case 'u':
      break;
    default:
      fail("a wrong escape before byte " + std::to_string(at_) + " of the text");
  }
  std::uint32_t code = hex4();
  if (code >= 0xd800 && code < 0xe000) {
    const bool paired = code < 0xdc00 && text_.substr(at_, 2) == "\\u";
    at_ += paired ? 2 : 0;
    const std::uint32_t low = paired ? hex4() : 0;
    if (low < 0xdc00 || low > 0xdfff) fail("half a surrogate pair before byte " + std::to_string(at_) + " of the text");
    code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
  }
  append_utf8(out, code);
}

std::uint32_t JsonReader::hex4() {
  std::uint32_t code = 0;
  for (int i = 0; i < 4; ++i) {
    const char c = at_ < text_.size() ? text_[at_] : '\0';
    const char lower = static_cast<char>(c | 0x20);
    if (!is_digit(c) && !(lower >= 'a' && lower <= 'f')) {
      fail("a wrong escape at byte " + std::to_string(at_) + " of the text");
    }
    code = code * 16 + static_cast<std::uint32_t>(is_digit(c) ? c - '0' : lower - 'a' + 10);
    ++at_;
  }
  return code;
}

std::int64_t JsonReader::integer() {
  const std::string_view digits = number();
  std::int64_t value = 0;
  for (const char c : digits) {
    value = is_digit(c) && value <= kMaxInteger ? value * 10 + (c - '0') : kMaxInteger + 1;
  }
  if (value > kMaxInteger) {
    fail("expected a whole number from 0 to 2^53-1, received " + std::string(digits.substr(0, 40)));
  }
  return value;
}

std::string_view JsonReader::number() {
  peek();
  const std::size_t start = at_;
  const auto here = [&] { return at_ < text_.size() ? text_[at_] : '\0'; };
  const auto digits = [&] {
    const std::size_t first = at_;
    while (is_digit(here())) ++at_;
    return at_ - first;
  };
  if (here() == '-') ++at_;
  const bool zero = here() == '0';
  const std::size_t whole = digits();
  bool valid = whole > 0 && (!zero || whole == 1);
  if (here() == '.') {
    ++at_;
    valid = digits() > 0 && valid;
  }
  if (here() == 'e' || here() == 'E') {
    ++at_;
    if (here() == '+' || here() == '-') ++at_;
    valid = digits() > 0 && valid;
  }
  if (!valid) fail("expected a number at byte " + std::to_string(start) + " of the text");
  return text_.substr(start, at_ - start);
}

void JsonReader::skip() {
  switch (peek()) {
    case '{':
      return object([this](const std::string&) { skip(); });
    case '[':
      return array([this] { skip(); });
    case '"':
      string();
      return;
    case 't':
      return word("true");
    case 'f':
      return word("false");
    case 'n':
      return word("null");
    default:
      number();
  }
}

void JsonReader::end() {
  if (peek() != '\0' || at_ != text_.size())
    fail("more text after byte " + std::to_string(at_) + ", where it should end");
}

char JsonReader::peek() {
  while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\r' || text_[at_] == '\t')) {
    ++at_;
  }
  return at_ < text_.size() ? text_[at_] : '\0';
}

void JsonReader::fail(const std::string& reason) const {
  throw Error("ERR_CHECKPOINT_CORRUPT", source_ + ": " + reason);
}

void JsonReader::enter(char bracket) {
  expect(bracket);
  if (++depth_ > kMaxDepth) fail("more than " + std::to_string(kMaxDepth) + " levels of brackets");
}

void JsonReader::expect(char character) {
  if (!take(character)) {
    fail(std::string("expected ") + character + " at byte " + std::to_string(at_) + " of the text");
  }
}

bool JsonReader::take(char character) {
  if (peek() != character || at_ == text_.size()) return false;
  ++at_;
  return true;
}

void JsonReader::word(std::string_view text) {
  if (text_.substr(at_, text.size()) != text) {
    fail("expected a value at byte " + std::to_string(at_) + " of the text");
  }
  at_ += text.size();
}

}  // namespace wam::vla
