#include "data/heldout/evaluation.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <sstream>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/files/file.h"
#include "common/files/filesystem.h"

namespace lvrpo {
namespace {

constexpr char kBefore[] = "before", kAfter[] = "after", kStep[] = "step_";

// Whether a line of all.jsonl is whole and of this task.
bool IsOutcome(const nlohmann::json& line, const std::string& task) {
  const auto found = line.find("task"), id = line.find("id"), correct = line.find("correct");
  return found != line.end() && *found == task && id != line.end() && id->is_string() &&
         correct != line.end() && correct->is_boolean();
}

std::string Lines(const std::string& run_dir, const std::string& name) {
  return absl::StrCat(run_dir, "/images/", name, "/all.jsonl");
}

// What of a scores.json goes into a record; throws where a field is of another type.
v1::EvaluationRecord RecordOf(const nlohmann::json& scores, int64_t step) {
  v1::EvaluationRecord record;
  record.set_step(step);
  record.set_digest(scores.value("version_digest", ""));
  record.set_images(scores.value("images", int64_t{0}));
  if (record.images() > 0) {
    record.set_score(scores.at("score").get<double>());
    record.set_standard_error(scores.value("standard_error", 0.0));
  }
  if (const auto text = scores.find("text"); text != scores.end()) {
    record.set_text_accuracy(text->at("exact_match").get<double>());
    record.set_questions(text->value("questions", int64_t{0}));
  }
  return record;
}

}  // namespace

std::vector<std::pair<bool, bool>> PairOutcomes(const std::vector<nlohmann::json>& before_lines,
                                                const std::vector<nlohmann::json>& after_lines,
                                                const std::string& task) {
  std::map<std::string, bool> before_by_id;
  for (const nlohmann::json& line : before_lines) {
    if (IsOutcome(line, task)) before_by_id[line["id"].get<std::string>()] = line["correct"].get<bool>();
  }
  std::vector<std::pair<bool, bool>> pairs;
  for (const nlohmann::json& line : after_lines) {
    if (!IsOutcome(line, task)) continue;
    const auto before = before_by_id.find(line["id"].get<std::string>());
    if (before != before_by_id.end()) pairs.emplace_back(before->second, line["correct"].get<bool>());
  }
  return pairs;
}

PairedDifference ComparePairs(const std::vector<std::pair<bool, bool>>& before_after) {
  PairedDifference difference;
  difference.count = static_cast<int>(before_after.size());
  if (before_after.size() < 2) return difference;
  double sum = 0, squares = 0;
  for (const auto& [before, after] : before_after) {
    const double d = static_cast<double>(after) - static_cast<double>(before);
    sum += d;
    squares += d * d;
  }
  const auto n = static_cast<double>(before_after.size());
  difference.mean = sum / n;
  difference.half_width = 1.96 * std::sqrt((squares / n - difference.mean * difference.mean) / (n - 1));
  return difference;
}

std::vector<nlohmann::json> ReadJsonLines(const std::string& path) {
  std::vector<nlohmann::json> lines;
  const absl::StatusOr<std::string> text = ReadFile(path);
  if (!text.ok()) return lines;
  std::istringstream stream(*text);
  for (std::string line; std::getline(stream, line);) {
    nlohmann::json json = nlohmann::json::parse(line, nullptr, false);
    if (json.is_object()) lines.push_back(std::move(json));
  }
  return lines;
}

absl::StatusOr<v1::EvaluationRecord> ReadEvaluation(const std::string& run_dir, const std::string& name,
                                                    int64_t step) {
  const std::string path = absl::StrCat(run_dir, "/images/", name, "/scores.json");
  const absl::StatusOr<std::string> text = ReadFile(path);
  if (!text.ok()) return text.status();
  const nlohmann::json scores = nlohmann::json::parse(*text, nullptr, false);
  v1::EvaluationRecord record;
  try {
    record = RecordOf(scores, step);
  } catch (const nlohmann::json::exception&) {
    return absl::DataLossError(absl::StrCat(path, " is damaged"));
  }
  if (name == kBefore) return record;
  const PairedDifference gain = ComparePairs(
      PairOutcomes(ReadJsonLines(Lines(run_dir, kBefore)), ReadJsonLines(Lines(run_dir, name)), "image"));
  if (gain.count < 2) return record;
  record.set_gain(gain.mean);
  record.set_gain_half_width(gain.half_width);
  record.set_pairs(gain.count);
  return record;
}

std::string EvaluationName(int64_t step, int64_t total) {
  if (step == 0) return kBefore;
  return step >= total ? std::string(kAfter) : absl::StrFormat("step_%06d", step);
}

std::vector<int64_t> CompleteEvaluations(const std::string& run_dir, int64_t total) {
  std::vector<int64_t> steps;
  const absl::StatusOr<std::vector<std::string>> names = ListFolder(absl::StrCat(run_dir, "/images"));
  if (!names.ok()) return steps;
  for (const std::string& name : *names) {
    int64_t step = name == kBefore ? 0 : total;
    if (absl::StartsWith(name, kStep) && !absl::SimpleAtoi(name.substr(sizeof(kStep) - 1), &step)) continue;
    if (name != EvaluationName(step, total)) continue;
    if (Exists(absl::StrCat(run_dir, "/images/", name, "/scores.json"))) steps.push_back(step);
  }
  std::sort(steps.begin(), steps.end());
  return steps;
}

nlohmann::json EvaluationJson(const v1::EvaluationRecord& record) {
  nlohmann::json json = {{"step", record.step()},
                         {"digest", record.digest()},
                         {"score", nullptr},
                         {"standard_error", record.standard_error()},
                         {"images", record.images()},
                         {"gain", nullptr},
                         {"gain_confidence_95", record.gain_half_width()},
                         {"pairs", record.pairs()},
                         {"text_accuracy", nullptr},
                         {"questions", record.questions()},
                         {"unix_seconds", record.unix_seconds()}};
  if (record.has_score()) json["score"] = record.score();
  if (record.has_gain()) json["gain"] = record.gain();
  if (record.has_text_accuracy()) json["text_accuracy"] = record.text_accuracy();
  return json;
}

}  // namespace lvrpo
