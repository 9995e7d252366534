// What CoordinatorService does apart from its calls: it restores and saves its records, checks fences,
// watches the time.

#include "absl/strings/str_cat.h"
#include "common/rpc.h"
#include "coordinator/service.h"
#include "spdlog/spdlog.h"

namespace lvrpo {

CoordinatorService::CoordinatorService(Options options, std::unique_ptr<Store> store, Clock& clock,
                                       Metrics& metrics)
    : options_(std::move(options)),
      clock_(clock),
      metrics_(metrics),
      store_(std::move(store)),
      state_(options_.rules),
      step_log_(options_.run_dir) {}

absl::StatusOr<std::unique_ptr<CoordinatorService>> CoordinatorService::Create(Options options,
                                                                               std::unique_ptr<Store> store,
                                                                               Clock& clock,
                                                                               Metrics& metrics) {
  std::unique_ptr<CoordinatorService> service(
      new CoordinatorService(std::move(options), std::move(store), clock, metrics));
  if (absl::Status status = service->Restore(); !status.ok()) return status;
  return service;
}

absl::Status CoordinatorService::Restore() {
  absl::MutexLock lock(&mutex_);
  const absl::Time now = clock_.Now();
  last_progress_ = now;
  const absl::StatusOr<int64_t> epoch = store_->GetNumber("run_epoch", 0);
  const absl::StatusOr<int64_t> next_ordinal = store_->GetNumber("next_ordinal", 0);
  const absl::StatusOr<int64_t> generation = store_->GetNumber("generation", 0);
  const absl::StatusOr<std::vector<v1::StepRecord>> steps = store_->Steps();
  const absl::StatusOr<std::vector<v1::GroupRecord>> groups = store_->Groups();
  for (const absl::Status& status :
       {epoch.status(), next_ordinal.status(), generation.status(), steps.status(), groups.status()}) {
    if (!status.ok()) return status;
  }
  for (const v1::StepRecord& step : *steps) state_.RestoreStep(step);
  for (const v1::GroupRecord& group : *groups) state_.RestoreGroup(group, now);
  state_.RestoreNextOrdinal(*next_ordinal, static_cast<int32_t>(*generation));
  const absl::StatusOr<std::vector<v1::CheckpointRecord>> checkpoints = store_->Checkpoints();
  if (!checkpoints.ok()) return checkpoints.status();
  if (!checkpoints->empty()) checkpointed_step_ = checkpoints->back().step();
  if (!steps->empty()) last_metrics_ = steps->back().metrics_json();
  run_epoch_ = *epoch + 1;
  if (absl::Status status = step_log_.Rewrite(*steps, absl::ToUnixSeconds(now)); !status.ok()) return status;
  Event("coordinator_start", absl::StrCat("epoch ", run_epoch_, ", ", state_.committed_steps(), " of ",
                                          options_.rules.total_steps, " steps done"));
  return Save([&]() ABSL_NO_THREAD_SAFETY_ANALYSIS -> absl::Status {
    for (const auto& [key, value] :
         std::map<std::string, int64_t>{{"run_epoch", run_epoch_},
                                        {"total_steps", options_.rules.total_steps},
                                        {"group_size", options_.rules.group_size},
                                        {"groups_per_step", options_.rules.groups_per_step},
                                        {"max_staleness", options_.rules.max_staleness}}) {
      if (absl::Status status = store_->SetNumber(key, value); !status.ok()) return status;
    }
    return absl::OkStatus();
  });
}

absl::Status CoordinatorService::Refuse(const std::string& reason, const std::string& message) {
  v1::ErrorInfo info;
  info.set_reason(reason);
  info.set_current_run_epoch(run_epoch_);
  *info.mutable_current_version() = state_.current_version();
  metrics_.Counter("lvrpo_coordinator_refusals_total", "Requests refused, by reason.", {{"reason", reason}})
      .Increment();
  return WithReason(absl::FailedPreconditionError(message), info);
}

bool CoordinatorService::Finished() const {
  return state_.finished() && checkpointed_step_ >= options_.rules.total_steps;
}

absl::Status CoordinatorService::CheckFence(const v1::Fence& fence, v1::Role role) {
  if (!fatal_.ok())
    return absl::UnavailableError(absl::StrCat("the coordinator cannot work: ", fatal_.message()));
  if (fence.run_id() != options_.run_id) {
    return Refuse("WRONG_RUN", absl::StrCat("this is run ", options_.run_id, ", not ", fence.run_id()));
  }
  if (fence.run_epoch() != run_epoch_) {
    return Refuse("STALE_EPOCH",
                  absl::StrCat("the coordinator is in epoch ", run_epoch_, ", ", fence.member_id(), " in ",
                               fence.run_epoch(), ": register again"));
  }
  Members::Member* member = members_.Find(fence.member_id());
  if (member == nullptr) {
    return Refuse("NOT_A_MEMBER",
                  absl::StrCat(fence.member_id(), " is not a member (any more): register again"));
  }
  if (member->incarnation != fence.incarnation()) {
    return Refuse("SUPERSEDED", absl::StrCat("another process is ", fence.member_id(), " now"));
  }
  if (role != v1::ROLE_UNSPECIFIED && member->role != role) {
    return absl::PermissionDeniedError(absl::StrCat(fence.member_id(), " is a ", RoleName(member->role),
                                                    "; this call is a ", RoleName(role), "'s"));
  }
  member->last_heard = clock_.Now();
  return absl::OkStatus();
}

void CoordinatorService::Event(const std::string& kind, const std::string& text) {
  spdlog::info("{}: {}", kind, text);
  events_.push_back({absl::ToDoubleSeconds(clock_.Now() - absl::UnixEpoch()), kind, text});
}

absl::Status CoordinatorService::Save(const std::function<absl::Status()>& more) {
  if (state_.dirty().empty() && state_.new_steps().empty() && state_.abandoned_from() < 0 &&
      events_.empty() && !more) {
    return absl::OkStatus();
  }
  absl::Status status = store_->Transaction([&]() ABSL_NO_THREAD_SAFETY_ANALYSIS -> absl::Status {
    if (state_.abandoned_from() >= 0) {
      if (absl::Status s = store_->AbandonStepsFrom(state_.abandoned_from()); !s.ok()) return s;
      if (absl::Status s = store_->DeleteCheckpointsFrom(state_.abandoned_from() + 1); !s.ok()) return s;
      if (absl::Status s = store_->DeleteGroupsFrom(state_.forgotten_from()); !s.ok()) return s;
    }
    for (const auto& [ordinal, group] : state_.dirty()) {
      if (absl::Status s = store_->PutGroup(group); !s.ok()) return s;
    }
    for (const v1::StepRecord& step : state_.new_steps()) {
      if (absl::Status s = store_->PutStep(step); !s.ok()) return s;
    }
    for (const EventRecord& event : events_) {
      if (absl::Status s = store_->PutEvent(event); !s.ok()) return s;
    }
    if (absl::Status s = store_->SetNumber("next_ordinal", state_.next_ordinal()); !s.ok()) return s;
    if (absl::Status s = store_->SetNumber("generation", state_.generation()); !s.ok()) return s;
    return more ? more() : absl::OkStatus();
  });
  state_.ClearDirty();
  events_.clear();
  if (!status.ok()) {
    fatal_ = status;
    return absl::UnavailableError(
        absl::StrCat("the coordinator cannot write its records: ", status.message()));
  }
  return absl::OkStatus();
}

void CoordinatorService::FillView(v1::PoolView* view) {
  *view->mutable_current_version() = state_.current_version();
  view->set_draining(draining_);
  view->set_finished(Finished());
  view->set_step(state_.committed_steps());
  view->set_lowest_open_ordinal(state_.lowest_open_ordinal());
  view->set_next_ordinal(state_.next_ordinal());
  members_.FillView(clock_.Now(), view);
}

void CoordinatorService::NoteLogFailure(const absl::Status& status) {
  // The log is a copy of the records, made anew at the next start: a run does not end for it.
  if (!status.ok()) Event("log_failed", std::string(status.message()));
}

std::string CoordinatorService::WaitingFor() const {
  if (Finished()) return "";
  if (!fatal_.ok()) return absl::StrCat("the coordinator: ", fatal_.message());
  if (members_.Count(v1::ROLE_LEARNER) == 0) return "a learner to join";
  if (!state_.started()) return "the learner to load its weights";
  if (members_.Count(v1::ROLE_ROLLOUT_WORKER) == 0) return "a rollout worker to join";
  if (members_.Count(v1::ROLE_REWARD_SERVER) == 0) return "a reward server to join";
  if (state_.finished()) return "the learner to save the last checkpoint";
  const int complete = state_.Count(v1::COMPLETE);
  if (state_.Count(v1::ASSIGNED) > 0) return "";  // the learner works
  if (state_.retired_in_a_row() > 4 * options_.rules.groups_per_step) {
    return absl::StrCat("groups that can be trained on: ", state_.retired_in_a_row(),
                        " were retired since the last step (see groups retired by reason)");
  }
  if (complete < options_.rules.groups_per_step) {
    for (const auto& [ordinal, group] : state_.active_groups()) {
      if (group.state() == v1::LEASED) {
        return absl::StrCat(group.member_id(), " (ordinal ", ordinal, "; ", complete, " of ",
                            options_.rules.groups_per_step, " groups)");
      }
    }
    return absl::StrCat("rollout workers (", complete, " of ", options_.rules.groups_per_step, " groups)");
  }
  return "";
}

void CoordinatorService::StartDraining(const std::string& reason) {
  absl::MutexLock lock(&mutex_);
  if (draining_) return;
  draining_ = true;
  Event("drain", reason);
  (void)Save();
}

bool CoordinatorService::draining() const {
  absl::MutexLock lock(&mutex_);
  return draining_;
}

bool CoordinatorService::Done() const {
  absl::MutexLock lock(&mutex_);
  return (draining_ || Finished()) && members_.all().empty();
}

absl::Status CoordinatorService::fatal() const {
  absl::MutexLock lock(&mutex_);
  return fatal_;
}

void CoordinatorService::Tick() {
  absl::MutexLock lock(&mutex_);
  const absl::Time now = clock_.Now();
  if (const int ended = state_.ExpireLeases(now); ended > 0)
    Event("leases_expired", absl::StrCat(ended, " leases"));
  for (const std::string& id : members_.RemoveSilent(now, options_.member_timeout)) {
    state_.DropLeasesOf(id, {});
    Event("member_gone", absl::StrCat(id, " was silent for ", absl::FormatDuration(options_.member_timeout)));
  }
  (void)Save();
  const double idle = absl::ToDoubleSeconds(now - last_progress_);
  const std::string waiting = WaitingFor();
  if (now - last_progress_ > options_.watchdog && !watchdog_spoke_ && !Finished() && !draining_) {
    watchdog_spoke_ = true;
    Event("watchdog", absl::StrCat("no progress for ", static_cast<int>(idle), " s; waiting for ",
                                   waiting.empty() ? "the learner" : waiting));
    (void)Save();
  }
  metrics_.Gauge("lvrpo_coordinator_step", "Committed optimizer steps.")
      .Set(static_cast<double>(state_.committed_steps()));
  metrics_.Gauge("lvrpo_coordinator_steps_wanted", "Optimizer steps of the whole run.")
      .Set(static_cast<double>(options_.rules.total_steps));
  metrics_.Gauge("lvrpo_coordinator_run_epoch", "Starts of the coordinator in this run.")
      .Set(static_cast<double>(run_epoch_));
  metrics_.Gauge("lvrpo_coordinator_idle_seconds", "Seconds since a group or a step was accepted.").Set(idle);
  for (const auto& [state, name] : std::map<v1::GroupState, std::string>{{v1::PLANNED, "planned"},
                                                                         {v1::LEASED, "leased"},
                                                                         {v1::COMPLETE, "complete"},
                                                                         {v1::ASSIGNED, "assigned"}}) {
    metrics_.Gauge("lvrpo_coordinator_groups", "Groups on their way to a step, by state.", {{"state", name}})
        .Set(state_.Count(state));
  }
  for (const auto& [role, name] : std::map<v1::Role, std::string>{{v1::ROLE_ROLLOUT_WORKER, "rollout_worker"},
                                                                  {v1::ROLE_REWARD_SERVER, "reward_server"},
                                                                  {v1::ROLE_LEARNER, "learner"}}) {
    metrics_.Gauge("lvrpo_coordinator_members", "Members that are heard from, by role.", {{"role", name}})
        .Set(members_.Count(role));
  }
}

}  // namespace lvrpo
