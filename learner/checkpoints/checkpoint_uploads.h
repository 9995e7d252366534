#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "common/executor.h"
#include "common/telemetry/metrics.h"
#include "learner/checkpoints/checkpoint_store.h"
#include "learner/checkpoints/kept_checkpoints.h"
#include "proto/lvrpo/v1/common.pb.h"
#include "proto/lvrpo/v1/config.pb.h"

namespace lvrpo {

// Brings recorded checkpoints into the store, in the background and one at a time, the newest first. Trouble
// is reported and tried again after a wait that grows, for as long as the process lives; it never fails a
// caller. A checkpoint that the store would not keep any more when its turn comes is left out. Thread-safe.
class CheckpointUploads {
 public:
  struct Options {
    std::string run_dir;
    v1::KeepConfig keep;                           // in the store
    absl::Duration first_wait = absl::Seconds(5);  // between two tries; doubled each time
    absl::Duration longest_wait = absl::Minutes(1);
  };
  // Tells the coordinator the place of a recorded checkpoint in the store (CheckpointRecord.store). After an
  // error it is told again with the next try.
  using Record = std::function<absl::Status(const v1::CheckpointRecord&)>;
  // All must outlive it, and `executor` must have finished before it goes.
  CheckpointUploads(Options options, CheckpointStore& store, Executor& executor, Record record,
                    Waiting waiting, Metrics& metrics);

  // The run goes on from `step`; these are recorded up to there. The newest of them is sent when no record
  // says that it is in the store.
  void Begin(int64_t step, const std::vector<v1::CheckpointRecord>& recorded);
  // Sends this recorded checkpoint. Its folder must stay until it is no longer among pending().
  void Add(const v1::CheckpointRecord& record);

  // Steps that are waiting or on their way.
  std::set<int64_t> pending() const;
  // Whether the checkpoint of this step is in the store, and recorded there.
  bool Has(int64_t step) const;
  // Why the newest try failed: "s3://...: ..."; empty when it did not.
  std::string trouble() const;

 private:
  void SendNext();
  std::optional<v1::CheckpointRecord> TakeNext();
  absl::Status Send(v1::CheckpointRecord record);
  void Done(const v1::CheckpointRecord& record);
  // True: it is given up, because another try cannot help.
  bool Fail(const v1::CheckpointRecord& record, const absl::Status& why);
  void Prune();

  const Options options_;
  CheckpointStore& store_;
  Executor& executor_;
  const Record record_;
  const Waiting waiting_;
  Metrics& metrics_;
  mutable absl::Mutex mutex_;
  std::map<int64_t, v1::CheckpointRecord> pending_ ABSL_GUARDED_BY(mutex_);
  CheckpointRewards stored_ ABSL_GUARDED_BY(mutex_);
  std::set<int64_t> to_remove_ ABSL_GUARDED_BY(mutex_);  // from the store
  std::string trouble_ ABSL_GUARDED_BY(mutex_);
  int64_t begin_ ABSL_GUARDED_BY(mutex_) = -1;  // step of Begin() of which the store does not know yet
  bool busy_ ABSL_GUARDED_BY(mutex_) = false;   // SendNext is on the executor
  int failures_ ABSL_GUARDED_BY(mutex_) = 0;    // in a row
  // Step -> tries that found its folder, or what arrived of it, damaged.
  std::map<int64_t, int> damaged_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace lvrpo
