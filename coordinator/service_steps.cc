// The calls of the learner.

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/net/rpc.h"
#include "common/words/words.h"
#include "coordinator/request_check.h"
#include "coordinator/service.h"
#include "coordinator/state/versions.h"

namespace lvrpo {
namespace {

constexpr double kRetrySeconds = 0.05;

}  // namespace

grpc::Status CoordinatorService::WriteOfLearner(const v1::Fence& fence, const std::string& epoch,
                                                bool any_rank, const Change& change) {
  return Write(
      fence, v1::ROLE_LEARNER, [&](Draft& draft) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) -> absl::Status {
        const int rank = members_.Find(fence.member_id())->place.rank();
        if (rank > 0 && !any_rank) {
          return absl::PermissionDeniedError(
              absl::StrCat(fence.member_id(), " is rank ", rank, " of the learner; this call is rank 0's"));
        }
        if (absl::Status status = CheckLearnerEpoch(epoch, members_.LearnerEpoch()); !status.ok())
          return Refuse(v1::REFUSAL_LEARNER_EPOCH, std::string(status.message()), status.code());
        return change(draft);
      });
}

grpc::Status CoordinatorService::StartTraining(grpc::ServerContext*, const v1::StartTrainingRequest* request,
                                               v1::StartTrainingResponse*) {
  return WriteOfLearner(request->fence(), request->learner_epoch(), /*any_rank=*/false,
                        [&](Draft& draft) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) -> absl::Status {
                          const v1::PolicyVersion& version = request->version();
                          if (absl::Status status = CheckVersion(version); !status.ok()) return status;
                          const int64_t before = state_.committed_steps();
                          std::vector<v1::StepRecord> since;
                          if (version.number() < before) {
                            absl::StatusOr<std::vector<v1::StepRecord>> read =
                                store_->StepsFrom(std::max<int64_t>(version.number() - 1, 0));
                            if (!read.ok()) return read.status();
                            since = *std::move(read);
                          }
                          const int ranks = members_.LearnerEpoch().ranks();
                          const absl::Status started = draft.state.StartTraining(version, since, ranks);
                          if (absl::IsAborted(started))
                            return Refuse(v1::REFUSAL_AHEAD_OF_RECORDS, std::string(started.message()),
                                          absl::StatusCode::kAborted);
                          if (absl::IsFailedPrecondition(started))
                            return Refuse(v1::REFUSAL_NO_SUCH_CHECKPOINT, std::string(started.message()));
                          if (!started.ok()) return started;
                          SettleContract(draft, request->fence().member_id());
                          const bool abandons = draft.state.changes().abandoned.has_value();
                          if (abandons) {
                            Event(draft, "steps_abandoned",
                                  absl::StrCat("the learner starts again after step ",
                                               draft.state.committed_steps(), " of ", before));
                          }
                          Event(draft, "training_started",
                                absl::StrCat("after ", draft.state.committed_steps(), " steps, version ",
                                             version.digest().substr(0, 12),
                                             ranks > 1 ? absl::StrCat(", ", ranks, " ranks") : ""));
                          draft.then.push_back([this, id = request->fence().member_id(), version,
                                                abandons]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
                            if (Members::Member* learner = members_.Find(id); learner != nullptr)
                              learner->version = version;
                            if (abandons) {
                              // Groups that were forgotten are counted no longer.
                              const absl::StatusOr<std::map<v1::RetireReason, int64_t>> retired =
                                  store_->RetiredByReason();
                              if (retired.ok()) state_.RestoreRetired(*retired);
                              (void)RestoreEvaluations();
                              RewriteLog();
                            }
                            Progress();
                          });
                          return absl::OkStatus();
                        });
}

grpc::Status CoordinatorService::AssignStep(grpc::ServerContext*, const v1::AssignStepRequest* request,
                                            v1::AssignStepResponse* response) {
  return WriteOfLearner(
      request->fence(), request->learner_epoch(), /*any_rank=*/true,
      [&](Draft& draft) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) -> absl::Status {
        response->set_retry_after_seconds(kRetrySeconds);
        const auto wait_for = [&](const Blocker& blocker) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
          response->set_waiting_for(InWords(blocker));
          members_.Tell(request->fence().member_id(), Tidy(response->waiting_for()));
          return absl::OkStatus();
        };
        if (!draft.state.started())
          return Refuse(v1::REFUSAL_NOT_STARTED, "the coordinator started again: say StartTraining first");
        if (draining_) return wait_for({.kind = Blocker::Kind::kDraining});
        const absl::StatusOr<std::vector<GroupPointer>> groups = draft.state.Assign(request->step());
        if (!groups.ok())
          return Refuse(v1::REFUSAL_WRONG_STEP, std::string(groups.status().message()),
                        absl::StatusCode::kAborted);
        response->set_assigned(!groups->empty());
        if (groups->empty()) return wait_for(Waiting());
        for (const GroupPointer& group : *groups) {
          v1::AssignedGroup& assigned = *response->add_groups();
          assigned.set_ordinal(group->ordinal());
          assigned.set_attempt(group->attempt());
          assigned.set_trajectory_digest(group->trajectory_digest());
          *assigned.mutable_version() = group->version();
          *assigned.mutable_samples() = group->samples();
          assigned.set_member_id(group->member_id());
          assigned.set_rank(group->rank());
        }
        return absl::OkStatus();
      });
}

grpc::Status CoordinatorService::CommitStep(grpc::ServerContext*, const v1::CommitStepRequest* request,
                                            v1::CommitStepResponse* response) {
  if (absl::Status status = CheckCommit(*request); !status.ok()) return ToGrpcStatus(status);
  return WriteOfLearner(
      request->fence(), request->learner_epoch(), /*any_rank=*/false,
      [&](Draft& draft) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) -> absl::Status {
        v1::CommitStepRequest commit = *request;
        for (const auto& [name, value] : use_.Figures()) (*commit.mutable_metrics())[name] = value;
        const absl::Status status = draft.state.Commit(
            commit, absl::ToDoubleSeconds(clock_.Now() - absl::UnixEpoch()), members_.LearnerEpoch().ranks());
        if (absl::IsFailedPrecondition(status))
          return Refuse(v1::REFUSAL_WRONG_STEP, std::string(status.message()), absl::StatusCode::kAborted);
        if (!status.ok()) return status;
        response->set_finished(draft.state.finished());
        response->set_lowest_open_ordinal(draft.state.lowest_open_ordinal());
        if (draft.state.changes().step == nullptr) return absl::OkStatus();  // a repeated commit
        if (draft.state.finished())
          Event(draft, "finished", absl::StrCat(draft.state.committed_steps(), " steps"));
        draft.then.push_back([this, id = request->fence().member_id()]()
                                 ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
                                   if (Members::Member* learner = members_.Find(id); learner != nullptr)
                                     learner->version = state_.current_version();
                                   AppendLog(*state_.last_step());
                                   use_.Restart();
                                   Progress();
                                 });
        return absl::OkStatus();
      });
}

absl::StatusOr<std::string> CoordinatorService::WeightsOf(int64_t step, const RunState& state) const {
  if (step <= 0 || step > state.committed_steps()) return state.WeightsOf(step);
  const absl::StatusOr<std::vector<v1::StepRecord>> steps = store_->StepsFrom(step - 1);
  if (!steps.ok()) return steps.status();
  return steps->empty() ? std::string() : steps->front().new_version().digest();
}

grpc::Status CoordinatorService::RecordCheckpoint(grpc::ServerContext*,
                                                  const v1::RecordCheckpointRequest* request,
                                                  v1::RecordCheckpointResponse*) {
  if (absl::Status status = CheckCheckpoint(*request); !status.ok()) return ToGrpcStatus(status);
  return WriteOfLearner(request->fence(), request->learner_epoch(), /*any_rank=*/false,
                        [&](Draft& draft) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) -> absl::Status {
                          v1::CheckpointRecord record;
                          record.set_step(request->step());
                          record.set_path(request->path());
                          record.set_digest(request->digest());
                          record.set_store(request->store());
                          if (request->has_reward()) record.set_reward(request->reward());
                          const absl::StatusOr<std::string> made = WeightsOf(request->step(), draft.state);
                          if (!made.ok()) return made.status();
                          const absl::Status status =
                              draft.state.RecordCheckpoint(&record, *made, request->weights_digest());
                          if (absl::IsAborted(status))
                            return Refuse(v1::REFUSAL_AHEAD_OF_RECORDS, std::string(status.message()),
                                          absl::StatusCode::kAborted);
                          if (!status.ok()) return status;
                          Event(draft, "checkpoint",
                                absl::StrCat(request->path(), " after ", request->step(), " steps",
                                             request->store().empty() ? "" : ", also in ", request->store()));
                          return absl::OkStatus();
                        });
}

grpc::Status CoordinatorService::ReportLostGroups(grpc::ServerContext*,
                                                  const v1::ReportLostGroupsRequest* request,
                                                  v1::ReportLostGroupsResponse*) {
  v1::ReportLostGroupsRequest lost = *request;
  if (absl::Status status = CheckLostGroups(lost); !status.ok()) return ToGrpcStatus(status);
  for (v1::LostGroup& group : *lost.mutable_groups()) group.set_detail(Tidy(group.detail()));
  return WriteOfLearner(request->fence(), request->learner_epoch(), /*any_rank=*/true,
                        [&](Draft& draft) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) -> absl::Status {
                          draft.state.Lose(lost.groups());
                          for (const v1::LostGroup& group : lost.groups()) {
                            // As it was assigned: `draft` has planned it again.
                            const auto known = state_.open_groups().find(group.ordinal());
                            std::optional<GroupId> about;
                            if (known != state_.open_groups().end())
                              about = IdOf(MakeLeaseId(group.ordinal(), known->second->attempt()));
                            Event(draft, "trajectories_lost",
                                  absl::StrCat("ordinal ", group.ordinal(), ": ", Word(group.reason()),
                                               group.detail().empty() ? "" : ": ", group.detail()),
                                  about);
                          }
                          return absl::OkStatus();
                        });
}

}  // namespace lvrpo
