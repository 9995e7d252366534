#include "coordinator/page/samples.h"

#include <algorithm>
#include <map>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/files/file.h"
#include "common/files/file_kind.h"
#include "common/files/filesystem.h"

namespace lvrpo {
namespace {

constexpr int64_t kMostJson = 16 << 20, kMostImage = 8 << 20;
constexpr size_t kMostSamples = 24, kMostEvaluations = 400, kMostPrompt = 400, kMostScores = 12;
constexpr absl::string_view kPngMagic = "\x89PNG\r\n\x1a\n";

bool IsNumber(absl::string_view text, size_t most) {
  if (text.empty() || text.size() > most) return false;
  for (const char c : text) {
    if (!absl::ascii_isdigit(static_cast<unsigned char>(c))) return false;
  }
  return true;
}

// SampleFileName's.
bool IsSampleFile(absl::string_view name) {
  return absl::ConsumePrefix(&name, "sample-") && absl::ConsumeSuffix(&name, ".png") && IsNumber(name, 12);
}

nlohmann::json ReadJson(const std::string& path) {
  const absl::StatusOr<std::string> text = ReadFile(path, kMostJson);
  return text.ok() ? nlohmann::json::parse(*text, nullptr, false) : nlohmann::json();
}

template <typename T>
T Value(const nlohmann::json& object, const char* key, T otherwise) {
  const auto found = object.find(key);
  if (found == object.end()) return otherwise;
  if constexpr (std::is_same_v<T, std::string>) {
    return found->is_string() ? found->get<std::string>() : otherwise;
  } else if constexpr (std::is_same_v<T, bool>) {
    return found->is_boolean() ? found->get<bool>() : otherwise;
  } else {
    return found->is_number() ? found->get<T>() : otherwise;
  }
}

nlohmann::json SampleJson(const nlohmann::json& sample, const std::string& evaluation,
                          const std::string& file,
                          const std::map<std::string, const nlohmann::json*>& rewards) {
  nlohmann::json shown = {{"image", absl::StrCat(evaluation, "/", file)},
                          {"prompt", OneLine(Value<std::string>(sample, "prompt", ""), kMostPrompt)},
                          {"kind", OneLine(Value<std::string>(sample, "kind", ""), 40)},
                          {"correct", Value<bool>(sample, "correct", false)},
                          {"reward", nullptr},
                          {"scores", nlohmann::json::object()}};
  const auto found = rewards.find(Value<std::string>(sample, "id", ""));
  if (found == rewards.end()) return shown;
  const nlohmann::json& reward = *found->second;
  if (reward.contains("reward") && reward["reward"].is_number()) shown["reward"] = reward["reward"];
  const auto scores = reward.find("scores");
  if (scores == reward.end() || !scores->is_object()) return shown;
  for (const auto& [component, score] : scores->items()) {
    if (shown["scores"].size() >= kMostScores || !score.is_object()) continue;
    shown["scores"][OneLine(component, 40)] = Value<double>(score, "score", 0);
  }
  return shown;
}

}  // namespace

std::optional<int64_t> StepsOfEvaluation(absl::string_view name, int64_t steps) {
  if (name == "before") return 0;
  if (name == "after") return steps;
  int64_t step = 0;
  if (!absl::ConsumePrefix(&name, "step_") || !IsNumber(name, 12) || !absl::SimpleAtoi(name, &step))
    return std::nullopt;
  return step;
}

nlohmann::json SamplesOf(const std::string& run_dir, const std::string& evaluation) {
  const std::string folder = absl::StrCat(run_dir, "/images/", evaluation);
  nlohmann::json shown = nlohmann::json::array();
  const nlohmann::json samples = ReadJson(JoinPath(folder, "samples.json"));
  if (!samples.is_array()) return shown;
  const nlohmann::json rewards = ReadJson(JoinPath(folder, "rewards.json"));
  std::map<std::string, const nlohmann::json*> by_id;
  if (rewards.is_array()) {
    for (const nlohmann::json& reward : rewards) {
      if (reward.is_object()) by_id[Value<std::string>(reward, "id", "")] = &reward;
    }
  }
  // Some of each kind: the file has them one kind after the other.
  const size_t stride = std::max<size_t>(1, samples.size() / kMostSamples);
  for (size_t i = 0; i < samples.size() && shown.size() < kMostSamples; i += stride) {
    if (!samples[i].is_object()) continue;
    const std::string file = Value<std::string>(samples[i], "image", "");
    if (IsSampleFile(file)) shown.push_back(SampleJson(samples[i], evaluation, file, by_id));
  }
  return shown;
}

std::multimap<int64_t, std::string> EvaluationsOf(const std::string& run_dir, int64_t steps) {
  std::multimap<int64_t, std::string> evaluations;
  const absl::StatusOr<std::vector<std::string>> names = ListFolder(JoinPath(run_dir, "images"));
  for (const std::string& name : names.ok() ? *names : std::vector<std::string>()) {
    if (const std::optional<int64_t> step = StepsOfEvaluation(name, steps); step.has_value())
      evaluations.emplace(*step, name);
  }
  return evaluations;
}

nlohmann::json SamplesJson(const std::string& run_dir, int64_t steps) {
  const std::string images = JoinPath(run_dir, "images");
  const std::multimap<int64_t, std::string> evaluations = EvaluationsOf(run_dir, steps);
  nlohmann::json json = {
      {"heldout", nlohmann::json::array()}, {"step", nullptr}, {"samples", nlohmann::json::array()}};
  const size_t stride = evaluations.size() / kMostEvaluations + 1;
  size_t i = 0;
  for (const auto& [step, name] : evaluations) {
    if (i++ % stride != 0) continue;
    const nlohmann::json scores = ReadJson(JoinPath(JoinPath(images, name), "scores.json"));
    if (scores.is_object() && scores.contains("score") && scores["score"].is_number())
      json["heldout"].push_back({step, scores["score"], Value<double>(scores, "standard_error", 0)});
  }
  for (auto newest = evaluations.rbegin(); newest != evaluations.rend() && json["samples"].empty();
       ++newest) {
    json["samples"] = SamplesOf(run_dir, newest->second);
    json["step"] = newest->first;
  }
  return json;
}

absl::StatusOr<std::string> ReadSample(const std::string& run_dir, absl::string_view name) {
  const size_t slash = name.find('/');
  if (slash == absl::string_view::npos || !StepsOfEvaluation(name.substr(0, slash), 0).has_value() ||
      !IsSampleFile(name.substr(slash + 1))) {
    return absl::InvalidArgumentError("no evaluation writes an image of this name");
  }
  absl::StatusOr<std::string> bytes = ReadFile(absl::StrCat(run_dir, "/images/", name), kMostImage);
  if (bytes.ok() && !absl::StartsWith(*bytes, kPngMagic)) return absl::InvalidArgumentError("not a PNG file");
  return bytes;
}

}  // namespace lvrpo
