#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "collectives/collectives.h"
#include "common/telemetry/metrics.h"
#include "learner/copies/state_slices.h"
#include "learner/copies/step_copies.h"
#include "learner/ranks/step_agreement.h"
#include "learner/trainer.h"

namespace lvrpo {

// Keeps copies of a learner's newest steps in memory, from which it goes on when it is started again: of each
// rank, and with several machines of its neighbour on the next one (PartsToKeep). All ranks make the same
// calls in the same order. A rank that cannot write or read copies says so once and goes on without.
//
// Errors are Aborted: the ranks no longer work together. Not thread-safe.
class StepKeeper {
 public:
  struct Options {
    std::string folder, run_id, config_digest;
    std::string epoch;  // of these ranks
    bool sharded = false;
  };
  // `collectives`: null with one rank. All must outlive it.
  StepKeeper(Options options, GrpoTrainer& trainer, Collectives* collectives, Metrics& metrics);

  // Once, before the others.
  absl::Status Open();
  // Restores a committed step, if all parts of it are there among the ranks: every rank's trainer, which is
  // not sharded yet, has its weights and optimizers' state then. False: they are not, and nothing has
  // changed.
  absl::StatusOr<bool> Restore(const CopiedStep& step);
  // Copies the step that the trainer has taken, before it is committed: when this has returned on a rank, all
  // ranks have done what they can.
  absl::Status Keep(const CopiedStep& step);
  // The run goes on from a checkpoint, or has finished: the copies are removed.
  void Remove();

 private:
  absl::StatusOr<bool> AllOf(bool own);  // whether it is so on all ranks
  // All parts of the step; none: they are not there.
  absl::StatusOr<std::vector<TensorMap>> Collect(const CopiedStep& step);
  // Whether this rank has read what it should of `source`, into `parts`; what it could not is not offered
  // again.
  bool ReadOwn(const CopiedStep& step, const CopySource& source, std::vector<TensorMap>& parts);
  absl::StatusOr<StateTensors> Join(std::vector<TensorMap> parts, const CopiedStep& step) const;
  absl::Status Write(const CopiedStep& step, const std::map<int, TensorMap>& gathered);
  void Note(const absl::Status& status);

  const Options options_;
  GrpoTrainer& trainer_;
  Collectives* const collectives_;
  StepAgreement ranks_;
  Metrics& metrics_;
  std::unique_ptr<StepCopies> copies_;  // null: the folder cannot be used
  bool exchanges_ = false;              // some rank keeps a part of another
  std::vector<int> kept_;               // parts that this rank writes
  std::vector<int> here_;               // first rank of a folder: parts that are written there
  std::vector<CopyOffer> unusable_;     // damaged
  bool well_ = true;                    // the newest copies were written
};

}  // namespace lvrpo
