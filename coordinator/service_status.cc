// Operators' calls, and what the run waits for.

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/net/rpc.h"
#include "coordinator/request_check.h"
#include "coordinator/service.h"

namespace lvrpo {

grpc::Status CoordinatorService::GetStatus(grpc::ServerContext*, const v1::GetStatusRequest*,
                                           v1::GetStatusResponse* response) {
  absl::MutexLock lock(&mutex_);
  response->set_run_id(options_.run_id);
  response->set_run_epoch(starts_);
  response->set_step(state_.committed_steps());
  response->set_total_steps(options_.rules.total_steps);
  *response->mutable_current_version() = state_.current_version();
  for (v1::Member& member : members_.List(clock_.Now())) *response->add_members() = std::move(member);
  auto& by_state = *response->mutable_groups_by_state();
  by_state["planned"] = state_.Count(v1::PLANNED);
  by_state["leased"] = state_.Count(v1::LEASED);
  by_state["complete"] = state_.Count(v1::COMPLETE);
  by_state["assigned"] = state_.Count(v1::ASSIGNED);
  by_state["consumed"] = state_.consumed();
  for (const auto& [reason, count] : state_.retired_by_reason()) {
    (*response->mutable_groups_retired_by_reason())[reason] = count;
  }
  response->set_waiting_for(WaitingFor());
  response->set_seconds_since_progress(absl::ToDoubleSeconds(clock_.Now() - last_progress_));
  response->set_draining(draining_);
  response->set_finished(Finished());
  if (state_.last_step() != nullptr) response->set_last_metrics_json(state_.last_step()->metrics_json());
  std::map<std::string, std::pair<double, int>> sums;
  for (const auto& means : recent_scores_) {
    for (const auto& [name, mean] : means) {
      sums[name].first += mean;
      ++sums[name].second;
    }
  }
  for (const auto& [name, sum] : sums)
    (*response->mutable_recent_reward_means())[name] = sum.first / sum.second;
  return grpc::Status::OK;
}

grpc::Status CoordinatorService::Drain(grpc::ServerContext*, const v1::DrainRequest* request,
                                       v1::DrainResponse*) {
  StartDraining(request->reason().empty() ? "asked for" : Tidy(request->reason()));
  return grpc::Status::OK;
}

std::string CoordinatorService::WaitingFor() const {
  if (Finished()) return "";
  if (!fatal_.ok()) return absl::StrCat("the coordinator: ", fatal_.message());
  if (!degraded_.ok())
    return absl::StrCat("the coordinator: degraded: ", degraded_.message(), "; it tries again by itself");
  if (members_.Count(v1::ROLE_LEARNER) == 0) return "a learner to join";
  if (const std::string why = members_.Complaint(v1::ROLE_LEARNER); !why.empty()) return why;
  if (!state_.started()) return "the learner to load its weights";
  if (members_.Count(v1::ROLE_ROLLOUT_WORKER) == 0) return "a rollout worker to join";
  if (members_.Count(v1::ROLE_REWARD_SERVER) == 0) return "a reward server to join";
  if (state_.finished()) return "the learner to save the last checkpoint";
  if (state_.Count(v1::ASSIGNED) > 0) return "";  // the learner works
  return WaitingForGroups();
}

std::string CoordinatorService::WaitingForGroups() const {
  const int wanted = options_.rules.groups_per_step, complete = state_.Count(v1::COMPLETE);
  if (complete >= wanted) return "";
  for (const v1::Role role : {v1::ROLE_ROLLOUT_WORKER, v1::ROLE_REWARD_SERVER}) {
    if (const std::string why = members_.Complaint(role); !why.empty()) return why;
  }
  if (state_.unscorable_in_a_row() > 0) {
    return absl::StrCat("scores: ", state_.unscorable_in_a_row(),
                        " groups in a row could not be scored: ", state_.unscorable_reason());
  }
  if (state_.retired_in_a_row() > 4 * wanted) {
    const std::deque<std::string>& outcomes = state_.recent_outcomes();
    const auto flat = std::count(outcomes.begin(), outcomes.end(), "zero_variance");
    const std::string retired = absl::StrCat(state_.retired_in_a_row(), " were retired since the last step");
    if (10 * flat >= 9 * static_cast<int64_t>(outcomes.size())) {
      return absl::StrCat(
          "groups whose samples differ in reward: ", retired, ", and of the newest ", outcomes.size(),
          " groups ", flat,
          " had the same reward for all samples (zero_variance): nothing can be learned from these; "
          "is the task too easy or too hard, or the reward constant?");
    }
    return absl::StrCat("groups that can be trained on: ", retired, " (see groups retired by reason)");
  }
  for (const auto& [ordinal, group] : state_.active_groups()) {
    if (group->state() == v1::LEASED) {
      return absl::StrCat(group->member_id(), " (ordinal ", ordinal, "; ", complete, " of ", wanted,
                          " groups)");
    }
  }
  return absl::StrCat("rollout workers (", complete, " of ", wanted, " groups)");
}

void CoordinatorService::StartDraining(const std::string& reason) {
  absl::MutexLock lock(&mutex_);
  if (draining_) return;
  draining_ = true;
  SaveEvent("drain", reason);
}

bool CoordinatorService::draining() const {
  absl::MutexLock lock(&mutex_);
  return draining_;
}

bool CoordinatorService::Done() const {
  absl::MutexLock lock(&mutex_);
  return (draining_ || Finished()) && members_.all().empty();
}

int64_t CoordinatorService::starts() const {
  absl::MutexLock lock(&mutex_);
  return starts_;
}

absl::Status CoordinatorService::fatal() const {
  absl::MutexLock lock(&mutex_);
  return fatal_;
}

std::string CoordinatorService::trouble() const {
  absl::MutexLock lock(&mutex_);
  if (!fatal_.ok()) return std::string(fatal_.message());
  if (!degraded_.ok()) return absl::StrCat("degraded: ", degraded_.message());
  return started_ ? "" : "starting";
}

}  // namespace lvrpo
