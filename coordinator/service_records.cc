// How CoordinatorService restores and saves its records, and what it does while degraded.

#include "absl/strings/str_cat.h"
#include "common/unguessable.h"
#include "coordinator/service.h"
#include "spdlog/spdlog.h"

namespace lvrpo {
namespace {

constexpr int kLockPatienceMilliseconds = 100;  // other programs' locks, while all members wait
constexpr absl::Duration kRetry = absl::Milliseconds(500);
constexpr int64_t kCheckedBytes = int64_t{64} << 20;  // a larger database is not checked at each start
constexpr int kClosedGroups = 1024;                   // retired ones whose submit may still be repeated
constexpr int kEpochShift = 32;                       // of a run epoch: above the starts, below a random part

// Transient errors.
bool MayPass(const absl::Status& status) {
  return absl::IsResourceExhausted(status) || absl::IsUnavailable(status);
}

}  // namespace

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
  next_housekeeping_ = now;
  if (absl::Status status = store_->CheckFile(kCheckedBytes); !status.ok()) return status;
  const absl::StatusOr<int64_t> starts = store_->GetNumber("run_epoch", 0);
  const absl::StatusOr<int64_t> next_ordinal = store_->GetNumber("next_ordinal", 0);
  const absl::StatusOr<int64_t> generation = store_->GetNumber("generation", 0);
  const absl::StatusOr<std::string> base = store_->GetText("base_digest");
  const absl::StatusOr<int64_t> steps = store_->CommittedSteps();
  const absl::StatusOr<std::vector<v1::GroupRecord>> open = store_->OpenGroups();
  const absl::StatusOr<std::vector<v1::GroupRecord>> closed = store_->NewestRetired(kClosedGroups);
  const absl::StatusOr<std::map<std::string, int64_t>> retired = store_->RetiredByReason();
  const absl::StatusOr<std::vector<v1::CheckpointRecord>> checkpoints = store_->Checkpoints();
  absl::StatusOr<std::map<std::string, ContractEntry>> contract = store_->Contract();
  absl::StatusOr<RunIdentity> identity = store_->Identity();
  for (const absl::Status& status :
       {starts.status(), next_ordinal.status(), generation.status(), base.status(), steps.status(),
        open.status(), closed.status(), retired.status(), checkpoints.status(), contract.status(),
        identity.status()}) {
    if (!status.ok()) return status;
  }
  identity->total_steps = options_.rules.total_steps;
  identity->group_size = options_.rules.group_size;
  identity->groups_per_step = options_.rules.groups_per_step;
  identity->max_staleness = options_.rules.max_staleness;
  identity->filter_zero_variance = options_.rules.filter_zero_variance;
  state_.RestoreChain(IdentityDigest(*identity));
  if (*steps > 0) {
    const absl::StatusOr<std::vector<v1::StepRecord>> last = store_->StepsFrom(*steps - 1);
    if (!last.ok()) return last.status();
    if (last->empty()) return absl::DataLossError("the newest step of the run's database has no record");
    if (last->back().step() != *steps - 1)
      return absl::DataLossError("the newest step of the run's database is another one than its row says");
    state_.RestoreLastStep(last->back(), RecordDigest(last->back().SerializeAsString()));
    for (const int64_t ordinal : last->back().ordinals()) {
      const absl::StatusOr<v1::GroupRecord> group = store_->Group(ordinal);
      if (group.ok() && group->state() == v1::CONSUMED) state_.RestoreGroup(*group, now);
    }
  }
  for (const std::vector<v1::GroupRecord>* groups : {&*closed, &*open}) {
    for (const v1::GroupRecord& group : *groups) state_.RestoreGroup(group, now);
  }
  for (const v1::CheckpointRecord& checkpoint : *checkpoints) state_.RestoreCheckpoint(checkpoint);
  state_.RestoreRetired(*retired);
  state_.RestoreBase(*base);
  state_.RestoreNextOrdinal(*next_ordinal, static_cast<int32_t>(*generation));
  contract_.Restore(*std::move(contract));
  starts_ = *starts + 1;
  run_epoch_ = starts_ << kEpochShift | static_cast<int64_t>(UnguessableNumber() & 0xffffffff);
  store_->SetPatience(kLockPatienceMilliseconds);
  return absl::OkStatus();
}

absl::Status CoordinatorService::Start() {
  absl::MutexLock lock(&mutex_);
  const absl::Status status = Begin();
  if (!status.ok() && MayPass(status)) {
    NoteWriteFailure(status);
    return absl::OkStatus();
  }
  return status;
}

absl::Status CoordinatorService::Begin() {
  EventRecord event{absl::ToDoubleSeconds(clock_.Now() - absl::UnixEpoch()), "coordinator_start",
                    absl::StrCat("start ", starts_, ", ", state_.committed_steps(), " of ",
                                 options_.rules.total_steps, " steps done")};
  const absl::Status status = store_->Transaction([&]() ABSL_NO_THREAD_SAFETY_ANALYSIS -> absl::Status {
    for (const auto& [key, value] :
         std::map<std::string, int64_t>{{"run_epoch", starts_},
                                        {"total_steps", options_.rules.total_steps},
                                        {"group_size", options_.rules.group_size},
                                        {"groups_per_step", options_.rules.groups_per_step},
                                        {"max_staleness", options_.rules.max_staleness},
                                        {"filter_zero_variance", options_.rules.filter_zero_variance},
                                        {"next_ordinal", state_.next_ordinal()},
                                        {"generation", state_.generation()}}) {
      if (absl::Status s = store_->SetNumber(key, value); !s.ok()) return s;
    }
    return store_->PutEvent(event);
  });
  if (!status.ok()) return status;
  started_ = true;
  spdlog::info("{}: {}", event.kind, event.text);
  (void)store_->CheckpointLog();  // a run must not live in the log alone for long
  RewriteLog();
  return absl::OkStatus();
}

absl::Status CoordinatorService::Save(Draft& draft) {
  const RunState& next = draft.state;
  if (next.changed() || !draft.events.empty() || !draft.rows.empty()) {
    const absl::Status status = store_->Transaction([&]() ABSL_NO_THREAD_SAFETY_ANALYSIS -> absl::Status {
      if (next.abandoned_from() >= 0) {
        if (absl::Status s = store_->AbandonStepsFrom(next.abandoned_from()); !s.ok()) return s;
        if (absl::Status s = store_->DeleteGroupsFrom(next.forgotten_from()); !s.ok()) return s;
      }
      for (const auto& [ordinal, group] : next.dirty()) {
        if (absl::Status s = store_->PutGroup(*group); !s.ok()) return s;
      }
      if (next.new_step() != nullptr) {
        if (absl::Status s = store_->PutStep(*next.new_step()); !s.ok()) return s;
      }
      for (const EventRecord& event : draft.events) {
        if (absl::Status s = store_->PutEvent(event); !s.ok()) return s;
      }
      for (const auto& [key, value, was] : {std::tuple<const char*, int64_t, int64_t>{
                                                "next_ordinal", next.next_ordinal(), state_.next_ordinal()},
                                            {"generation", next.generation(), state_.generation()}}) {
        if (value == was) continue;
        if (absl::Status s = store_->SetNumber(key, value); !s.ok()) return s;
      }
      if (next.base_digest() != state_.base_digest()) {
        if (absl::Status s = store_->SetText("base_digest", next.base_digest()); !s.ok()) return s;
      }
      for (const auto& row : draft.rows) {
        if (absl::Status s = row(); !s.ok()) return s;
      }
      return absl::OkStatus();
    });
    if (!status.ok()) {
      NoteWriteFailure(status);
      return fatal_.ok() ? Degraded()
                         : absl::UnavailableError(
                               absl::StrCat("the coordinator cannot write its records: ", status.message()));
    }
  }
  for (const EventRecord& event : draft.events) spdlog::info("{}: {}", event.kind, event.text);
  LogRetired(draft.state);
  state_ = std::move(draft.state);
  state_.ClearDirty();
  for (const auto& then : draft.then) then();
  return absl::OkStatus();
}

void CoordinatorService::NoteWriteFailure(const absl::Status& status) {
  if (!MayPass(status)) {
    fatal_ = status;
    return;
  }
  const absl::Time now = clock_.Now();
  if (degraded_.ok()) {
    degraded_since_ = now;
    spdlog::error("degraded: {}; nothing is lost, writes are refused until it works again",
                  std::string(status.message()));
  }
  degraded_ = status;
  next_try_ = now + kRetry;
}

// While degraded: tries a write now and then; once it succeeds the service resumes.
void CoordinatorService::TryAgain() {
  const absl::Time now = clock_.Now();
  if (degraded_.ok() || now < next_try_) return;
  const absl::Status was = degraded_;
  const std::string text = absl::StrCat(
      "after ", absl::FormatDuration(absl::Trunc(now - degraded_since_, absl::Milliseconds(100))),
      " of: ", was.message());
  absl::Status status;
  if (!started_) {
    status = Begin();
  } else {
    const EventRecord event{absl::ToDoubleSeconds(now - absl::UnixEpoch()), "recovered", text};
    status = store_->Transaction([&]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return store_->PutEvent(event); });
  }
  if (!status.ok()) return NoteWriteFailure(status);
  degraded_ = absl::OkStatus();
  spdlog::info("recovered: {}", text);
  if (log_is_behind_) RewriteLog();
}

}  // namespace lvrpo
