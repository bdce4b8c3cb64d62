#pragma once
#include <string>
#include <vector>

namespace wam::vla {

/// Names for a message, complete and still short: names that differ in their first number alone become one,
/// `layers.{0..22,24}.norm.weight`. Quoted where they hold control characters. After 50 entries it says how many more
/// there are.
std::string name_list(const std::vector<std::string>& names);

}  // namespace wam::vla
