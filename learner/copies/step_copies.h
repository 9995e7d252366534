#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "learner/copies/copy_plan.h"
#include "model/weights/weights.h"

namespace lvrpo {

// Which state a copy holds: a committed step, or one that is about to be committed.
struct CopiedStep {
  int64_t step = 0;    // committed steps with it
  std::string digest;  // of the version's weights
};

// Copies of a learner's newest steps in a folder, which is meant to be in memory (tmpfs): it survives the
// process, and a container's restart, but not the machine's.
//
// Of each part two copies stay, of the newest step and of the one before; a new one takes the place of the
// older. Each is a safetensors file with a manifest, which is removed before the file is written and written
// after it: a process that is killed in between leaves no copy of that step, and the other one untouched. A
// manifest names the run, the configuration, the step with its weights' digest, the learner epoch, and the
// checksums of the tensors: CRC-32, as the bytes do not leave this machine's memory, where SHA-256 would take
// longer than writing them. One writer of a part at a time. Not thread-safe.
class StepCopies {
 public:
  struct Options {
    std::string folder;  // of all runs
    std::string run_id, config_digest;
  };
  // Makes the run's folder, for this user alone. PermissionDenied when it is somebody else's; errors as in
  // common/files/filesystem.h.
  static absl::StatusOr<std::unique_ptr<StepCopies>> Open(Options options);

  // What identifies the folder: the same for all ranks that see it.
  const std::string& token() const { return token_; }

  // Copies of this step in the folder, whoever wrote them. Their bytes are not read yet.
  std::vector<CopyOffer> Find(const CopiedStep& step) const;
  // NotFound: it is not there (any more). DataLoss: it is damaged.
  absl::StatusOr<TensorMap> Read(const CopiedStep& step, const CopyOffer& copy) const;
  // ResourceExhausted: there is no room; then there is no copy of this part and step, and no bytes of it.
  absl::Status Write(const CopiedStep& step, const CopyOffer& copy, const TensorMap& tensors);
  // Removes what takes the place of this step's copies and is none of `kept`, the parts that are written
  // here.
  void RemoveOthers(int64_t step, const std::vector<int>& kept, int parts);
  // Removes the folder of the run.
  void Remove();

 private:
  StepCopies(Options options, std::string folder, std::string token)
      : options_(std::move(options)), folder_(std::move(folder)), token_(std::move(token)) {}

  const Options options_;
  const std::string folder_, token_;
};

}  // namespace lvrpo
