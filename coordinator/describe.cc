#include "coordinator/describe.h"

#include <cstdint>

#include "common/file.h"
#include "coordinator/store.h"

namespace lvrpo {

absl::StatusOr<nlohmann::json> DescribeRun(const std::string& run_dir) {
  absl::StatusOr<std::unique_ptr<Store>> store = Store::OpenReadOnly(JoinPath(run_dir, "coordinator.sqlite"));
  if (!store.ok()) return store.status();
  const absl::StatusOr<std::vector<v1::StepRecord>> steps = (*store)->Steps();
  const absl::StatusOr<std::vector<v1::GroupRecord>> groups = (*store)->Groups();
  const absl::StatusOr<std::vector<v1::CheckpointRecord>> checkpoints = (*store)->Checkpoints();
  const absl::StatusOr<std::vector<EventRecord>> events = (*store)->Events();
  for (const absl::Status& status :
       {steps.status(), groups.status(), checkpoints.status(), events.status()}) {
    if (!status.ok()) return status;
  }
  int64_t consumed = 0;
  nlohmann::json retired = nlohmann::json::object();
  for (const v1::GroupRecord& group : *groups) {
    consumed += group.state() == v1::CONSUMED;
    if (group.state() == v1::RETIRED)
      retired[group.retired_reason()] = retired.value(group.retired_reason(), 0) + 1;
  }
  nlohmann::json list = nlohmann::json::array();
  for (const EventRecord& event : *events) {
    list.push_back({{"unix_seconds", event.unix_seconds}, {"kind", event.kind}, {"text", event.text}});
  }
  return nlohmann::json{
      {"run_epochs", (*store)->GetNumber("run_epoch", 0).value_or(0)},
      {"steps", steps->size()},
      {"total_steps", (*store)->GetNumber("total_steps", 0).value_or(0)},
      {"config_digest", (*store)->GetText("config_digest").value_or("")},
      {"groups_consumed", consumed},
      {"groups_retired_by_reason", retired},
      {"events", list},
      {"weights_digest", steps->empty() ? "" : steps->back().new_version().digest()},
      {"trained",
       !checkpoints->empty() &&
           checkpoints->back().step() >= (*store)->GetNumber("total_steps", INT64_MAX).value_or(INT64_MAX)},
      {"checkpoint", checkpoints->empty() ? "" : checkpoints->back().path()}};
}

}  // namespace lvrpo
