#include "cli/report/results.h"

#include <map>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cli/local/records.h"
#include "cli/report/report.h"
#include "cli/report/run_summary.h"
#include "cli/report/sample_rewards.h"
#include "common/config/config.h"
#include "common/files/file.h"
#include "common/files/file_kind.h"
#include "common/files/filesystem.h"
#include "common/json/json_text.h"
#include "common/run_folder/run_folder.h"

namespace lvrpo {
namespace {

nlohmann::json ReadJson(const std::string& path) {
  const absl::StatusOr<std::string> text = ReadFile(path);
  return text.ok() ? nlohmann::json::parse(*text, nullptr, false) : nlohmann::json();
}

// The run's settings; files that they name may be elsewhere.
absl::StatusOr<v1::RunConfig> ReadSettings(const std::string& run_dir) {
  const std::string path = JoinPath(run_dir, "config.yaml");
  const absl::StatusOr<std::string> text = ReadFile(path);
  if (!text.ok()) return text.status();
  v1::RunConfig config = DefaultRunConfig();
  const auto read = FillConfig(
      *text, path, {}, [] { return std::vector<std::string>(); }, config);
  if (!read.ok()) return read.status();
  return config;
}

// Seconds by phase: what run.json says, else what the evaluations and the records do.
std::map<std::string, double> PhaseSeconds(const nlohmann::json& run, const SummaryInput& input) {
  std::map<std::string, double> seconds = run.value("seconds", std::map<std::string, double>{});
  for (const auto& [phase, scores] : std::vector<std::pair<std::string, nlohmann::json>>{
           {"evaluate_before", input.before}, {"evaluate_after", input.after}}) {
    if (scores.is_object() && scores.contains("seconds"))
      seconds.emplace(phase, scores["seconds"].get<double>());
  }
  const nlohmann::json events = input.records.value("events", nlohmann::json::array());
  if (!events.empty() && !input.steps.empty()) {
    seconds.emplace("training", input.steps.back().value("unix_seconds", 0.0) -
                                    events.front().value("unix_seconds", 0.0));
  }
  return seconds;
}

SummaryInput InputOf(const std::string& run_dir, const v1::RunConfig& config, const nlohmann::json& records) {
  nlohmann::json run = ReadJson(JoinPath(run_dir, "run.json"));
  if (!run.is_object()) run = nlohmann::json::object();
  SummaryInput input;
  input.run_id = run.value("run_id", FileName(run_dir));
  input.config_digest = ConfigDigest(config);
  input.seed = config.seed();
  input.resumed = run.value("resumed", false);
  input.records = records;
  input.weights_digest = records.value("weights_digest", "");
  input.steps = ReadJsonLines(JoinPath(run_dir, "metrics.jsonl"));
  const std::string images = JoinPath(run_dir, "images");
  input.before = ReadJson(images + "/before/scores.json");
  input.after = ReadJson(images + "/after/scores.json");
  input.before_lines = ReadJsonLines(images + "/before/all.jsonl");
  input.after_lines = ReadJsonLines(images + "/after/all.jsonl");
  input.seconds = PhaseSeconds(run, input);
  return input;
}

bool NeedsRewards(const std::string& run_dir) {
  for (const char* name : {"before", "after"}) {
    const std::string images = absl::StrCat(run_dir, "/images/", name, "/");
    if (Exists(images + "samples.json") && !Exists(images + "rewards.json")) return true;
  }
  return false;
}

// Writes the summary of a run that has one.
absl::Status WriteSummary(const std::string& run_dir, Results& results) {
  const absl::StatusOr<nlohmann::json> records = ReadRecords(run_dir);
  if (!records.ok() || !records->value("trained", false)) return absl::OkStatus();
  const absl::StatusOr<v1::RunConfig> config = ReadSettings(run_dir);
  if (!config.ok()) return config.status();
  const v1::DataConfig& data = config->data();
  const bool evaluates = !data.heldout_image_prompts().empty() || !data.heldout_text_prompts().empty();
  if (evaluates && !Exists(JoinPath(run_dir, "images/after/scores.json"))) {
    results.remark = "the trained weights were not evaluated yet: lvrpo-evaluate --follow does it";
    return absl::OkStatus();
  }
  try {
    results.summary = MakeSummary(InputOf(run_dir, *config, *records));
  } catch (const nlohmann::json::exception& thrown) {
    return absl::DataLossError(absl::StrCat("a file of ", run_dir, " is damaged: ", thrown.what()));
  }
  return WriteFileAtomic(JoinPath(run_dir, "summary.json"), JsonText(*results.summary, 2) + "\n");
}

absl::Status ScoreMissing(const std::string& run_dir, const std::string& working_folder) {
  if (!NeedsRewards(run_dir)) return absl::OkStatus();
  const absl::StatusOr<RunFolder> folder = OpenRunFolder(run_dir, working_folder);
  return folder.ok() ? ScoreSamples(*folder) : folder.status();
}

}  // namespace

absl::StatusOr<Results> WriteResults(const std::string& run_dir, const std::string& working_folder) {
  Results results;
  const absl::StatusOr<std::string> path = AbsolutePath(run_dir);
  if (!path.ok()) return path.status();
  if (absl::Status status = WriteSummary(*path, results); !status.ok()) return status;
  if (results.summary.has_value()) {
    if (absl::Status status = ScoreMissing(*path, working_folder); !status.ok())
      results.remark = absl::StrCat("the report goes without reward breakdowns: ", status.message());
  }
  const absl::StatusOr<std::string> report = WriteReport(*path);
  if (!report.ok()) return report.status();
  results.report = JoinPath(run_dir, "report.html");
  return results;
}

}  // namespace lvrpo
