// How CoordinatorService restores and saves its records, and what it does while degraded.

#include "absl/strings/str_cat.h"
#include "common/stopwatch.h"
#include "common/unguessable.h"
#include "coordinator/records/restore.h"
#include "coordinator/service.h"
#include "spdlog/spdlog.h"

namespace lvrpo {
namespace {

constexpr int kLockPatienceMilliseconds = 100;  // other programs' locks, while all members wait
constexpr absl::Duration kRetry = absl::Milliseconds(500);
constexpr int64_t kCheckedBytes = int64_t{64} << 20;  // a larger database is not checked at each start
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
  absl::StatusOr<RunState> state = RestoreState(*store_, options_.rules, now);
  const absl::StatusOr<int64_t> starts = store_->GetNumber("run_epoch", 0);
  absl::StatusOr<std::map<std::string, ContractEntry>> contract = store_->Contract();
  for (const absl::Status& status : {state.status(), starts.status(), contract.status()}) {
    if (!status.ok()) return status;
  }
  state_ = *std::move(state);
  contract_.Restore(*std::move(contract));
  if (absl::Status status = RestoreEvaluations(); !status.ok()) return status;
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
  const absl::Status status =
      store_->Transaction([&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) -> absl::Status {
        for (const auto& [key, value] :
             std::map<std::string, int64_t>{{"run_epoch", starts_},
                                            {"total_steps", options_.rules.total_steps},
                                            {"group_size", options_.rules.group_size},
                                            {"groups_per_step", options_.rules.groups_per_step},
                                            {"max_staleness", options_.rules.max_staleness},
                                            {"filter_zero_variance", options_.rules.filter_zero_variance},
                                            {"next_ordinal", state_.plan().next_ordinal}}) {
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

absl::Status CoordinatorService::Put(const Changes& changes, const Draft& draft) {
  if (absl::Status s = store_->Put(changes); !s.ok()) return s;
  for (const EventRecord& event : draft.events) {
    if (absl::Status s = store_->PutEvent(event); !s.ok()) return s;
  }
  for (const auto& [key, entry] : draft.terms) {
    if (absl::Status s = store_->PutContract(key, entry); !s.ok()) return s;
  }
  if (draft.evaluation.has_value()) {
    if (absl::Status s = store_->PutEvaluation(*draft.evaluation); !s.ok()) return s;
  }
  return draft.acknowledgement.has_value() ? store_->PutAcknowledgement(*draft.acknowledgement)
                                           : absl::OkStatus();
}

absl::Status CoordinatorService::Save(Draft& draft) {
  const Changes changes = draft.state.TakeChanges();
  if (!changes.empty() || !draft.events.empty() || !draft.terms.empty() ||
      draft.acknowledgement.has_value() || draft.evaluation.has_value()) {
    const Stopwatch watch(clock_);
    const absl::Status status =
        store_->Transaction([&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return Put(changes, draft); });
    metrics_.Seconds("lvrpo_coordinator_database_write_seconds").Observe(watch.Seconds());
    if (!status.ok()) {
      NoteWriteFailure(status);
      return fatal_.ok() ? Degraded()
                         : absl::UnavailableError(
                               absl::StrCat("the coordinator cannot write its records: ", status.message()));
    }
  }
  for (const EventRecord& event : draft.events) {
    const LogGroup about(event.about);
    spdlog::info("{}: {}", event.kind, event.text);
  }
  LogGroups(changes);
  state_ = std::move(draft.state);
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
    status =
        store_->Transaction([&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return store_->PutEvent(event); });
  }
  if (!status.ok()) return NoteWriteFailure(status);
  degraded_ = absl::OkStatus();
  spdlog::info("recovered: {}", text);
  if (log_is_behind_) RewriteLog();
}

}  // namespace lvrpo
