#pragma once
#include <string>
#include <vector>

namespace wam::vla {

/// Names, or sentences that begin with one, for a message; complete and still short: those that differ in their first
/// number alone become one, `layers.{0..22,24}.norm.weight`. An entry with control characters, or a very long one, is
/// quoted and cut. After 50 entries it says how many more there are.
std::string name_list(const std::vector<std::string>& names);

}  // namespace wam::vla
