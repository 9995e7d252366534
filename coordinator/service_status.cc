// Operators' calls, and what the run waits for.

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/net/rpc.h"
#include "common/words/words.h"
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
  for (const v1::GroupState state : kOpenStates) by_state[Word(state)] = state_.Count(state);
  by_state[Word(v1::CONSUMED)] = state_.consumed();
  for (const auto& [reason, count] : state_.retired_by_reason())
    (*response->mutable_groups_retired_by_reason())[Word(reason)] = count;
  const Blocker blocker = Waiting();
  response->set_waiting_for(InWords(blocker));
  response->set_blocked_on(LabelOf(blocker));
  *response->mutable_build() = options_.build;
  response->set_seconds_since_progress(absl::ToDoubleSeconds(clock_.Now() - last_progress_));
  *response->mutable_learner_epoch() = members_.LearnerEpoch();
  if (!evaluations_.empty()) *response->mutable_heldout() = evaluations_.rbegin()->second;
  response->set_draining(draining_);
  response->set_unix_seconds(absl::ToDoubleSeconds(clock_.Now() - absl::UnixEpoch()));
  response->set_finished(state_.saved());
  if (state_.last_step() != nullptr) *response->mutable_last_metrics() = state_.last_step()->metrics();
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

Blocker CoordinatorService::Waiting() const {
  RunFacts facts = state_.Facts();
  facts.fatal = std::string(fatal_.message());
  facts.degraded = std::string(degraded_.message());
  facts.degraded_since = degraded_since_;
  facts.last_progress = last_progress_;
  facts.learners = members_.Facts(v1::ROLE_LEARNER);
  if (facts.learners.members > 0) facts.ranks = LookAtRanks(members_.LearnerEpoch());
  facts.slow_rank = members_.SlowRank();
  facts.step = state_.committed_steps();
  facts.step_is_late = clock_.Now() - last_progress_ > options_.watchdog;
  facts.workers = members_.Facts(v1::ROLE_ROLLOUT_WORKER);
  facts.reward_servers = members_.Facts(v1::ROLE_REWARD_SERVER);
  return WaitingFor(facts);
}

void CoordinatorService::StartDraining(const std::string& reason) {
  absl::MutexLock lock(&mutex_);
  if (draining_) return;
  draining_ = true;
  drain_ends_ = clock_.Now() + options_.drain_grace;
  SaveEvent("drain", reason);
}

CoordinatorService::Standing CoordinatorService::standing() const {
  absl::MutexLock lock(&mutex_);
  return {.draining = draining_,
          .finished = state_.saved(),
          .alone = members_.all().empty(),
          .overdue = clock_.Now() > drain_ends_,
          .learner_leaves = std::any_of(members_.all().begin(), members_.all().end(), [](const auto& entry) {
            return entry.second.role == v1::ROLE_LEARNER && entry.second.state == kLeaving;
          })};
}

bool CoordinatorService::Done() const {
  const Standing now = standing();
  return (now.draining || now.finished) && now.alone;
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
