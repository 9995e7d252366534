#include "learner/checkpoint_writer.h"

#include <utility>

#include "common/clock.h"
#include "common/files/filesystem.h"
#include "common/stopwatch.h"
#include "learner/checkpoints/checkpoint_folder.h"
#include "spdlog/spdlog.h"

namespace lvrpo {

CheckpointWriter::CheckpointWriter(Options options, Executor& executor, Record record, Metrics& metrics)
    : options_(std::move(options)), executor_(executor), record_(std::move(record)), metrics_(metrics) {
  NoteTime();
}

void CheckpointWriter::NoteTime() {
  metrics_.Gauge("lvrpo_learner_checkpoint_timestamp_seconds")
      .Set(absl::ToDoubleSeconds(RealClock().Now() - absl::UnixEpoch()));
}

absl::StatusOr<Checkpoint> CheckpointWriter::Load(const v1::CheckpointRecord& record) {
  const std::string folder = JoinPath(options_.run_dir, record.path());
  absl::StatusOr<Checkpoint> local = LoadCheckpoint(folder, record.digest());
  const bool lost = absl::IsNotFound(local.status()) || absl::IsDataLoss(local.status());
  if (!lost || options_.store == nullptr || record.store().empty()) return local;
  spdlog::warn("{}; fetching it from {}", std::string(local.status().message()), record.store());
  if (absl::Status status = options_.store->Download(record.store(), record.digest(), folder); !status.ok())
    return status;
  return LoadCheckpoint(folder, record.digest());
}

void CheckpointWriter::Begin(int64_t step, const std::vector<v1::CheckpointRecord>& recorded) {
  {
    absl::MutexLock lock(&mutex_);
    for (const v1::CheckpointRecord& record : recorded) {
      if (record.step() > step) continue;
      recorded_[record.step()] = RewardOf(record);
    }
  }
  if (options_.uploads != nullptr) options_.uploads->Begin(step, recorded);
}

void CheckpointWriter::NoteReward(double reward) {
  absl::MutexLock lock(&mutex_);
  rewards_.sum += reward;
  ++rewards_.steps;
}

void CheckpointWriter::Write(Checkpoint snapshot) {
  v1::CheckpointRecord record;
  record.set_step(snapshot.step);
  record.set_path(CheckpointPath(snapshot.step));
  Rewards rewards;
  {
    absl::MutexLock lock(&mutex_);
    busy_ = true;
    outcome_.reset();
    rewards = std::exchange(rewards_, Rewards());
  }
  if (rewards.steps > 0) record.set_reward(rewards.sum / static_cast<double>(rewards.steps));
  // std::function wants to be copied.
  const auto shared = std::make_shared<const Checkpoint>(std::move(snapshot));
  executor_.Run([this, shared, record, rewards] {
    if (shared->part > 0) {
      WritePart(*shared, record.path());
    } else {
      WriteNow(*shared, record, rewards);
    }
  });
}

void CheckpointWriter::WritePart(const Checkpoint& snapshot, const std::string& path) {
  const absl::Status written = SavePart(JoinPath(options_.run_dir, path), snapshot);
  if (written.ok()) NoteTime();
  absl::MutexLock lock(&mutex_);
  outcome_ = {.step = snapshot.step, .written = written, .recorded = absl::OkStatus()};
  busy_ = false;
}

void CheckpointWriter::WriteNow(const Checkpoint& snapshot, v1::CheckpointRecord record,
                                const Rewards& rewards) {
  const Stopwatch watch;
  Outcome outcome = {.step = snapshot.step};
  PartsPatience patience;
  patience.lost = [this] { return lost_.load(); };
  patience.waiting = options_.waiting;
  const absl::StatusOr<std::string> digest =
      SaveCheckpoint(JoinPath(options_.run_dir, record.path()), snapshot, patience);
  outcome.written = digest.status();
  if (digest.ok()) {
    record.set_digest(*digest);
    outcome.recorded = record_(record, snapshot.weights_digest);
  }
  const bool done = outcome.written.ok() && outcome.recorded.ok();
  if (done) {
    metrics_.Counter("lvrpo_learner_checkpoints_total").Increment();
    NoteTime();
    metrics_.Seconds("lvrpo_learner_checkpoint_write_seconds").Observe(watch.Seconds());
    if (options_.uploads != nullptr) options_.uploads->Add(record);
    Prune(record);
  }
  absl::MutexLock lock(&mutex_);
  if (!done) {
    rewards_.sum += rewards.sum;
    rewards_.steps += rewards.steps;
  }
  outcome_ = std::move(outcome);
  busy_ = false;
}

void CheckpointWriter::Prune(const v1::CheckpointRecord& newest) {
  std::set<int64_t> kept;
  int64_t oldest;
  {
    absl::MutexLock lock(&mutex_);
    recorded_[newest.step()] = RewardOf(newest);
    kept = KeptCheckpoints(recorded_, options_.keep);
    oldest = recorded_.begin()->first;
  }
  if (options_.uploads != nullptr) kept.merge(options_.uploads->pending());
  PruneCheckpoints(JoinPath(options_.run_dir, "checkpoints"), oldest, kept);
}

bool CheckpointWriter::busy() const {
  absl::MutexLock lock(&mutex_);
  return busy_;
}

std::optional<CheckpointWriter::Outcome> CheckpointWriter::TakeOutcome() {
  absl::MutexLock lock(&mutex_);
  return std::exchange(outcome_, std::nullopt);
}

v1::RecordCheckpointRequest RecordRequest(const v1::CheckpointRecord& record,
                                          const std::string& weights_digest) {
  v1::RecordCheckpointRequest request;
  request.set_step(record.step());
  request.set_path(record.path());
  request.set_digest(record.digest());
  request.set_store(record.store());
  if (record.has_reward()) request.set_reward(record.reward());
  request.set_weights_digest(weights_digest);
  return request;
}

}  // namespace lvrpo
