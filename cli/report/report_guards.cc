#include "cli/report/report_guards.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "cli/report/chart.h"

namespace lvrpo {
namespace {

constexpr size_t kSteps = 10;  // at each end
constexpr double kLeastMove = 0.02, kStandardErrors = 3;
constexpr char kPrefix[] = "logged_";

// Guards, which should not rise; other logged figures are scorers, which should not fall.
const std::map<std::string, const char*>& Meanings() {
  static const auto* meanings = new std::map<std::string, const char*>{
      {"artefacts", "share of the images' fine detail that is a regular grid: checkerboards, block edges"},
      {"one_patch", "share of the grounding score that hangs on a single patch of the image"},
      {"disagreement", "distance between the components' scores of an image: one of them is deceived"},
      {"written_text", "text in images whose prompts ask for none"},
  };
  return *meanings;
}

struct Moments {
  double mean = 0, variance_of_mean = 0;
};

Moments MomentsOf(const std::vector<double>& values, size_t begin, size_t end) {
  Moments moments;
  const auto count = static_cast<double>(end - begin);
  for (size_t i = begin; i < end; ++i) moments.mean += values[i] / count;
  if (end - begin < 2) return moments;
  for (size_t i = begin; i < end; ++i)
    moments.variance_of_mean += std::pow(values[i] - moments.mean, 2) / (count - 1) / count;
  return moments;
}

}  // namespace

std::vector<GuardTrend> GuardTrends(const std::vector<nlohmann::json>& steps) {
  std::map<std::string, std::vector<double>> series;
  for (const nlohmann::json& step : steps) {
    for (const auto& [key, value] : step.items()) {
      if (absl::StartsWith(key, kPrefix) && value.is_number())
        series[key.substr(sizeof(kPrefix) - 1)].push_back(value.get<double>());
    }
  }
  std::vector<GuardTrend> trends;
  for (const auto& [name, values] : series) {
    const size_t window = std::min(kSteps, (values.size() + 1) / 2);
    const Moments first = MomentsOf(values, 0, window),
                  last = MomentsOf(values, values.size() - window, values.size());
    GuardTrend trend = {name, first.mean, last.mean,
                        std::sqrt(first.variance_of_mean + last.variance_of_mean), false};
    const double rise = (last.mean - first.mean) * (Meanings().contains(name) ? 1 : -1);
    trend.suspicious = window > 1 && rise > kLeastMove && rise > kStandardErrors * trend.standard_error;
    trends.push_back(trend);
  }
  return trends;
}

std::string GuardsHtml(const std::vector<nlohmann::json>& steps) {
  const std::vector<GuardTrend> trends = GuardTrends(steps);
  if (trends.empty()) return "";
  std::string html =
      "<h2>Signs of reward hacking</h2><p class=\"muted\">Measured of every image and no part of the reward "
      "(docs/rewards.md). Red: moved the wrong way by more than chance.</p><table><tr><th>figure</th>"
      "<th>first steps</th><th>last steps</th><th style=\"text-align:left\">what it is</th></tr>";
  for (const GuardTrend& trend : trends) {
    const auto meaning = Meanings().find(trend.name);
    absl::StrAppendFormat(
        &html,
        "<tr><td>%s</td><td>%.3f</td><td%s>%.3f</td><td class=\"muted\" "
        "style=\"text-align:left\">%s</td></tr>",
        EscapeHtml(trend.name), trend.first, trend.suspicious ? " class=\"bad\"" : "", trend.last,
        meaning == Meanings().end() ? "score of a scorer that is not trained on" : meaning->second);
  }
  return absl::StrCat(html, "</table>");
}

}  // namespace lvrpo
