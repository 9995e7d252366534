#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "proto/lvrpo/v1/learner.pb.h"

namespace lvrpo {

// Trajectories on the learner's disk: one file a group, named by ordinal and attempt, flushed before it is
// acknowledged, checked against its digest when it is read. Thread-safe for different groups.
class Spool {
 public:
  explicit Spool(std::string folder) : folder_(std::move(folder)) {}

  absl::Status Open();  // makes the folder
  // DataLoss when the bytes do not match `digest`.
  absl::Status Put(int64_t ordinal, int32_t attempt, const std::string& digest, const std::string& bytes);
  // NotFound, or DataLoss when the file is damaged.
  absl::StatusOr<v1::TrajectoryGroup> Get(int64_t ordinal, int32_t attempt, const std::string& digest) const;
  // Removes what belongs to lower ordinals.
  void RemoveBelow(int64_t ordinal);

 private:
  std::string PathOf(int64_t ordinal, int32_t attempt) const;
  const std::string folder_;
};

}  // namespace lvrpo
