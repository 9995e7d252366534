#include "learner/learner_process.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/files/await_folder.h"
#include "common/files/filesystem.h"

namespace lvrpo {
namespace {

using Stub = v1::Coordinator::Stub;

constexpr int kMostUploads = 64, kMostDownloads = 128;  // at once; others are told to retry
constexpr int kOtherThreads = 64;                       // of the RPC server
constexpr absl::Duration kFolderPatience = absl::Seconds(60), kLockPatience = absl::Seconds(30);

// An honest transfer ends within three times the time-out of a call.
CallWatch::Options Bounds(int most, const v1::RunConfig& config) {
  const absl::Duration timeout = absl::Seconds(config.rpc().timeout_seconds());
  return {.most = most, .longest = timeout * 4, .silent = timeout};
}

}  // namespace

LearnerProcess::LearnerProcess(const RoleFlags& flags, const v1::RunConfig& config, Training& training,
                               ShutdownSignal& shutdown)
    : flags_(flags),
      config_(config),
      training_(training),
      shutdown_(shutdown),
      spool_(JoinPath(flags.run_dir, "spool"), int64_t{config.train().spool_mib()} << 20),
      uploads_(Bounds(kMostUploads, config)),
      downloads_(Bounds(kMostDownloads, config)),
      weights_(downloads_,
               [this](int64_t bytes) {
                 metrics_.Counter("lvrpo_learner_weight_bytes_total", "Bytes of weights sent.")
                     .Increment(static_cast<double>(bytes));
               }),
      inbox_(spool_, uploads_, LargestGroupBytes(training.rules, training.prompts), metrics_),
      loop_(
          {.config = config, .run_dir = flags.run_dir},
          [this](const v1::TrajectoryGroup& group) {
            return ReadGroup(group, training_.prompts.At(group.ordinal()), training_.rules);
          },
          *training.trainer, spool_, weights_, LoopSession(), Waiting(), metrics_) {}

LearnerLoop::Session LearnerProcess::LoopSession() {
  const auto call = [this](auto method) {
    return [this, method](const auto& request) { return process_->session().Call(method, request); };
  };
  return {.start_training = call(&Stub::StartTraining),
          .assign_step = call(&Stub::AssignStep),
          .commit_step = call(&Stub::CommitStep),
          .record_checkpoint = call(&Stub::RecordCheckpoint),
          .report_lost_groups = call(&Stub::ReportLostGroups),
          .view = [this] { return process_->session().view(); },
          .lost = [this] { return process_->session().lost(); }};
}

MemberSession::Report LearnerProcess::Report() const {
  MemberSession::Report report;
  report.state = loop_.started() ? "ready" : "starting";
  if (!loop_.started()) return report;
  report.version = loop_.version();
  report.waiting_for = loop_.waiting_for();
  return report;
}

OpenLeases LearnerProcess::Leases() const {
  const MemberSession& session = process_->session();
  const v1::PoolView view = session.view();
  return {.run_id = session.registration().run_id(),
          .run_epoch = session.fence().run_epoch(),
          .lowest_open_ordinal = view.lowest_open_ordinal(),
          .next_ordinal = view.next_ordinal()};
}

absl::StatusOr<FileLock> LearnerProcess::TakeRunFolder() const {
  const auto stopped = [this] { return shutdown_.requested(); };
  const absl::Status there =
      AwaitFolder(flags_.run_dir, kFolderPatience, stopped,
                  {.sleep = [this](absl::Duration duration) { shutdown_.WaitFor(duration); }});
  if (absl::IsUnavailable(there)) {
    return absl::UnavailableError(
        absl::StrCat(there.message(), ": start the coordinator with the same --run-dir"));
  }
  if (!there.ok()) return there;
  return FileLock::Take(JoinPath(flags_.run_dir, "learner.lock"), kLockPatience, stopped);
}

absl::Status LearnerProcess::Join() {
  absl::StatusOr<std::unique_ptr<RoleProcess>> process =
      RoleProcess::Start(flags_, config_, metrics_,
                         {.services = {&inbox_, &weights_},
                          .max_threads = kMostUploads + kMostDownloads + kOtherThreads,
                          .readiness = [this] { return std::string(loop_.started() ? "" : "starting"); }});
  if (!process.ok()) return process.status();
  process_ = *std::move(process);
  if (absl::Status status = process_->Announce(); !status.ok()) return status;
  const absl::Status joined = process_->Join(
      {.role = v1::ROLE_LEARNER, .contract = training_.contract, .report = [this] { return Report(); }},
      shutdown_);
  if (absl::IsCancelled(joined)) return absl::AbortedError("stopped by a signal before it joined a run");
  if (joined.ok()) inbox_.Open([this] { return Leases(); });
  return joined;
}

absl::Status LearnerProcess::Train() {
  const auto& checkpoints = process_->session().registration().checkpoints();
  if (absl::Status status = loop_.Start({checkpoints.begin(), checkpoints.end()}); !status.ok())
    return status;
  if (absl::Status status = loop_.Run([this] { return shutdown_.requested(); }); !status.ok()) return status;
  if (loop_.step() >= config_.train().steps() || process_->session().view().draining())
    return absl::OkStatus();
  return absl::AbortedError(
      "stopped by a signal after saving a checkpoint; the run goes on when a learner is back");
}

absl::Status LearnerProcess::Run() {
  const absl::StatusOr<FileLock> lock = TakeRunFolder();
  if (absl::IsCancelled(lock.status())) return absl::OkStatus();
  if (!lock.ok()) return lock.status();
  if (absl::Status status = spool_.Open(); !status.ok()) return status;
  if (absl::Status status = Join(); !status.ok()) return status;
  const absl::Status status = Train();
  process_->End(status.ok() ? "done" : std::string(status.message()), absl::Seconds(1));
  return status;
}

}  // namespace lvrpo
