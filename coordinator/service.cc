// Membership: the calls of every role. Workers' calls are in service_groups.cc, the learner's in
// service_steps.cc, operators' in service_status.cc, periodic work in service_upkeep.cc.

#include "coordinator/service.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/files/file_kind.h"
#include "common/net/rpc.h"
#include "common/unguessable.h"
#include "common/words/words.h"
#include "coordinator/acting_role.h"
#include "coordinator/request_check.h"
#include "coordinator/state/compatibility.h"
#include "coordinator/state/versions.h"

namespace lvrpo {
namespace {

constexpr v1::Role kAnyone = v1::ROLE_UNSPECIFIED;
// Heartbeats that a process may miss before another may take its name over.
constexpr int kMissedHeartbeats = 3;
// The learner tries checkpoints from the newest on, and only the newest ones are kept on disk.
constexpr size_t kCheckpointsNamed = 256;

v1::LearnerPlace PlaceOf(const v1::RegisterRequest& request) {
  v1::LearnerPlace place;
  if (request.role() != v1::ROLE_LEARNER) return place;
  place = request.learner();
  place.set_ranks(std::max(1, place.ranks()));
  return place;
}

// " at 127.0.0.1:7070, rank 1 of 2".
std::string Whereabouts(const Members::Member& member) {
  return absl::StrCat(member.address.empty() ? "" : absl::StrCat(" at ", member.address),
                      member.place.ranks() > 1
                          ? absl::StrCat(", rank ", member.place.rank(), " of ", member.place.ranks())
                          : "");
}

}  // namespace

grpc::Status CoordinatorService::Write(const v1::Fence& fence, v1::Role role, const Change& change) {
  absl::MutexLock lock(&mutex_);
  if (absl::Status status = CheckFence(fence, role); !status.ok()) return ToGrpcStatus(status);
  if (absl::Status status = CheckReady(/*writes=*/true); !status.ok()) return ToGrpcStatus(status);
  Draft draft = NewDraft();
  const absl::Status status = change(draft);
  // Side effects of a refused request (it may have retired a group) are kept.
  const absl::Status saved = Save(draft);
  return ToGrpcStatus(saved.ok() ? status : saved);
}

absl::Status CoordinatorService::CheckCaller(const grpc::ServerContext* context, const v1::Fence& fence) {
  const Members::Member* member = members_.Find(fence.member_id());
  return member == nullptr ? absl::OkStatus() : CheckActsAs(CallerRole(context), member->role);
}

absl::Status CoordinatorService::CheckRegistration(const v1::RegisterRequest& request,
                                                   const RunContract::Terms& terms) {
  if (absl::Status status = CheckRegister(request); !status.ok()) return status;
  const std::string& id = request.member_id();
  if (const std::string conflict = BuildConflict(id, request.role(), request.build(), options_.build);
      !conflict.empty())
    return Refuse(v1::REFUSAL_VERSION_MISMATCH, conflict, absl::StatusCode::kAborted);
  if (request.config_digest() != options_.config_digest) {
    return Refuse(v1::REFUSAL_CONFIG_MISMATCH,
                  absl::StrCat(id,
                               " runs with another configuration than the coordinator: start all roles "
                               "with the same --config and --set"));
  }
  const Members::Member* present = members_.Find(id);
  if (present != nullptr && present->process != request.process()) {
    if (request.again())
      return Refuse(v1::REFUSAL_SUPERSEDED, absl::StrCat("another process is ", id, " now"));
    if (present->role != request.role()) {
      return Refuse(v1::REFUSAL_NAME_IN_USE,
                    absl::StrCat(id, " is a ", RoleName(present->role), " of this run"),
                    absl::StatusCode::kUnavailable);
    }
    if (clock_.Now() - present->last_heard < kMissedHeartbeats * options_.heartbeat) {
      return Refuse(
          v1::REFUSAL_NAME_IN_USE,
          absl::StrCat("another process is ", id, ", and alive: a second one needs another --member-id"),
          absl::StatusCode::kUnavailable);
    }
  }
  if (present == nullptr && members_.all().size() >= static_cast<size_t>(options_.max_members)) {
    return Refuse(v1::REFUSAL_TOO_MANY_MEMBERS,
                  absl::StrCat("the run has ", options_.max_members, " members already"),
                  absl::StatusCode::kUnavailable);
  }
  if (request.role() == v1::ROLE_LEARNER) {
    const std::string conflict =
        RankConflict({.member = id, .place = PlaceOf(request)}, members_.LearnerProcesses());
    if (!conflict.empty())
      return Refuse(v1::REFUSAL_LEARNER_EXISTS, conflict, absl::StatusCode::kUnavailable);
  }
  std::string conflict = contract_.Conflict(id, request.role(), terms);
  if (conflict.empty() && request.role() == v1::ROLE_ROLLOUT_WORKER) {
    for (const auto& [other_id, other] : members_.all()) {
      if (other.role == v1::ROLE_LEARNER && conflict.empty())
        conflict = ContractConflict(id, terms, other_id, other.contract);
    }
  }
  return conflict.empty() ? absl::OkStatus() : Refuse(v1::REFUSAL_CONTRACT_MISMATCH, conflict);
}

grpc::Status CoordinatorService::Register(grpc::ServerContext* context, const v1::RegisterRequest* request,
                                          v1::RegisterResponse* response) {
  absl::MutexLock lock(&mutex_);
  if (absl::Status status = CheckReady(/*writes=*/true); !status.ok()) return ToGrpcStatus(status);
  if (absl::Status status = CheckActsAs(CallerRole(context), request->role()); !status.ok())
    return ToGrpcStatus(status);
  const RunContract::Terms terms(request->contract().begin(), request->contract().end());
  if (absl::Status status = CheckRegistration(*request, terms); !status.ok()) return ToGrpcStatus(status);
  const std::string& id = request->member_id();
  const absl::Time now = clock_.Now();
  Members::Member member;
  member.role = request->role();
  member.address = request->address();
  member.incarnation = static_cast<int64_t>(UnguessableNumber() >> 1) | 1;
  member.process = request->process();
  member.build = request->build();
  member.contract = terms;
  member.place = PlaceOf(*request);
  member.last_heard = member.joined = now;

  Draft draft = NewDraft();
  if (request->role() == v1::ROLE_LEARNER) {
    draft.state.AwaitLearner();
    absl::StatusOr<std::vector<v1::CheckpointRecord>> checkpoints = store_->Checkpoints();
    if (!checkpoints.ok()) return ToGrpcStatus(checkpoints.status());
    for (auto record = checkpoints->rbegin();
         record != checkpoints->rend() && response->checkpoints_size() < static_cast<int>(kCheckpointsNamed);
         ++record) {
      *response->add_checkpoints() = *record;
    }
  }
  const std::vector<v1::LeaseId> held(request->held().begin(), request->held().end());
  draft.state.DropLeasesOf(id, held);
  for (const v1::LeaseId& lost : draft.state.RenewLeases(id, held, now)) *response->add_revoked() = lost;
  Event(draft, "member_joined", absl::StrCat(RoleName(request->role()), " ", id, Whereabouts(member)));
  if (absl::Status status = Save(draft); !status.ok()) return ToGrpcStatus(status);
  members_.Join(id, member);
  response->set_run_id(options_.run_id);
  response->set_run_epoch(run_epoch_);
  response->set_incarnation(member.incarnation);
  response->set_heartbeat_interval_seconds(absl::ToDoubleSeconds(options_.heartbeat));
  FillView(response->mutable_view());
  return grpc::Status::OK;
}

grpc::Status CoordinatorService::Heartbeat(grpc::ServerContext* context, const v1::HeartbeatRequest* request,
                                           v1::HeartbeatResponse* response) {
  absl::MutexLock lock(&mutex_);
  // Nothing of this is written, so it works while the disk is full.
  if (absl::Status status = CheckCaller(context, request->fence()); !status.ok()) return ToGrpcStatus(status);
  if (absl::Status status = CheckFence(request->fence(), kAnyone); !status.ok()) return ToGrpcStatus(status);
  Members::Member& member = *members_.Find(request->fence().member_id());
  member.load = request->load();
  member.state = Tidy(request->state());
  member.obstacle =
      v1::Obstacle_IsValid(request->obstacle()) ? request->obstacle() : v1::OBSTACLE_UNSPECIFIED;
  if (CheckVersion(request->version()).ok()) member.version = request->version();
  if (member.role == v1::ROLE_LEARNER) member.place.set_learner_epoch(OneLine(request->learner_epoch(), 128));
  member.weight_streams = std::nullopt;
  if (request->has_weight_streams()) member.weight_streams = request->weight_streams();
  if (const std::string waiting_for = Tidy(request->waiting_for()); waiting_for != member.waiting_for) {
    member.waiting_for = waiting_for;
    member.waiting_since = clock_.Now();
  }
  const std::vector<v1::LeaseId> held(request->held().begin(), request->held().end());
  for (const v1::LeaseId& lost : state_.RenewLeases(request->fence().member_id(), held, clock_.Now()))
    *response->add_revoked() = lost;
  FillView(response->mutable_view());
  return grpc::Status::OK;
}

grpc::Status CoordinatorService::Leave(grpc::ServerContext* context, const v1::LeaveRequest* request,
                                       v1::LeaveResponse*) {
  {
    absl::MutexLock lock(&mutex_);
    if (absl::Status status = CheckCaller(context, request->fence()); !status.ok())
      return ToGrpcStatus(status);
  }
  return Write(
      request->fence(), kAnyone, [&](Draft& draft) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) -> absl::Status {
        const std::string id = request->fence().member_id();
        draft.state.DropLeasesOf(id, {});
        Event(draft, "member_left", absl::StrCat(id, ": ", Tidy(request->reason())));
        draft.then.push_back([this, id]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { members_.Leave(id); });
        return absl::OkStatus();
      });
}

void CoordinatorService::SettleContract(Draft& draft, const std::string& id) {
  const Members::Member& member = *members_.Find(id);
  draft.terms = contract_.Unsettled(member.role, member.contract);
  const bool is_learner = member.role == v1::ROLE_LEARNER;
  if (draft.terms.empty() && !is_learner) return;
  RunContract settled = contract_;
  settled.Settle(draft.terms);
  // Earlier members with other terms than the records, or than the learner that starts now, are removed, and
  // are told why when they register again.
  std::vector<std::string> gone;
  for (const auto& [other_id, other] : members_.all()) {
    if (other_id == id) continue;
    std::string conflict = settled.Conflict(other_id, other.role, other.contract);
    if (conflict.empty() && is_learner && other.role == v1::ROLE_ROLLOUT_WORKER)
      conflict = ContractConflict(other_id, other.contract, id, member.contract);
    if (conflict.empty()) continue;
    gone.push_back(other_id);
    draft.state.DropLeasesOf(other_id, {});
    Event(draft, "member_refused", conflict);
  }
  draft.then.push_back([this, settled, gone]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    contract_ = settled;
    for (const std::string& other : gone) members_.Leave(other);
  });
}

void CoordinatorService::Acknowledge(Draft& draft, const std::string& id) {
  const Members::Member& member = *members_.Find(id);
  const v1::PolicyVersion version = draft.state.current_version();
  if (SameVersion(member.acknowledged, version)) return;
  draft.acknowledgement = {.member = id, .incarnation = member.incarnation, .version = version};
  draft.then.push_back([this, id, version]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (Members::Member* acknowledged = members_.Find(id); acknowledged != nullptr) {
      acknowledged->acknowledged = version;
      acknowledged->version = version;
    }
  });
}

}  // namespace lvrpo
