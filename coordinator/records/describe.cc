#include "coordinator/records/describe.h"

#include <algorithm>
#include <cstdint>

#include "common/files/filesystem.h"
#include "common/words/words.h"
#include "coordinator/records/store.h"
#include "data/heldout/evaluation.h"

namespace lvrpo {

absl::StatusOr<nlohmann::json> DescribeRun(const std::string& run_dir) {
  absl::StatusOr<std::unique_ptr<Store>> store = Store::OpenReadOnly(JoinPath(run_dir, "coordinator.sqlite"));
  // A coordinator that ended in its first moments: a run in which nothing has happened.
  if (absl::IsNotFound(store.status()) && IsFile(JoinPath(run_dir, "run.json"))) {
    return nlohmann::json{{"run_epochs", 0},
                          {"steps", 0},
                          {"total_steps", 0},
                          {"config_digest", ""},
                          {"groups_consumed", 0},
                          {"groups_retired_by_reason", nlohmann::json::object()},
                          {"events", nlohmann::json::array()},
                          {"evaluations", nlohmann::json::array()},
                          {"weights_digest", ""},
                          {"trained", false},
                          {"checkpoint", ""}};
  }
  if (!store.ok()) return store.status();
  const absl::StatusOr<int64_t> steps = (*store)->CommittedSteps();
  const absl::StatusOr<int64_t> starts = (*store)->GetNumber("run_epoch", 0);
  const absl::StatusOr<RunIdentity> identity = (*store)->Identity();
  const absl::StatusOr<std::map<v1::RetireReason, int64_t>> retired = (*store)->RetiredByReason();
  const absl::StatusOr<std::vector<v1::CheckpointRecord>> checkpoints = (*store)->Checkpoints();
  const absl::StatusOr<std::vector<EventRecord>> events = (*store)->Events();
  const absl::StatusOr<std::vector<v1::EvaluationRecord>> evaluations = (*store)->Evaluations();
  for (const absl::Status& status : {evaluations.status(), steps.status(), starts.status(), identity.status(),
                                     retired.status(), checkpoints.status(), events.status()}) {
    if (!status.ok()) return status;
  }
  const absl::StatusOr<std::vector<v1::StepRecord>> last = (*store)->StepsFrom(*steps - 1);
  if (!last.ok()) return last.status();
  nlohmann::json by_reason = nlohmann::json::object(), list = nlohmann::json::array();
  for (const auto& [reason, count] : *retired) by_reason[Word(reason)] = count;
  for (const EventRecord& event : *events) {
    list.push_back({{"unix_seconds", event.unix_seconds}, {"kind", event.kind}, {"text", event.text}});
  }
  nlohmann::json scores = nlohmann::json::array();
  for (const v1::EvaluationRecord& record : *evaluations) scores.push_back(EvaluationJson(record));
  return nlohmann::json{{"run_epochs", *starts},
                        {"steps", *steps},
                        {"total_steps", std::max<int64_t>(identity->total_steps, 0)},
                        {"config_digest", identity->config_digest},
                        {"groups_consumed", *steps * identity->groups_per_step},
                        {"groups_retired_by_reason", by_reason},
                        {"events", list},
                        {"evaluations", scores},
                        {"weights_digest", last->empty() ? "" : last->back().new_version().digest()},
                        {"trained", identity->total_steps > 0 && !checkpoints->empty() &&
                                        checkpoints->back().step() >= identity->total_steps},
                        {"checkpoint", checkpoints->empty() ? "" : checkpoints->back().path()}};
}

}  // namespace lvrpo
