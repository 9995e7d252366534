// The calls of the learner.

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/net/rpc.h"
#include "coordinator/request_check.h"
#include "coordinator/service.h"

namespace lvrpo {
namespace {

constexpr double kRetrySeconds = 0.05;
constexpr v1::Role kLearner = v1::ROLE_LEARNER;

}  // namespace

grpc::Status CoordinatorService::StartTraining(grpc::ServerContext*, const v1::StartTrainingRequest* request,
                                               v1::StartTrainingResponse*) {
  return Write(request->fence(), kLearner, [&](Draft& draft) ABSL_NO_THREAD_SAFETY_ANALYSIS -> absl::Status {
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
    const absl::Status started = draft.state.StartTraining(version, since);
    if (absl::IsAborted(started))
      return Refuse("AHEAD_OF_RECORDS", std::string(started.message()), absl::StatusCode::kAborted);
    if (absl::IsFailedPrecondition(started))
      return Refuse("NO_SUCH_CHECKPOINT", std::string(started.message()));
    if (!started.ok()) return started;
    SettleContract(draft, request->fence().member_id());
    const bool abandons = draft.state.abandoned_from() >= 0;
    if (abandons) {
      Event(draft, "steps_abandoned",
            absl::StrCat("the learner starts again after step ", draft.state.committed_steps(), " of ",
                         before));
    }
    Event(draft, "training_started",
          absl::StrCat("after ", draft.state.committed_steps(), " steps, version ",
                       version.digest().substr(0, 12)));
    draft.then.push_back(
        [this, id = request->fence().member_id(), version, abandons]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
          if (Members::Member* learner = members_.Find(id); learner != nullptr) learner->version = version;
          if (abandons) {
            // Groups that were forgotten are counted no longer.
            absl::StatusOr<std::map<std::string, int64_t>> retired = store_->RetiredByReason();
            if (retired.ok()) state_.RestoreRetired(*retired);
            RewriteLog();
          }
          Progress();
        });
    return absl::OkStatus();
  });
}

grpc::Status CoordinatorService::AssignStep(grpc::ServerContext*, const v1::AssignStepRequest* request,
                                            v1::AssignStepResponse* response) {
  return Write(request->fence(), kLearner, [&](Draft& draft) ABSL_NO_THREAD_SAFETY_ANALYSIS -> absl::Status {
    response->set_retry_after_seconds(kRetrySeconds);
    const auto wait_for = [&](const std::string& what) ABSL_NO_THREAD_SAFETY_ANALYSIS {
      response->set_waiting_for(what);
      members_.Tell(request->fence().member_id(), Tidy(what));
      return absl::OkStatus();
    };
    if (!draft.state.started())
      return Refuse("NOT_STARTED", "the coordinator started again: say StartTraining first");
    if (draining_) return wait_for("nothing: the run is draining");
    absl::StatusOr<std::vector<const v1::GroupRecord*>> groups = draft.state.Assign(request->step());
    if (!groups.ok())
      return Refuse("WRONG_STEP", std::string(groups.status().message()), absl::StatusCode::kAborted);
    response->set_assigned(!groups->empty());
    if (groups->empty()) return wait_for(WaitingFor());
    for (const v1::GroupRecord* group : *groups) {
      v1::AssignedGroup& assigned = *response->add_groups();
      assigned.set_ordinal(group->ordinal());
      assigned.set_attempt(group->attempt());
      assigned.set_trajectory_digest(group->trajectory_digest());
      *assigned.mutable_version() = group->version();
      *assigned.mutable_samples() = group->samples();
      assigned.set_member_id(group->member_id());
    }
    return absl::OkStatus();
  });
}

grpc::Status CoordinatorService::CommitStep(grpc::ServerContext*, const v1::CommitStepRequest* request,
                                            v1::CommitStepResponse* response) {
  if (absl::Status status = CheckCommit(*request); !status.ok()) return ToGrpcStatus(status);
  return Write(request->fence(), kLearner, [&](Draft& draft) ABSL_NO_THREAD_SAFETY_ANALYSIS -> absl::Status {
    const absl::Status status =
        draft.state.Commit(*request, absl::ToDoubleSeconds(clock_.Now() - absl::UnixEpoch()));
    if (absl::IsFailedPrecondition(status))
      return Refuse("WRONG_STEP", std::string(status.message()), absl::StatusCode::kAborted);
    if (!status.ok()) return status;
    response->set_finished(draft.state.finished());
    response->set_lowest_open_ordinal(draft.state.lowest_open_ordinal());
    if (draft.state.new_step() == nullptr) return absl::OkStatus();  // a repeated commit
    if (draft.state.finished())
      Event(draft, "finished", absl::StrCat(draft.state.committed_steps(), " steps"));
    draft.then.push_back([this, id = request->fence().member_id()]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
      if (Members::Member* learner = members_.Find(id); learner != nullptr)
        learner->version = state_.current_version();
      AppendLog(*state_.last_step());
      Progress();
    });
    return absl::OkStatus();
  });
}

grpc::Status CoordinatorService::RecordCheckpoint(grpc::ServerContext*,
                                                  const v1::RecordCheckpointRequest* request,
                                                  v1::RecordCheckpointResponse*) {
  if (absl::Status status = CheckCheckpoint(*request); !status.ok()) return ToGrpcStatus(status);
  return Write(request->fence(), kLearner, [&](Draft& draft) ABSL_NO_THREAD_SAFETY_ANALYSIS -> absl::Status {
    v1::CheckpointRecord record;
    record.set_step(request->step());
    record.set_path(request->path());
    record.set_digest(request->digest());
    const absl::Status status = draft.state.RecordCheckpoint(&record);
    if (absl::IsAborted(status))
      return Refuse("AHEAD_OF_RECORDS", std::string(status.message()), absl::StatusCode::kAborted);
    if (!status.ok()) return status;
    Event(draft, "checkpoint", absl::StrCat(request->path(), " after ", request->step(), " steps"));
    draft.rows.push_back([this, record]()
                             ABSL_NO_THREAD_SAFETY_ANALYSIS { return store_->PutCheckpoint(record); });
    return absl::OkStatus();
  });
}

grpc::Status CoordinatorService::ReportLostGroups(grpc::ServerContext*,
                                                  const v1::ReportLostGroupsRequest* request,
                                                  v1::ReportLostGroupsResponse*) {
  return Write(request->fence(), kLearner, [&](Draft& draft) ABSL_NO_THREAD_SAFETY_ANALYSIS -> absl::Status {
    const bool untrainable = absl::StartsWith(request->reason(), "untrainable");
    draft.state.Lose({request->ordinals().begin(), request->ordinals().end()},
                     untrainable ? "untrainable" : "trajectory_lost");
    Event(draft, "trajectories_lost",
          absl::StrCat(request->ordinals_size(), " groups: ", Tidy(request->reason())));
    return absl::OkStatus();
  });
}

}  // namespace lvrpo
