#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace lvrpo {

enum class MetricType { kCounter, kGauge, kHistogram };

// A family of time series that some process of a run exports.
struct MetricSpec {
  struct Label {
    std::string name;
    std::vector<std::string> values = {};  // all that are known beforehand; empty: they are not
  };
  std::string name;
  MetricType type = MetricType::kGauge;
  std::vector<Label> labels = {};
  std::string help = {};
};

// Every family there is, by role and subject, as docs/metrics.md lists them: Metrics makes no others. Valid
// for ever. Thread-safe.
const std::vector<MetricSpec>& MetricCatalogue();

// Null when there is none of this name.
const MetricSpec* FindMetric(absl::string_view name);

// Who exports it: "coordinator", "learner", "rollout", "reward", "evaluation", or "every role".
std::string RoleOf(const MetricSpec& metric);
// "seconds", "bytes", "timestamp" (seconds since 1970), or empty: a number of what the help says.
std::string UnitOf(const MetricSpec& metric);
// The label sets of a family that are known beforehand: one without labels for a family that has none, and
// no set where a label's values are not known.
std::vector<std::map<std::string, std::string>> KnownSeries(const MetricSpec& metric);

// docs/metrics.md.
std::string MetricsDocument();
// For programs: a list of {"name", "type", "unit", "role", "labels": {name: [known values]}, "help"}.
std::string MetricsJson();

}  // namespace lvrpo
