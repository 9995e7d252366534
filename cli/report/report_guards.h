#pragma once

#include <string>
#include <vector>

#include "nlohmann/json.hpp"

namespace lvrpo {

// How a logged figure of the steps has moved from the first steps of a run to the last.
struct GuardTrend {
  std::string name;
  double first = 0, last = 0;  // means over the first and the last steps that have it, ten at most each
  double standard_error = 0;   // of their difference
  // Moved in the direction that speaks for reward hacking, by more than three standard errors and by .02:
  // up for guards, down for held-out scorers.
  bool suspicious = false;
};
// Of every "logged_<name>" in the steps' rows, by name.
std::vector<GuardTrend> GuardTrends(const std::vector<nlohmann::json>& steps);

// The report's section on signs of reward hacking; empty when nothing was logged.
std::string GuardsHtml(const std::vector<nlohmann::json>& steps);

}  // namespace lvrpo
