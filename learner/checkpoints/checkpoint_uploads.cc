#include "learner/checkpoints/checkpoint_uploads.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/files/filesystem.h"
#include "common/net/retry.h"
#include "common/stopwatch.h"
#include "spdlog/spdlog.h"

namespace lvrpo {
namespace {

constexpr int kTriesOfDamaged = 3;  // bytes may be damaged on their way as well as on the disk

// Whether other requests would fail alike, and the same may succeed later.
bool IsAway(const absl::Status& status) {
  return absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status) || absl::IsCancelled(status);
}

}  // namespace

CheckpointUploads::CheckpointUploads(Options options, CheckpointStore& store, Executor& executor,
                                     Record record, Waiting waiting, Metrics& metrics)
    : options_(std::move(options)),
      store_(store),
      executor_(executor),
      record_(std::move(record)),
      waiting_(std::move(waiting)),
      metrics_(metrics) {}

void CheckpointUploads::Begin(int64_t step, const std::vector<v1::CheckpointRecord>& recorded) {
  std::optional<v1::CheckpointRecord> newest;
  {
    absl::MutexLock lock(&mutex_);
    begin_ = step;
    for (const v1::CheckpointRecord& record : recorded) {
      if (record.step() > step) continue;
      if (store_.IsPlaceOf(record.store(), record.step())) stored_[record.step()] = RewardOf(record);
      if (!newest.has_value() || record.step() > newest->step()) newest = record;
    }
  }
  if (newest.has_value() && !Has(newest->step())) Add(*newest);
}

void CheckpointUploads::Add(const v1::CheckpointRecord& record) {
  absl::MutexLock lock(&mutex_);
  pending_[record.step()] = record;
  if (std::exchange(busy_, true)) return;
  executor_.Run([this] { SendNext(); });
}

std::set<int64_t> CheckpointUploads::pending() const {
  absl::MutexLock lock(&mutex_);
  std::set<int64_t> steps;
  for (const auto& [step, record] : pending_) steps.insert(step);
  return steps;
}

bool CheckpointUploads::Has(int64_t step) const {
  absl::MutexLock lock(&mutex_);
  return stored_.contains(step);
}

std::string CheckpointUploads::trouble() const {
  absl::MutexLock lock(&mutex_);
  return trouble_;
}

std::optional<v1::CheckpointRecord> CheckpointUploads::TakeNext() {
  absl::MutexLock lock(&mutex_);
  CheckpointRewards all = stored_;
  for (const auto& [step, record] : pending_) all[step] = RewardOf(record);
  const std::set<int64_t> kept = KeptCheckpoints(all, options_.keep);
  std::erase_if(pending_, [&](const auto& entry) { return !kept.contains(entry.first); });
  metrics_.Gauge("lvrpo_learner_checkpoints_not_stored").Set(static_cast<double>(pending_.size()));
  if (pending_.empty()) {
    busy_ = false;
    return std::nullopt;
  }
  return pending_.rbegin()->second;
}

void CheckpointUploads::SendNext() {
  const std::optional<v1::CheckpointRecord> next = TakeNext();
  if (!next.has_value()) return;
  const absl::Status status = Send(*next);
  if (status.ok()) Done(*next);
  if (status.ok() || Fail(*next, status)) return executor_.Run([this] { SendNext(); });
  int failures;
  {
    absl::MutexLock lock(&mutex_);
    failures = failures_;
  }
  waiting_.sleep(DoubledWait(options_.first_wait, options_.longest_wait, failures));
  executor_.Run([this] { SendNext(); });
}

absl::Status CheckpointUploads::Send(v1::CheckpointRecord record) {
  int64_t begin;
  {
    absl::MutexLock lock(&mutex_);
    begin = begin_;
  }
  // Before anything is sent; once the store has answered not again, as what appears after that is not
  // abandoned.
  if (begin >= 0) {
    const absl::Status begun = store_.Begin(begin);
    if (IsAway(begun)) return begun;
    absl::MutexLock lock(&mutex_);
    begin_ = -1;
    if (!begun.ok()) return begun;
  }
  const Stopwatch watch(*waiting_.clock);
  int64_t sent = 0;
  const absl::StatusOr<std::string> place =
      store_.Upload(JoinPath(options_.run_dir, record.path()), record.step(), record.digest(), &sent);
  metrics_.Counter("lvrpo_learner_checkpoint_upload_bytes_total").Increment(static_cast<double>(sent));
  if (!place.ok()) return place.status();
  metrics_.Seconds("lvrpo_learner_checkpoint_upload_seconds").Observe(watch.Seconds());
  record.set_store(*place);
  return record_(record);
}

void CheckpointUploads::Done(const v1::CheckpointRecord& record) {
  metrics_.Counter("lvrpo_learner_checkpoint_uploads_total", {{"outcome", "stored"}}).Increment();
  {
    absl::MutexLock lock(&mutex_);
    pending_.erase(record.step());
    damaged_.erase(record.step());
    stored_[record.step()] = RewardOf(record);
    failures_ = 0;
    trouble_.clear();
  }
  spdlog::info("{} is in the store", record.path());
  Prune();
}

bool CheckpointUploads::Fail(const v1::CheckpointRecord& record, const absl::Status& why) {
  const bool gone = !IsFolder(JoinPath(options_.run_dir, record.path()));
  bool given_up;
  {
    absl::MutexLock lock(&mutex_);
    const bool damaged = absl::IsDataLoss(why) && ++damaged_[record.step()] >= kTriesOfDamaged;
    given_up = gone || damaged || absl::IsAlreadyExists(why);
    trouble_ = absl::StrCat(record.path(), " is not in the object store: ", why.message());
    spdlog::warn("{}{}", trouble_, given_up ? "" : "; it is tried again");
    failures_ = given_up ? 0 : failures_ + 1;
    if (given_up) {
      pending_.erase(record.step());
      damaged_.erase(record.step());
    }
  }
  metrics_.Counter("lvrpo_learner_checkpoint_uploads_total", {{"outcome", given_up ? "given_up" : "failed"}})
      .Increment();
  return given_up;
}

void CheckpointUploads::Prune() {
  std::set<int64_t> remove;
  {
    absl::MutexLock lock(&mutex_);
    const std::set<int64_t> kept = KeptCheckpoints(stored_, options_.keep);
    for (const auto& [step, reward] : stored_) {
      if (!kept.contains(step)) to_remove_.insert(step);
    }
    std::erase_if(stored_, [&](const auto& entry) { return !kept.contains(entry.first); });
    remove = to_remove_;
  }
  for (const int64_t step : remove) {
    const absl::Status status = store_.Remove(step);
    if (!status.ok()) {  // tried again after the next upload
      spdlog::warn("a checkpoint of {} steps stays in the store: {}", step, std::string(status.message()));
      if (IsAway(status)) return;
      continue;
    }
    absl::MutexLock lock(&mutex_);
    to_remove_.erase(step);
  }
}

}  // namespace lvrpo
