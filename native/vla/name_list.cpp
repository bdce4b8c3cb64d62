#include "vla/name_list.h"

#include <algorithm>
#include <map>
#include <utility>

#include "vla/json_reader.h"

namespace wam::vla {
namespace {

constexpr std::size_t kMaxEntries = 50;
constexpr std::size_t kMaxDigits = 9;
constexpr std::size_t kMaxBytes = 400;  // of one entry

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// The first part between dots that is a number: [begin, end); empty when there is none.
std::pair<std::size_t, std::size_t> number_in(const std::string& name) {
  for (std::size_t begin = 0; begin < name.size();) {
    const std::size_t end = std::min(name.find('.', begin), name.size());
    const bool number =
        end > begin && end - begin <= kMaxDigits &&
        std::all_of(name.begin() + static_cast<long>(begin), name.begin() + static_cast<long>(end), is_digit);
    if (number) return {begin, end};
    begin = end + 1;
  }
  return {name.size(), name.size()};
}

std::string ranges(std::vector<int> numbers) {
  std::sort(numbers.begin(), numbers.end());
  std::string text;
  for (std::size_t i = 0; i < numbers.size();) {
    std::size_t last = i;
    while (last + 1 < numbers.size() && numbers[last + 1] == numbers[last] + 1) ++last;
    if (!text.empty()) text += ',';
    text += std::to_string(numbers[i]);
    if (last > i) text.append(last > i + 1 ? ".." : ",").append(std::to_string(numbers[last]));
    i = last + 1;
  }
  return text;
}

/// As it is, unless it could steer a terminal or flood it.
std::string printed(const std::string& name) {
  const bool control = std::any_of(name.begin(), name.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7f;
  });
  return control || name.size() > kMaxBytes ? in_quotes(name) : name;
}

}  // namespace

std::string name_list(const std::vector<std::string>& names) {
  using Frame = std::pair<std::string, std::string>;  // what stands before and after the number
  std::vector<Frame> order;
  std::map<Frame, std::vector<int>> numbers;
  for (const std::string& name : names) {
    const auto [begin, end] = number_in(name);
    Frame frame{name.substr(0, begin), name.substr(end)};
    const auto [entry, is_new] = numbers.try_emplace(frame);
    if (is_new) order.push_back(std::move(frame));
    if (end > begin) entry->second.push_back(std::stoi(name.substr(begin, end - begin)));
  }
  std::string text;
  for (std::size_t i = 0; i < order.size() && i < kMaxEntries; ++i) {
    const std::vector<int>& of = numbers[order[i]];
    std::string name = order[i].first;
    if (of.size() > 1) name.append("{").append(ranges(of)).append("}");
    if (of.size() == 1) name += std::to_string(of[0]);
    if (i > 0) text += ", ";
    text += printed(name + order[i].second);
  }
  if (order.size() > kMaxEntries) text += ", and " + std::to_string(order.size() - kMaxEntries) + " more";
  return text;
}

}  // namespace wam::vla
