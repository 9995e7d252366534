// The calls of rollout workers.

#include "absl/strings/str_cat.h"
#include "common/net/rpc.h"
#include "common/words/words.h"
#include "coordinator/request_check.h"
#include "coordinator/service.h"
#include "coordinator/state/versions.h"
#include "spdlog/spdlog.h"

namespace lvrpo {
namespace {

constexpr size_t kRecentGroups = 32;
constexpr double kRetrySeconds = 0.05;
constexpr v1::Role kWorker = v1::ROLE_ROLLOUT_WORKER;

}  // namespace

grpc::Status CoordinatorService::LeaseGroup(grpc::ServerContext*, const v1::LeaseGroupRequest* request,
                                            v1::LeaseGroupResponse* response) {
  return Write(
      request->fence(), kWorker, [&](Draft& draft) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) -> absl::Status {
        const std::string& id = request->fence().member_id();
        const v1::LearnerEpoch epoch = members_.LearnerEpoch();
        response->set_retry_after_seconds(kRetrySeconds);
        const RunState::LeaseDecision decision =
            draft.state.Lease({.member = id,
                               .incarnation = request->fence().incarnation(),
                               .version = request->version(),
                               .draining = draining_,
                               .learner_is_here = epoch.ranks() > 0,
                               .reward_server_is_here = members_.Reachable(v1::ROLE_REWARD_SERVER) != nullptr,
                               .ranks = epoch.ranks() > 0 ? LookAtRanks(epoch) : RanksThere()},
                              clock_.Now());
        if (decision.group == nullptr) {
          response->set_waiting_for(InWords(decision.blocker));
          members_.Tell(id, Tidy(response->waiting_for()));
          return absl::OkStatus();
        }
        // The request acknowledges these weights: recorded before the lease or together with it.
        Acknowledge(draft, id);
        SettleContract(draft, id);
        response->set_granted(true);
        v1::Lease& lease = *response->mutable_lease();
        *lease.mutable_id() = MakeLeaseId(decision.group->ordinal(), decision.group->attempt());
        lease.set_rank(decision.group->rank());
        lease.set_learner_address(epoch.present(decision.group->rank()).address());
        *lease.mutable_version() = request->version();
        lease.set_group_size(options_.rules.group_size);
        return absl::OkStatus();
      });
}

grpc::Status CoordinatorService::ReturnLease(grpc::ServerContext*, const v1::ReturnLeaseRequest* request,
                                             v1::ReturnLeaseResponse*) {
  v1::ReturnLeaseRequest returned = *request;
  returned.set_detail(Tidy(request->detail()));
  return Write(
      request->fence(), kWorker, [&](Draft& draft) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) -> absl::Status {
        const absl::Status status = draft.state.Return(returned);
        if (absl::IsFailedPrecondition(status))
          return Refuse(v1::REFUSAL_LEASE_ENDED, std::string(status.message()));
        if (!status.ok()) return status;
        const std::string& member = returned.fence().member_id();
        Event(draft, "lease_returned",
              absl::StrCat(Describe(returned.lease()), " by ", member, ": ", Word(returned.reason()),
                           returned.detail().empty() ? "" : ": ", returned.detail()),
              IdOf(returned.lease()));
        if (draft.state.unscorable_in_a_row() >= options_.max_unscorable_groups) {
          const std::string why = absl::StrCat(draft.state.unscorable_in_a_row(),
                                               " groups in a row could not be scored, the newest one by ",
                                               member, ": ", draft.state.unscorable_detail());
          Event(draft, "unscorable", why, IdOf(returned.lease()));
          draft.then.push_back([this, why]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
            fatal_ = absl::FailedPreconditionError(why);
          });
        }
        return absl::OkStatus();
      });
}

void CoordinatorService::NoteScores(const v1::SubmitGroupRequest& request) {
  std::map<std::string, std::pair<double, int>> sums;
  for (const v1::SampleSummary& sample : request.samples()) {
    for (const v1::ComponentScore& score : sample.scores()) {
      if (score.outcome() != v1::ComponentScore::OK) continue;
      sums[score.name()].first += score.score();
      ++sums[score.name()].second;
    }
    sums["reward"].first += sample.reward();
    ++sums["reward"].second;
  }
  std::map<std::string, double> means;
  for (const auto& [name, sum] : sums) means[name] = sum.first / sum.second;
  recent_scores_.push_back(means);
  if (recent_scores_.size() > kRecentGroups) recent_scores_.pop_front();
}

grpc::Status CoordinatorService::SubmitGroup(grpc::ServerContext*, const v1::SubmitGroupRequest* request,
                                             v1::SubmitGroupResponse* response) {
  if (absl::Status status = CheckSubmit(*request); !status.ok()) return ToGrpcStatus(status);
  v1::SubmitGroupRequest submit = *request;
  TidyTexts(&submit);
  return Write(
      request->fence(), kWorker, [&](Draft& draft) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) -> absl::Status {
        absl::StatusOr<v1::SubmitGroupResponse> answer = draft.state.Submit(submit);
        if (absl::IsFailedPrecondition(answer.status()))
          return Refuse(v1::REFUSAL_LEASE_ENDED, std::string(answer.status().message()));
        if (absl::IsAlreadyExists(answer.status())) {
          const LogGroup about(IdOf(submit.lease()));
          spdlog::warn("{}: {}", request->fence().member_id(), std::string(answer.status().message()));
          return Refuse(v1::REFUSAL_SUBMITTED_BEFORE, std::string(answer.status().message()));
        }
        if (!answer.ok()) return answer.status();
        *response = *answer;
        if (answer->repeated_submit()) return absl::OkStatus();
        draft.then.push_back([this, submit, answer = *answer]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
          // A run that only retires groups makes no progress: the watchdog must see that.
          if (answer.accepted()) Progress();
          if (answer.accepted() || answer.retired_reason() == v1::RETIRE_ZERO_VARIANCE) NoteScores(submit);
          const std::string outcome = answer.accepted() ? "accepted" : Word(answer.retired_reason());
          metrics_.Counter("lvrpo_coordinator_groups_total", {{"outcome", outcome}}).Increment();
        });
        return absl::OkStatus();
      });
}

grpc::Status CoordinatorService::AcknowledgeVersion(grpc::ServerContext*,
                                                    const v1::AcknowledgeVersionRequest* request,
                                                    v1::AcknowledgeVersionResponse*) {
  return Write(
      request->fence(), kWorker, [&](Draft& draft) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) -> absl::Status {
        const std::string& id = request->fence().member_id();
        const v1::PolicyVersion &current = draft.state.current_version(), &held = request->version();
        if (absl::Status status = CheckVersion(held); !status.ok()) return status;
        // An acknowledgement of an older version is not recorded: nothing is leased for it any more.
        if (held.number() < current.number()) return absl::OkStatus();
        if (!SameVersion(held, current)) {
          return Refuse(v1::REFUSAL_WRONG_DIGEST, absl::StrCat(id, " holds version ", Describe(held),
                                                               "; the current one is ", Describe(current)));
        }
        if (!current.digest().empty()) Acknowledge(draft, id);
        return absl::OkStatus();
      });
}

}  // namespace lvrpo
