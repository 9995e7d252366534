#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "common/files/file.h"
#include "common/hash.h"
#include "proto/lvrpo/v1/trajectory.pb.h"

namespace lvrpo {

// Trajectories on the learner's disk: one file a group, named by ordinal and attempt, written as its bytes
// come, flushed before it is acknowledged, checked against its digest when it is read. Holds at most so many
// bytes. Thread-safe.
class Spool {
 public:
  // `folder` lies in the run folder: it is made again when it is missing, the run folder never.
  explicit Spool(std::string folder, int64_t most_bytes = std::numeric_limits<int64_t>::max(),
                 Clock& clock = RealClock());

  // Makes the folder, counts what is there, removes what a killed process left half written.
  absl::Status Open();

  // One group on its way to the disk. Nothing of it stays without Commit().
  class Writer {
   public:
    ~Writer();
    // DataLoss when more comes than was announced. Other errors: the disk.
    absl::Status Append(const std::string& bytes);
    // The group is on disk. DataLoss when bytes are missing or do not match the digest. Attempts before this
    // one are removed: they are over.
    absl::Status Commit();

   private:
    friend class Spool;
    Writer(Spool& spool, int64_t ordinal, int32_t attempt, std::string digest, int64_t size)
        : spool_(spool), ordinal_(ordinal), attempt_(attempt), digest_(std::move(digest)), size_(size) {}
    Spool& spool_;
    const int64_t ordinal_;
    const int32_t attempt_;
    const std::string digest_;
    const int64_t size_;
    int64_t written_ = 0;
    Sha256 hash_;
    std::unique_ptr<AtomicFile> file_;
  };
  // ResourceExhausted when `size` bytes more are more than the spool may hold, or the disk is full; NotFound
  // when the run folder is gone; other errors of the disk.
  absl::StatusOr<std::unique_ptr<Writer>> Begin(int64_t ordinal, int32_t attempt, const std::string& digest,
                                                int64_t size);

  // NotFound, or DataLoss when the file is damaged.
  absl::StatusOr<v1::TrajectoryGroup> Get(int64_t ordinal, int32_t attempt, const std::string& digest) const;
  // Removes what belongs to lower ordinals.
  void RemoveBelow(int64_t ordinal);

  int64_t bytes() const;  // on disk and on their way

  // Why nothing can be stored, and since when: the disk fails, or the spool holds all it may.
  struct Trouble {
    std::string what;
    absl::Time since;
    bool disk = false;
    int64_t bytes = 0;  // of the group that could not be stored
  };
  // None while groups can be stored, as far as is known.
  std::optional<Trouble> trouble() const;
  // Finds out whether a disk that failed takes as much again as it refused.
  void Probe();

 private:
  using Key = std::pair<int64_t, int32_t>;
  std::string PathOf(int64_t ordinal, int32_t attempt) const;
  // A file in the folder, which is made again if need be.
  absl::StatusOr<std::unique_ptr<AtomicFile>> Create(const std::string& path);
  // Of an attempt to store a group of `bytes`; returns `status`.
  absl::Status Note(const absl::Status& status, bool disk, int64_t bytes);
  void Remove(const Key& key) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::string folder_;
  const int64_t most_bytes_;
  Clock& clock_;
  mutable absl::Mutex mutex_;
  std::map<Key, int64_t> stored_ ABSL_GUARDED_BY(mutex_);  // bytes of each file
  int64_t stored_bytes_ ABSL_GUARDED_BY(mutex_) = 0, coming_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  std::optional<Trouble> trouble_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace lvrpo
