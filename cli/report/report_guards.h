#pragma once

#include <string>
#include <vector>

#include "nlohmann/json.hpp"

namespace lvrpo {

// Change of a logged figure between the first and the last steps of a run.
struct GuardTrend {
  std::string name;
  double first = 0, last = 0;  // means over the first and the last steps that have it, ten at most each
  double standard_error = 0;   // of their difference
  // Moved in the direction that suggests reward hacking, by more than three standard errors and by .02:
  // up for guards, down for held-out scorers.
  bool suspicious = false;
};
// One entry for every "logged_<name>" in the steps' rows, by name.
std::vector<GuardTrend> GuardTrends(const std::vector<nlohmann::json>& steps);

// The report's section on signs of reward hacking; empty when nothing was logged.
std::string GuardsHtml(const std::vector<nlohmann::json>& steps);

}  // namespace lvrpo
