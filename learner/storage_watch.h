#pragma once

#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "learner/spool.h"

namespace lvrpo {

// Whether a learner's disk can be written: reports in heartbeats and in the log why it cannot, and when that
// is over. trouble() may be called from any thread, the rest from one.
class StorageWatch {
 public:
  struct Options {
    std::string run_dir;
    absl::Duration patience = absl::Seconds(60);  // with a disk on which no group can be stored
    absl::Duration pause = absl::Seconds(1);      // between probes of the disk, and before it is reported
  };
  // `spool` and `clock` must outlive it.
  StorageWatch(Options options, Spool& spool, Clock& clock);

  // What became of the newest attempt to write a checkpoint.
  void NoteCheckpoint(const absl::Status& status);
  // Why the last checkpoint could not be written; empty when it could.
  std::string checkpoint_trouble() const { return checkpoint_.has_value() ? checkpoint_->what : ""; }

  // Looks at the disk. An error when the run cannot go on: NotFound (the run folder is gone),
  // ResourceExhausted (no group could be stored for `patience`; without checkpoints training goes on).
  absl::Status Check();
  // "its disk: ..." when that has lasted; otherwise empty.
  std::string trouble() const;

 private:
  const Options options_;
  Spool& spool_;
  Clock& clock_;
  std::optional<Spool::Trouble> checkpoint_;  // one that could not be written
  absl::Time next_probe_ = absl::InfinitePast();
  bool reported_ = false;
  mutable absl::Mutex mutex_;
  std::string trouble_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace lvrpo
