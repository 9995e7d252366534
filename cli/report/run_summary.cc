#include "cli/report/run_summary.h"

#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "cli/local/progress.h"
#include "common/files/file.h"

namespace lvrpo {
namespace {

// Mean of every reward figure over steps [begin, end).
nlohmann::json RewardMeans(const std::vector<nlohmann::json>& steps, size_t begin, size_t end) {
  std::map<std::string, std::pair<double, int>> sums;
  for (size_t i = begin; i < end; ++i) {
    for (const auto& [key, value] : steps[i].items()) {
      if (key.rfind("reward", 0) != 0 || key == "reward_std_in_group" || !value.is_number()) continue;
      auto& sum = sums[key == "reward" ? "combined" : key.substr(7)];
      sum.first += value.get<double>();
      ++sum.second;
    }
  }
  nlohmann::json means = nlohmann::json::object();
  for (const auto& [key, sum] : sums) means[key] = sum.first / sum.second;
  return means;
}

// Copies those of these numbers that `from` has, under the second name.
void CopyNumbers(const nlohmann::json& from, const std::vector<std::pair<const char*, std::string>>& names,
                 nlohmann::json& summary) {
  for (const auto& [name, as] : names) {
    if (const auto found = from.find(name); found != from.end() && found->is_number()) summary[as] = *found;
  }
}

// summary[as][kind][phase] = from["by_kind"][kind]
void CopyKinds(const nlohmann::json& from, const char* as, const std::string& phase,
               nlohmann::json& summary) {
  const auto kinds = from.find("by_kind");
  if (kinds == from.end() || !kinds->is_object()) return;
  for (const auto& [kind, values] : kinds->items()) {
    if (values.is_object()) summary[as][kind][phase] = values;
  }
}

}  // namespace

nlohmann::json MakeSummary(const SummaryInput& input) {
  const nlohmann::json records = input.records.is_object() ? input.records : nlohmann::json::object();
  nlohmann::json summary = {
      {"run_id", input.run_id},
      {"seed", input.seed},
      {"config_digest", input.config_digest},
      {"weights_digest", input.weights_digest},
      {"resumed", input.resumed},
      {"steps", input.steps.size()},
      {"groups_consumed", records.value("groups_consumed", 0)},
      {"groups_retired_by_reason", records.value("groups_retired_by_reason", nlohmann::json::object())},
      {"coordinator_starts", records.value("run_epochs", 0)}};
  const size_t n = input.steps.size(), ten = std::min<size_t>(10, n);
  summary["reward_means_first_10_steps"] = RewardMeans(input.steps, 0, ten);
  summary["reward_means_last_10_steps"] = RewardMeans(input.steps, n - ten, n);
  double wall = 0;
  nlohmann::json seconds = nlohmann::json::object();
  for (const auto& [phase, value] : input.seconds) {
    seconds[phase] = value;
    wall += value;
  }
  for (const nlohmann::json& step : input.steps) {
    for (const auto& [key, value] : step.items()) {
      if (key.rfind("seconds_", 0) != 0 || !value.is_number()) continue;
      const std::string phase = "learner_" + key.substr(8);
      seconds[phase] = seconds.value(phase, 0.0) + value.get<double>();
    }
  }
  summary["wall_seconds"] = wall;
  summary["seconds_by_phase"] = seconds;

  const PairedDifference difference =
      ComparePairs(PairOutcomes(input.before_lines, input.after_lines, "image"));
  if (const PairedDifference text = ComparePairs(PairOutcomes(input.before_lines, input.after_lines, "text"));
      text.count > 0) {
    summary["text_gain"] = text.mean;
    summary["text_gain_confidence_95"] = text.half_width;
  }
  summary["heldout_images"] = difference.count;
  summary["heldout_gain"] = difference.mean;
  summary["heldout_gain_confidence_95"] = difference.half_width;
  for (const auto& [name, scores] :
       {std::pair<std::string, const nlohmann::json&>{"before", input.before}, {"after", input.after}}) {
    summary["heldout_score_" + name] = nullptr;
    if (const auto text = scores.find("text"); text != scores.end()) {
      CopyNumbers(*text,
                  {{"exact_match", "text_exact_match_" + name},
                   {"answer_probability", "text_answer_probability_" + name},
                   {"questions", "text_questions"}},
                  summary);
      CopyKinds(*text, "text_by_kind", name, summary);
    }
    CopyNumbers(scores,
                {{"score", "heldout_score_" + name},
                 {"standard_error", "heldout_standard_error_" + name},
                 {"presence_only", "presence_only_" + name},
                 {"objects_per_image", "objects_per_image_" + name},
                 {"objects_asked_per_image", "objects_asked_per_image"},
                 {"unknown_share", "unknown_share_" + name},
                 {"color_entropy_bits", "color_entropy_bits_" + name}},
                summary);
    CopyKinds(scores, "by_kind", name, summary);
  }
  return summary;
}

std::string FormatSummary(nlohmann::json summary) {
  std::string text =
      absl::StrFormat("run %s: %d steps in %s\n", summary.value("run_id", ""), summary.value("steps", 0),
                      FormatSeconds(summary.value("wall_seconds", 0.0)));
  if (summary["heldout_score_before"].is_number() && summary["heldout_score_after"].is_number()) {
    absl::StrAppendFormat(
        &text,
        "held-out score  %.3f -> %.3f   gain %+.3f +- %.3f (95 %%, %d images, same prompts and noise)\n",
        summary["heldout_score_before"].get<double>(), summary["heldout_score_after"].get<double>(),
        summary.value("heldout_gain", 0.0), summary.value("heldout_gain_confidence_95", 0.0),
        summary.value("heldout_images", 0));
    if (summary.contains("by_kind")) {
      for (const auto& [kind, values] : summary["by_kind"].items()) {
        if (!values.contains("before") || !values.contains("after")) continue;
        absl::StrAppendFormat(&text, "  %-12s  %.3f -> %.3f   (standard error %.3f)\n", kind,
                              values["before"].value("score", 0.0), values["after"].value("score", 0.0),
                              values["after"].value("standard_error", 0.0));
      }
    }
    absl::StrAppendFormat(
        &text, "  presence only %.3f -> %.3f, objects per image %.2f -> %.2f (%.2f asked)\n",
        summary.value("presence_only_before", 0.0), summary.value("presence_only_after", 0.0),
        summary.value("objects_per_image_before", 0.0), summary.value("objects_per_image_after", 0.0),
        summary.value("objects_asked_per_image", 0.0));
  }
  if (summary.contains("text_exact_match_before") && summary.contains("text_exact_match_after")) {
    absl::StrAppendFormat(
        &text, "answers right   %.3f -> %.3f   gain %+.3f +- %.3f (95 %%, %d held-out questions)\n",
        summary["text_exact_match_before"].get<double>(), summary["text_exact_match_after"].get<double>(),
        summary.value("text_gain", 0.0), summary.value("text_gain_confidence_95", 0.0),
        summary.value("text_questions", 0));
    absl::StrAppendFormat(&text, "  probability of the right answer %.3f -> %.3f\n",
                          summary.value("text_answer_probability_before", 0.0),
                          summary.value("text_answer_probability_after", 0.0));
    for (const auto& [kind, values] : summary["text_by_kind"].items()) {
      if (!values.contains("before") || !values.contains("after")) continue;
      absl::StrAppendFormat(&text, "  %-12s  %.3f -> %.3f   (standard error %.3f)\n", kind,
                            values["before"].value("exact_match", 0.0),
                            values["after"].value("exact_match", 0.0),
                            values["after"].value("standard_error", 0.0));
    }
  }
  text += "time by phase  ";
  for (const char* phase : {"evaluate_before", "training", "evaluate_after"}) {
    if (summary["seconds_by_phase"].contains(phase)) {
      absl::StrAppend(&text, " ", phase, " ", FormatSeconds(summary["seconds_by_phase"][phase].get<double>()),
                      " ");
    }
  }
  return text + "\n";
}

}  // namespace lvrpo
