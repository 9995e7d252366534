// CoordinatorService's fence checks, timers and logs. Its records are in service_records.cc.

#include "absl/strings/str_cat.h"
#include "common/net/rpc.h"
#include "common/words/words.h"
#include "coordinator/service.h"
#include "coordinator/state/versions.h"
#include "spdlog/spdlog.h"

namespace lvrpo {
namespace {

constexpr double kRetrySeconds = 0.5;  // between retries after transient errors
constexpr absl::Duration kHousekeeping = absl::Seconds(30);
constexpr int64_t kLoggedOneByOne = 3;

bool IsPowerOfTen(int64_t count) {
  while (count >= 10 && count % 10 == 0) count /= 10;
  return count == 1;
}

}  // namespace

absl::Status CoordinatorService::Refuse(v1::RefusalReason reason, const std::string& message,
                                        absl::StatusCode code) {
  v1::ErrorInfo info;
  info.set_reason(reason);
  if (code == absl::StatusCode::kUnavailable) info.set_retry_after_seconds(kRetrySeconds);
  metrics_.Counter("lvrpo_coordinator_refusals_total", {{"reason", Word(reason)}}).Increment();
  return WithReason(absl::Status(code, message), info);
}

absl::Status CoordinatorService::Degraded() {
  return Refuse(v1::REFUSAL_DEGRADED,
                absl::StrCat("the coordinator cannot write its records now: ", degraded_.message()),
                absl::StatusCode::kUnavailable);
}

absl::Status CoordinatorService::CheckReady(bool writes) {
  if (!fatal_.ok())
    return absl::UnavailableError(absl::StrCat("the coordinator cannot work: ", fatal_.message()));
  if (!degraded_.ok() && (writes || !started_)) return Degraded();
  if (!started_) return absl::UnavailableError("the coordinator is starting");
  return absl::OkStatus();
}

absl::Status CoordinatorService::CheckFence(const v1::Fence& fence, v1::Role role) {
  if (absl::Status status = CheckReady(/*writes=*/false); !status.ok()) return status;
  if (fence.run_id() != options_.run_id) {
    return Refuse(v1::REFUSAL_WRONG_RUN,
                  absl::StrCat("this is run ", options_.run_id, ", and the caller's is another"));
  }
  if (fence.run_epoch() != run_epoch_)
    return Refuse(v1::REFUSAL_STALE_EPOCH, "the coordinator started again since: register again");
  Members::Member* member = members_.Find(fence.member_id());
  if (member == nullptr)
    return Refuse(v1::REFUSAL_NOT_A_MEMBER, "the caller is not a member (any more): register again");
  if (member->incarnation != fence.incarnation())
    return Refuse(v1::REFUSAL_SUPERSEDED, absl::StrCat("another process is ", fence.member_id(), " now"));
  if (role != v1::ROLE_UNSPECIFIED && member->role != role) {
    return absl::PermissionDeniedError(absl::StrCat(fence.member_id(), " is a ", RoleName(member->role),
                                                    "; this call is a ", RoleName(role), "'s"));
  }
  member->last_heard = clock_.Now();
  return absl::OkStatus();
}

void CoordinatorService::Event(Draft& draft, const std::string& kind, const std::string& text,
                               std::optional<GroupId> about) const {
  draft.events.push_back(
      {absl::ToDoubleSeconds(clock_.Now() - absl::UnixEpoch()), kind, text, std::move(about)});
}

void CoordinatorService::SaveEvent(const std::string& kind, const std::string& text) {
  Draft draft = NewDraft();
  Event(draft, kind, text);
  if (!degraded_.ok() || !started_ || !Save(draft).ok()) spdlog::info("{}: {}", kind, text);
}

void CoordinatorService::LogGroups(const Changes& changes) {
  const bool each = spdlog::should_log(spdlog::level::debug);
  for (const auto& [ordinal, group] : changes.groups) {
    if (!each && group->state() != v1::RETIRED) continue;
    const v1::LeaseId lease = MakeLeaseId(ordinal, group->attempt());
    const LogGroup about(IdOf(lease));
    if (group->state() == v1::RETIRED) LogRetired(*group);
    const bool in_step = group->state() == v1::ASSIGNED || group->state() == v1::CONSUMED;
    spdlog::debug("{} is {}{}{}{}", Describe(lease), Word(group->state()),
                  in_step ? absl::StrCat(", step ", group->step()) : "",
                  group->member_id().empty() ? "" : ", ", group->member_id());
  }
}

void CoordinatorService::LogRetired(const v1::GroupRecord& group) {
  const int64_t count = ++retired_logged_[group.retired_reason()];
  if (count > kLoggedOneByOne && !IsPowerOfTen(count)) return;
  spdlog::warn("ordinal {} was retired: {}{}{} ({} for this reason since the start)", group.ordinal(),
               Word(group.retired_reason()), group.retired_detail().empty() ? "" : ": ",
               group.retired_detail(), count);
}

void CoordinatorService::FillView(v1::PoolView* view) {
  *view->mutable_current_version() = state_.current_version();
  view->set_draining(draining_);
  view->set_finished(state_.saved());
  view->set_step(state_.committed_steps());
  view->set_lowest_open_ordinal(state_.lowest_open_ordinal());
  view->set_next_ordinal(state_.plan().next_ordinal);
  members_.FillView(clock_.Now(), view);
}

// The log is a copy of the records, rewritten at the next start: a run does not end because of it.
void CoordinatorService::RewriteLog() {
  const auto for_each = [this](const StepLog::Visit& visit) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return store_->ForEachStep([&](const v1::StepRecord& step) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
      curves_.Add(step.step(), step.unix_seconds(), step.metrics());
      return visit(step);
    });
  };
  const absl::Status status =
      step_log_.Rewrite(for_each, state_.last_step(), absl::ToUnixSeconds(clock_.Now()));
  log_is_behind_ = !status.ok();
  if (!status.ok())
    spdlog::warn("metrics.jsonl and tensorboard/ are behind: {}", std::string(status.message()));
}

void CoordinatorService::AppendLog(const v1::StepRecord& step) {
  curves_.Add(step.step(), step.unix_seconds(), step.metrics());
  if (log_is_behind_) return;  // Tick rewrites it
  const absl::Status status = step_log_.Append(step);
  log_is_behind_ = !status.ok();
  if (!status.ok())
    spdlog::warn("metrics.jsonl and tensorboard/ are behind: {}", std::string(status.message()));
}

void CoordinatorService::Expire() {
  const absl::Time now = clock_.Now();
  Draft draft = NewDraft();
  if (draft.state.AnyLeaseEnded(now)) {
    const RunState::EndedLeases ended = draft.state.ExpireLeases(now);
    metrics_.Counter("lvrpo_coordinator_leases_expired_total").Increment(ended.count);
    Event(draft, "leases_expired", absl::StrCat(ended.count, " leases"));
    for (const RunState::LateLease& late : ended.at_limit) {
      Event(draft, "lease_limit",
            absl::StrCat("ordinal ", late.lease.ordinal(), " at ", late.member, " was held for ",
                         absl::FormatDuration(options_.rules.lease_limit),
                         " and not delivered: it is planned again"),
            IdOf(late.lease));
    }
  }
  for (const auto& [id, role] : members_.RemoveSilent(now, options_.member_timeout)) {
    metrics_.Counter("lvrpo_coordinator_members_lost_total", {{"role", Word(role)}}).Increment();
    draft.state.DropLeasesOf(id, {});
    Event(draft, "member_gone",
          absl::StrCat(id, " was silent for ", absl::FormatDuration(options_.member_timeout)));
  }
  (void)Save(draft);
}

void CoordinatorService::Watch() {
  const absl::Time now = clock_.Now();
  const bool leaving = draining_ || state_.saved();
  const Blocker blocker = leaving ? Blocker() : Waiting();
  if (const std::string line = blockage_.Note(blocker, now); !line.empty()) spdlog::warn("{}", line);
  if (!WatchdogIsDue({.now = now,
                      .last_progress = last_progress_,
                      .patience = options_.watchdog,
                      .spoke = watchdog_spoke_,
                      .leaving = leaving})) {
    return;
  }
  watchdog_spoke_ = true;
  const std::string waiting = InWords(blocker, now);
  SaveEvent("watchdog",
            absl::StrCat("no progress for ", static_cast<int>(absl::ToDoubleSeconds(now - last_progress_)),
                         " s; waiting for ", waiting.empty() ? "the learner" : waiting));
}

void CoordinatorService::Tick() {
  absl::MutexLock lock(&mutex_);
  const absl::Time now = clock_.Now();
  TryAgain();
  if (started_ && degraded_.ok() && fatal_.ok()) {
    Expire();
    if (now >= next_housekeeping_) {
      next_housekeeping_ = now + kHousekeeping;
      (void)store_->CheckpointLog();
      if (log_is_behind_) RewriteLog();
    }
  }
  Watch();
  RefreshGauges();
  SizePools();
}

void CoordinatorService::RefreshGauges() {
  metrics_.Gauge("lvrpo_coordinator_step").Set(static_cast<double>(state_.committed_steps()));
  metrics_.Gauge("lvrpo_coordinator_steps_wanted").Set(static_cast<double>(options_.rules.total_steps));
  metrics_.Gauge("lvrpo_coordinator_run_epoch").Set(static_cast<double>(starts_));
  metrics_.Gauge("lvrpo_coordinator_last_progress_timestamp_seconds")
      .Set(absl::ToDoubleSeconds(last_progress_ - absl::UnixEpoch()));
  metrics_.Gauge("lvrpo_coordinator_degraded").Set(degraded_.ok() ? 0 : 1);
  for (const v1::GroupState state : kOpenStates) {
    metrics_.Gauge("lvrpo_coordinator_open_groups", {{"state", Word(state)}}).Set(state_.Count(state));
  }
  metrics_.Gauge("lvrpo_coordinator_database_bytes").Set(static_cast<double>(store_->bytes()));
  RefreshMemberGauges();
  RefreshBlockedGauges();
}

void CoordinatorService::RefreshMemberGauges() {
  const v1::LearnerEpoch epoch = members_.LearnerEpoch();
  metrics_.Gauge("lvrpo_coordinator_learner_ranks").Set(epoch.ranks() > 0 ? LookAtRanks(epoch).have : 0);
  metrics_.Gauge("lvrpo_coordinator_learner_ranks_wanted").Set(epoch.ranks());
  RefreshHeldOutGauges();
  for (const v1::Role role : kRoles) {
    metrics_.Gauge("lvrpo_coordinator_members", {{"role", Word(role)}}).Set(members_.Count(role));
  }
  metrics_.Gauge("lvrpo_coordinator_members_of_other_version").Set(members_.OtherVersions(options_.build));
}

void CoordinatorService::RefreshBlockedGauges() {
  static const auto* labels = new std::vector<std::string>(BlockerLabels());
  for (const std::string& label : *labels) {
    metrics_.Gauge("lvrpo_coordinator_blocked_seconds", {{"on", label}})
        .Set(label == blockage_.label() ? absl::ToDoubleSeconds(blockage_.Lasted(clock_.Now())) : 0);
  }
}

}  // namespace lvrpo
