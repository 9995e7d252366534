// The calls of CoordinatorService. What it does by itself is in service_upkeep.cc.

#include "coordinator/service.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/rpc.h"

namespace lvrpo {
namespace {

constexpr size_t kRecentGroups = 32;
constexpr double kRetrySeconds = 0.05;

// Who may make a call.
constexpr v1::Role kAnyone = v1::ROLE_UNSPECIFIED, kWorker = v1::ROLE_ROLLOUT_WORKER,
                   kLearner = v1::ROLE_LEARNER;

}  // namespace

grpc::Status CoordinatorService::Write(const v1::Fence& fence, v1::Role role,
                                       const std::function<absl::Status()>& change) {
  absl::MutexLock lock(&mutex_);
  absl::Status status = CheckFence(fence, role);
  if (status.ok()) status = change();
  // What a refused request changed on its way (it may have retired a group) is kept all the same.
  const absl::Status saved = Save();
  return ToGrpcStatus(saved.ok() ? status : saved);
}

grpc::Status CoordinatorService::Register(grpc::ServerContext*, const v1::RegisterRequest* request,
                                          v1::RegisterResponse* response) {
  absl::MutexLock lock(&mutex_);
  const std::string& id = request->member_id();
  if (!fatal_.ok()) return ToGrpcStatus(absl::UnavailableError(fatal_.message()));
  if (id.empty() || request->role() == v1::ROLE_UNSPECIFIED) {
    return ToGrpcStatus(absl::InvalidArgumentError("Register needs a member_id and a role"));
  }
  if (request->config_digest() != options_.config_digest) {
    return ToGrpcStatus(
        Refuse("CONFIG_MISMATCH",
               absl::StrCat(id,
                            " runs with another configuration than the coordinator: start all roles "
                            "with the same --config and --set")));
  }
  if (const Members::Member* present = members_.Find(id);
      request->again() && present != nullptr && present->process != request->process()) {
    return ToGrpcStatus(Refuse("SUPERSEDED", absl::StrCat("another process is ", id, " now")));
  }
  if (request->role() == v1::ROLE_LEARNER) {
    if (const std::string other = members_.OtherOfRole(id, v1::ROLE_LEARNER); !other.empty()) {
      return ToGrpcStatus(Refuse("LEARNER_EXISTS", absl::StrCat(other, " is the learner of this run; ", id,
                                                                " may join when it has left")));
    }
  }
  const std::map<std::string, std::string> contract(request->contract().begin(), request->contract().end());
  if (const std::string conflict = members_.ContractConflict(id, contract); !conflict.empty()) {
    return ToGrpcStatus(Refuse("CONTRACT_MISMATCH", conflict));
  }
  const absl::Time now = clock_.Now();
  Members::Member member;
  member.role = request->role();
  member.address = request->address();
  member.incarnation = next_incarnation_++;
  member.process = request->process();
  member.contract = contract;
  member.last_heard = member.joined = now;
  members_.Join(id, member);
  if (request->role() == v1::ROLE_LEARNER) state_.AwaitLearner();
  state_.DropLeasesOf(id, {request->held_ordinals().begin(), request->held_ordinals().end()});
  state_.RenewLeases(id, {request->held_ordinals().begin(), request->held_ordinals().end()}, now);
  Event("member_joined",
        absl::StrCat(RoleName(request->role()), " ", id,
                     request->address().empty() ? "" : absl::StrCat(" at ", request->address())));
  if (request->role() == v1::ROLE_LEARNER) {
    absl::StatusOr<std::vector<v1::CheckpointRecord>> checkpoints = store_->Checkpoints();
    if (!checkpoints.ok()) return ToGrpcStatus(checkpoints.status());
    for (auto record = checkpoints->rbegin(); record != checkpoints->rend(); ++record)
      *response->add_checkpoints() = *record;
  }
  if (absl::Status status = Save(); !status.ok()) return ToGrpcStatus(status);
  response->set_run_id(options_.run_id);
  response->set_run_epoch(run_epoch_);
  response->set_incarnation(member.incarnation);
  response->set_heartbeat_interval_seconds(absl::ToDoubleSeconds(options_.heartbeat));
  FillView(response->mutable_view());
  return grpc::Status::OK;
}

grpc::Status CoordinatorService::Heartbeat(grpc::ServerContext*, const v1::HeartbeatRequest* request,
                                           v1::HeartbeatResponse* response) {
  return Write(request->fence(), kAnyone, [&]() ABSL_NO_THREAD_SAFETY_ANALYSIS -> absl::Status {
    Members::Member& member = *members_.Find(request->fence().member_id());
    member.load = request->load();
    member.state = request->state();
    member.version = request->version();
    member.waiting_for = request->waiting_for();
    for (const int64_t ordinal : state_.RenewLeases(
             request->fence().member_id(), {request->held_ordinals().begin(), request->held_ordinals().end()},
             clock_.Now())) {
      response->add_revoked_ordinals(ordinal);
    }
    FillView(response->mutable_view());
    return absl::OkStatus();
  });
}

grpc::Status CoordinatorService::Leave(grpc::ServerContext*, const v1::LeaveRequest* request,
                                       v1::LeaveResponse*) {
  return Write(request->fence(), kAnyone, [&]() ABSL_NO_THREAD_SAFETY_ANALYSIS -> absl::Status {
    state_.DropLeasesOf(request->fence().member_id(), {});
    members_.Leave(request->fence().member_id());
    Event("member_left", absl::StrCat(request->fence().member_id(), ": ", request->reason()));
    return absl::OkStatus();
  });
}

grpc::Status CoordinatorService::LeaseGroup(grpc::ServerContext*, const v1::LeaseGroupRequest* request,
                                            v1::LeaseGroupResponse* response) {
  return Write(request->fence(), kWorker, [&]() ABSL_NO_THREAD_SAFETY_ANALYSIS -> absl::Status {
    response->set_retry_after_seconds(kRetrySeconds);
    const v1::Member* learner = nullptr;
    v1::PoolView view;
    FillView(&view);
    if (view.learners_size() > 0) learner = &view.learners(0);
    if (draining_) {
      response->set_waiting_for("nothing: the run is draining");
      return absl::OkStatus();
    }
    if (learner == nullptr) {
      response->set_waiting_for("a learner");
      return absl::OkStatus();
    }
    if (view.reward_servers().empty()) {  // what is sampled now could not be scored
      response->set_waiting_for("a reward server");
      return absl::OkStatus();
    }
    const absl::Time now = clock_.Now();
    const std::string lease_id = absl::StrCat(run_epoch_, ".", next_lease_++);
    const RunState::LeaseDecision decision =
        state_.Lease(request->fence().member_id(), request->version(), lease_id, now);
    if (decision.group == nullptr) {
      response->set_waiting_for(decision.waiting_for);
      return absl::OkStatus();
    }
    response->set_granted(true);
    v1::Lease& lease = *response->mutable_lease();
    lease.set_lease_id(lease_id);
    lease.set_ordinal(decision.group->ordinal());
    lease.set_attempt(decision.group->attempt());
    lease.set_step_hint(state_.committed_steps());
    lease.set_seconds_left(absl::ToDoubleSeconds(options_.rules.lease));
    lease.set_learner_rank(0);
    lease.set_learner_address(learner->address());
    *lease.mutable_version() = request->version();
    lease.set_group_size(options_.rules.group_size);
    return absl::OkStatus();
  });
}

grpc::Status CoordinatorService::ReturnLease(grpc::ServerContext*, const v1::ReturnLeaseRequest* request,
                                             v1::ReturnLeaseResponse*) {
  return Write(request->fence(), kWorker, [&]() ABSL_NO_THREAD_SAFETY_ANALYSIS -> absl::Status {
    const absl::Status status = state_.Return(*request);
    if (!status.ok()) return Refuse("LEASE_ENDED", std::string(status.message()));
    Event("lease_returned", absl::StrCat("ordinal ", request->ordinal(), " by ", request->fence().member_id(),
                                         ": ", request->reason()));
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
  return Write(request->fence(), kWorker, [&]() ABSL_NO_THREAD_SAFETY_ANALYSIS -> absl::Status {
    absl::StatusOr<v1::SubmitGroupResponse> answer = state_.Submit(*request);
    if (absl::IsFailedPrecondition(answer.status())) {
      return Refuse("LEASE_ENDED", std::string(answer.status().message()));
    }
    if (!answer.ok()) return answer.status();
    *response = *answer;
    if (answer->repeated_submit()) return absl::OkStatus();
    // A run that only retires groups makes no progress: the watchdog must be able to say so.
    if (answer->accepted()) Progress();
    if (answer->accepted() || answer->retired_reason() == "zero_variance") NoteScores(*request);
    const std::string outcome = answer->accepted() ? "accepted" : answer->retired_reason();
    metrics_
        .Counter("lvrpo_coordinator_groups_total", "Groups submitted, by outcome.", {{"outcome", outcome}})
        .Increment();
    return absl::OkStatus();
  });
}

grpc::Status CoordinatorService::AcknowledgeVersion(grpc::ServerContext*,
                                                    const v1::AcknowledgeVersionRequest* request,
                                                    v1::AcknowledgeVersionResponse*) {
  absl::MutexLock lock(&mutex_);
  if (absl::Status status = CheckFence(request->fence(), kWorker); !status.ok()) return ToGrpcStatus(status);
  const v1::PolicyVersion& current = state_.current_version();
  if (request->version().version() == current.version() && request->version().digest() != current.digest()) {
    return ToGrpcStatus(Refuse(
        "WRONG_DIGEST", absl::StrCat(request->fence().member_id(), " holds version ", current.version(),
                                     " with digest ", request->version().digest().substr(0, 12),
                                     "; it should be ", current.digest().substr(0, 12))));
  }
  members_.Find(request->fence().member_id())->version = request->version();
  // Of an older version the acknowledgement comes too late to matter: nothing is leased for it any more.
  if (request->version().digest() != current.digest()) return grpc::Status::OK;
  return ToGrpcStatus(Save([&]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    return store_->PutAcknowledgement(request->fence().member_id(), request->fence().incarnation(),
                                      request->version());
  }));
}

grpc::Status CoordinatorService::StartTraining(grpc::ServerContext*, const v1::StartTrainingRequest* request,
                                               v1::StartTrainingResponse*) {
  return Write(request->fence(), kLearner, [&]() ABSL_NO_THREAD_SAFETY_ANALYSIS -> absl::Status {
    const int64_t before = state_.committed_steps();
    if (absl::Status status = state_.StartTraining(request->version()); !status.ok()) return status;
    members_.Find(request->fence().member_id())->version = request->version();
    if (state_.committed_steps() < before) {
      checkpointed_step_ = std::min(checkpointed_step_, state_.committed_steps());
      Event("steps_abandoned",
            absl::StrCat("the learner starts again after step ", state_.committed_steps(), " of ", before));
      NoteLogFailure(step_log_.Rewrite(state_.steps(), absl::ToUnixSeconds(clock_.Now())));
    }
    Event("training_started", absl::StrCat("after ", state_.committed_steps(), " steps, version ",
                                           request->version().digest().substr(0, 12)));
    Progress();
    return absl::OkStatus();
  });
}

grpc::Status CoordinatorService::AssignStep(grpc::ServerContext*, const v1::AssignStepRequest* request,
                                            v1::AssignStepResponse* response) {
  return Write(request->fence(), kLearner, [&]() ABSL_NO_THREAD_SAFETY_ANALYSIS -> absl::Status {
    response->set_retry_after_seconds(kRetrySeconds);
    if (!state_.started()) {
      return Refuse("NOT_STARTED", "the coordinator started again: say StartTraining first");
    }
    if (draining_) {
      response->set_waiting_for("nothing: the run is draining");
      return absl::OkStatus();
    }
    absl::StatusOr<std::vector<const v1::GroupRecord*>> groups = state_.Assign(request->step());
    if (!groups.ok()) return Refuse("WRONG_STEP", std::string(groups.status().message()));
    response->set_assigned(!groups->empty());
    if (groups->empty()) {
      response->set_waiting_for(WaitingFor());
      return absl::OkStatus();
    }
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
  return Write(request->fence(), kLearner, [&]() ABSL_NO_THREAD_SAFETY_ANALYSIS -> absl::Status {
    const absl::Status status =
        state_.Commit(*request, absl::ToDoubleSeconds(clock_.Now() - absl::UnixEpoch()));
    if (absl::IsFailedPrecondition(status)) return Refuse("WRONG_STEP", std::string(status.message()));
    if (!status.ok()) return status;
    response->set_finished(state_.finished());
    response->set_lowest_open_ordinal(state_.lowest_open_ordinal());
    if (state_.new_steps().empty()) return absl::OkStatus();  // a repeated commit
    members_.Find(request->fence().member_id())->version = request->new_version();
    last_metrics_ = request->metrics_json();
    NoteLogFailure(step_log_.Append(state_.steps().back()));
    Progress();
    if (state_.finished()) Event("finished", absl::StrCat(state_.committed_steps(), " steps"));
    return absl::OkStatus();
  });
}

grpc::Status CoordinatorService::RecordCheckpoint(grpc::ServerContext*,
                                                  const v1::RecordCheckpointRequest* request,
                                                  v1::RecordCheckpointResponse*) {
  absl::MutexLock lock(&mutex_);
  if (absl::Status status = CheckFence(request->fence(), kLearner); !status.ok()) return ToGrpcStatus(status);
  if (request->step() < 0 || request->step() > state_.committed_steps()) {
    return ToGrpcStatus(
        absl::InvalidArgumentError(absl::StrCat("a checkpoint of ", request->step(), " steps, but only ",
                                                state_.committed_steps(), " are recorded")));
  }
  v1::CheckpointRecord record;
  record.set_step(request->step());
  record.set_path(request->path());
  record.set_digest(request->digest());
  *record.mutable_version() = request->step() == 0
                                  ? state_.current_version()
                                  : state_.steps()[static_cast<size_t>(request->step() - 1)].new_version();
  Event("checkpoint", absl::StrCat(request->path(), " after ", request->step(), " steps"));
  const absl::Status saved =
      Save([&]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return store_->PutCheckpoint(record); });
  if (saved.ok()) checkpointed_step_ = std::max(checkpointed_step_, record.step());
  return ToGrpcStatus(saved);
}

grpc::Status CoordinatorService::ReportLostGroups(grpc::ServerContext*,
                                                  const v1::ReportLostGroupsRequest* request,
                                                  v1::ReportLostGroupsResponse*) {
  return Write(request->fence(), kLearner, [&]() ABSL_NO_THREAD_SAFETY_ANALYSIS -> absl::Status {
    state_.Lose({request->ordinals().begin(), request->ordinals().end()});
    Event("trajectories_lost", absl::StrCat(request->ordinals_size(), " groups: ", request->reason()));
    return absl::OkStatus();
  });
}

grpc::Status CoordinatorService::GetStatus(grpc::ServerContext*, const v1::GetStatusRequest*,
                                           v1::GetStatusResponse* response) {
  absl::MutexLock lock(&mutex_);
  response->set_run_id(options_.run_id);
  response->set_run_epoch(run_epoch_);
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
  response->set_last_metrics_json(last_metrics_);
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
  StartDraining(request->reason().empty() ? "asked for" : request->reason());
  return grpc::Status::OK;
}

}  // namespace lvrpo
