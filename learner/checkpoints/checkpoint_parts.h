#pragma once

#include <functional>
#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/clock.h"

// How ranks of a learner write one checkpoint together. Each writes its part of the optimizers' state to a
// folder next to the checkpoint's and announces it there; rank 0 moves the parts into the checkpoint before
// that gets its name. All see one run folder. Thread-safe.
namespace lvrpo {

// "optimizer-00002-of-00004.safetensors": part 2, from 0, of 4.
std::string OptimizerPart(int part, int parts);

// Where parts of the checkpoint `folder` wait. `made_by`: what tells apart who writes this step with which
// weights; parts of others are in other folders. PruneCheckpoints removes what is left of them.
std::string PartsFolder(const std::string& folder, const std::string& made_by);

// Says that the file `name` of the parts' folder `from` is complete, and what its SHA-256 is.
absl::Status AnnouncePart(const std::string& from, const std::string& name);
// Takes an earlier announcement back.
absl::Status WithdrawPart(const std::string& from, const std::string& name);

// How long parts are waited for.
struct PartsPatience {
  absl::Duration silent = absl::Seconds(60);  // while nothing is written
  // Whether the ranks have lost each other: what is not being written will not come. Then:
  std::function<bool()> lost = nullptr;
  absl::Duration silent_when_lost = absl::Seconds(2);
  Waiting waiting = {};
};
// Moves parts 1 to parts - 1 to the folder `into`, and removes the folder `from`. Their SHA-256 by name.
// DeadlineExceeded names the first part that did not come; DataLoss: one is not what was announced.
absl::StatusOr<std::map<std::string, std::string>> TakeParts(const std::string& from, int parts,
                                                             const std::string& into,
                                                             const PartsPatience& patience);

}  // namespace lvrpo
