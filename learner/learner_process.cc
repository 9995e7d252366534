#include "learner/learner_process.h"

#include <cstdlib>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/clock.h"
#include "common/exit_code.h"
#include "common/files/await_folder.h"
#include "common/files/filesystem.h"
#include "learner/ranks/rank_process.h"
#include "role/ending.h"
#include "spdlog/spdlog.h"

namespace lvrpo {
namespace {

using Stub = v1::Coordinator::Stub;

constexpr int kMostUploads = 64;  // at once; others are told to retry
// Uploads whose header has not come.
constexpr CallWatch::Options kGreetings = {
    .most = 32, .longest = absl::Seconds(2), .silent = absl::Seconds(2)};
constexpr int kOtherThreads = 64;  // of the RPC server
constexpr size_t kKeptVersions = 2;
constexpr absl::Duration kAbortPatience = absl::Seconds(5);  // with collectives that are aborted
// What an operation of all ranks may take before the others are said to be late.
constexpr absl::Duration kRanksPatience = absl::Seconds(3);

// An honest transfer ends within three times the time-out of a call.
CallWatch::Options Bounds(int most, const v1::RunConfig& config) {
  const absl::Duration timeout = absl::Seconds(config.rpc().timeout_seconds());
  return {.most = most, .longest = timeout * 4, .silent = timeout};
}

// A group of another rank: no samples, but of its task.
SampledGroup Outline(const v1::AssignedGroup& assigned, const PromptSource::Prompt& prompt) {
  SampledGroup group;
  group.ordinal = assigned.ordinal();
  group.attempt = assigned.attempt();
  group.version = assigned.version();
  if (prompt.record.task() == v1::TASK_KIND_TEXT) group.samples = TextGroup();
  return group;
}

}  // namespace

LearnerProcess::LearnerProcess(const RoleFlags& flags, const v1::RunConfig& config, Training& training,
                               ShutdownSignal& shutdown, RankTransport transport, RoleHealth& health)
    : flags_(flags),
      config_(config),
      training_(training),
      shutdown_(shutdown),
      transport_(std::move(transport)),
      health_(health),
      metrics_(health.metrics()),
      spool_(SpoolFolderOf(flags.run_dir, flags.rank), int64_t{config.train().spool_mib()} << 20),
      uploads_(Bounds(kMostUploads, config)),
      greetings_(kGreetings),
      downloads_(Bounds(kMostWeightStreams, config)),
      weights_(downloads_, kKeptVersions,
               [this](int64_t bytes) {
                 metrics_.Counter("lvrpo_learner_weight_bytes_total", {{"transport", "grpc"}})
                     .Increment(static_cast<double>(bytes));
               }),
      gang_(config, flags.rank, weights_, metrics_),
      inbox_(spool_, uploads_, greetings_, LargestGroupBytes(training.rules, training.prompts), metrics_),
      store_(CheckpointStore::Create(
          config.checkpoints(), [this] { return leaving_.HasBeenNotified(); }, StoreWaiting())),
      copies_(MakeUploads()),
      loop_(
          {.config = config,
           .run_dir = flags.run_dir,
           .writing = &writing_,
           .store = store_.ok() ? store_->get() : nullptr,
           .uploads = copies_.get()},
          [this](const v1::TrajectoryGroup& group) {
            return ReadGroup(group, training_.prompts.At(group.ordinal()), training_.rules);
          },
          *training.trainer, spool_, gang_.publisher(), LoopSession(), Waiting(), metrics_) {
  metrics_.WatchDisk("run", flags_.run_dir);
}

Waiting LearnerProcess::StoreWaiting() {
  return {.sleep = [this](absl::Duration wait) { leaving_.WaitForNotificationWithTimeout(wait); }};
}

std::unique_ptr<CheckpointUploads> LearnerProcess::MakeUploads() {
  if (!store_.ok() || *store_ == nullptr || flags_.rank > 0) return nullptr;  // rank 0 saves
  return std::make_unique<CheckpointUploads>(
      CheckpointUploads::Options{.run_dir = flags_.run_dir, .keep = config_.checkpoints().stored()}, **store_,
      uploading_,
      [this](const v1::CheckpointRecord& record) {
        v1::RecordCheckpointRequest request = RecordRequest(record, "");
        {
          absl::MutexLock lock(&mutex_);
          request.set_learner_epoch(epoch_);
        }
        return process_->session().Call(&Stub::RecordCheckpoint, request).status();
      },
      StoreWaiting(), metrics_);
}

void LearnerProcess::EndBackground() {
  writing_.Finish();
  leaving_.Notify();
  uploading_.Finish();
}

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
  report.state = shutdown_.requested() ? kLeaving : loop_.started() ? "ready" : "starting";
  {
    absl::MutexLock lock(&mutex_);
    report.learner_epoch = epoch_;
  }
  if (blocked_.Lasted(RealClock().Now()) > kRanksPatience) {
    report.waiting_for = "other ranks of the learner";
    report.obstacle = v1::OBSTACLE_RANKS;
  }
  if (!loop_.started()) return report;
  if (flags_.rank == 0) {  // it serves the weights
    report.version = loop_.version();
    report.weight_streams = downloads_.open();
  }
  if (report.obstacle == v1::OBSTACLE_RANKS) return report;
  const LearnerLoop::Wait wait = loop_.waits_for();
  report.waiting_for = wait.words;
  report.obstacle = wait.obstacle;
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
  const std::string awaited =
      absl::StrCat("the run folder ", flags_.run_dir, ", which the coordinator makes");
  health_.state().SetLoading("");
  health_.state().SetWaiting(awaited);
  if (!IsFolder(flags_.run_dir)) spdlog::warn("waits for {}", awaited);
  const absl::Status there =
      AwaitFolder(flags_.run_dir, flags_.patience(), stopped,
                  {.sleep = [this](absl::Duration duration) { shutdown_.WaitFor(duration); }});
  if (absl::IsUnavailable(there)) {
    return absl::UnavailableError(
        absl::StrCat(there.message(), ": start the coordinator with the same --run-dir"));
  }
  if (!there.ok()) return there;
  health_.state().SetWaiting(absl::StrCat("the lock of another learner in ", flags_.run_dir));
  return FileLock::Take(LockFileOf(flags_.run_dir, flags_.rank), flags_.patience(), stopped);
}

absl::StatusOr<v1::LearnerPlace> LearnerProcess::OpenPlace() {
  v1::LearnerPlace place;
  place.set_rank(flags_.rank);
  place.set_ranks(flags_.ranks);
  if (flags_.ranks == 1) return place;
  if (absl::Status status = CheckRankNetwork(flags_, config_.learner().trusted_network()); !status.ok())
    return status;
  if (flags_.rank > 0) return place;
  const absl::StatusOr<std::string> host = HostForRanks(flags_);
  if (!host.ok()) return host.status();
  const absl::StatusOr<std::string> rendezvous = transport_.open(*host);
  if (!rendezvous.ok()) return rendezvous.status();
  place.set_rendezvous(*rendezvous);
  return place;
}

absl::Status LearnerProcess::Join() {
  const absl::StatusOr<v1::LearnerPlace> place = OpenPlace();
  if (!place.ok()) return place.status();
  absl::StatusOr<std::unique_ptr<RoleProcess>> process =
      RoleProcess::Start(flags_, config_, health_,
                         {.services = {&inbox_, &weights_, &gang_.service()},
                          .max_threads = kMostUploads + kGreetings.most + kOtherThreads});
  if (!process.ok()) return process.status();
  process_ = *std::move(process);
  if (absl::Status status = process_->Announce(); !status.ok()) return status;
  const absl::Status joined = process_->Join({.role = v1::ROLE_LEARNER,
                                              .contract = training_.contract,
                                              .learner = *place,
                                              .report = [this] { return Report(); }},
                                             shutdown_);
  if (joined.ok()) {
    health_.state().SetLoading("the weights that training goes on from");
    health_.state().SetTrouble([this] {
      const LearnerLoop::Wait wait = loop_.waits_for();
      return wait.obstacle == v1::OBSTACLE_DISK ? wait.words : "";
    });
    inbox_.Open([this] { return Leases(); });
    gang_.Open([this] { return process_->session().fence(); });
  }
  return joined;
}

void LearnerProcess::LeaveEpoch(const absl::Status& why) {
  const std::string words(why.message());
  spdlog::warn("{}", words);
  joined_.collectives->Abort(words);
  if (trained_.WaitForNotificationWithTimeout(kAbortPatience)) return;
  // A step is computed, or collectives wait that cannot be aborted (Gloo's).
  process_->session().Leave(words);
  spdlog::default_logger()->flush();
  std::_Exit(kExitRetry);
}

absl::Status LearnerProcess::Train() {
  MemberSession& session = process_->session();
  absl::StatusOr<JoinedEpoch> joined = MeetRanks(flags_.rank, transport_,
                                                 {.view = [&] { return session.view(); },
                                                  .lost = [&] { return session.lost(); },
                                                  .stop = [this] { return shutdown_.requested(); }},
                                                 Waiting());
  if (absl::IsCancelled(joined.status())) {
    drained_ = !shutdown_.requested() || session.view().draining();
    return drained_ ? absl::OkStatus() : joined.status();
  }
  if (!joined.ok()) return joined.status();
  joined_ = *std::move(joined);
  if (joined_.collectives != nullptr)
    joined_.collectives = Measured(std::move(joined_.collectives), metrics_, RealClock(), &blocked_);
  {
    absl::MutexLock lock(&mutex_);
    epoch_ = joined_.epoch.id();
  }
  if (flags_.rank == 0) RemoveSpoolsFrom(flags_.run_dir, flags_.ranks);
  std::optional<EpochWatch> watch;
  if (flags_.ranks > 1) {
    watch.emplace(
        joined_.epoch,
        EpochWatch::Calls{
            .next_view = [&](int64_t seen) { return session.WaitForView(seen, absl::Milliseconds(200)); },
            .view = [&] { return session.view(); },
            .over = [this](const absl::Status& why) { LeaveEpoch(why); }});
  }
  absl::Status status = TrainTogether();
  trained_.Notify();
  return status;
}

absl::Status LearnerProcess::TrainTogether() {
  LearnerLoop::Team team = {.epoch = joined_.epoch, .collectives = joined_.collectives.get()};
  if (team.collectives != nullptr) {
    team.outline = [this](const v1::AssignedGroup& assigned) {
      return Outline(assigned, training_.prompts.At(assigned.ordinal()));
    };
  }
  team.run_id = process_->session().registration().run_id();
  if (*store_ != nullptr) (*store_)->NameRun(team.run_id);
  const auto& checkpoints = process_->session().registration().checkpoints();
  if (absl::Status status = loop_.Start({checkpoints.begin(), checkpoints.end()}, team); !status.ok())
    return status;
  health_.state().SetLoading("");
  const absl::Status status = loop_.Run([this] { return shutdown_.requested(); });
  complete_ = loop_.step() >= config_.train().steps();
  drained_ = loop_.drained() || process_->session().view().draining();
  return status;
}

absl::Status LearnerProcess::Run() {
  const absl::Status status = Work();
  return EndingOf(
      {.status = status, .complete = complete_, .drained = drained_, .told = shutdown_.requested()});
}

absl::Status LearnerProcess::Work() {
  if (!store_.ok()) return store_.status();
  if (shutdown_.requested()) return absl::CancelledError("it had not joined the run");
  const absl::StatusOr<FileLock> lock = TakeRunFolder();
  if (!lock.ok()) return lock.status();
  if (absl::Status status = spool_.Open(); !status.ok()) return status;
  if (absl::Status status = Join(); !status.ok()) return status;
  const absl::Status status = Train();
  EndBackground();
  process_->End(status.ok() ? "done" : std::string(status.message()), absl::Seconds(1));
  return status;
}

}  // namespace lvrpo
