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

// Trajectories on the learner's disk: one file per group, named by ordinal and attempt, written as its bytes
// arrive, flushed before it is acknowledged, checked against its digest when it is read. Bounded in bytes.
// Thread-safe.
class Spool {
 public:
  // `folder` is in the run folder: it is created when missing, the run folder never.
  explicit Spool(std::string folder, int64_t most_bytes = std::numeric_limits<int64_t>::max(),
                 Clock& clock = RealClock());

  // Creates the folder, counts its files, removes what a killed process left half written.
  absl::Status Open();

  // One group being written. Removed unless Commit() succeeds.
  class Writer {
   public:
    ~Writer();
    // DataLoss when more bytes arrive than were announced; ResourceExhausted when others have filled the
    // spool meanwhile. Other errors: the disk.
    absl::Status Append(const std::string& bytes);
    // OK: the group is on disk. DataLoss when bytes are missing or do not match the digest. Removes earlier
    // attempts.
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
  // ResourceExhausted when `size` more bytes exceed the spool's limit, or the disk is full; NotFound when the
  // run folder is gone; other errors: the disk.
  absl::StatusOr<std::unique_ptr<Writer>> Begin(int64_t ordinal, int32_t attempt, const std::string& digest,
                                                int64_t size);

  // NotFound, or DataLoss when the file is damaged.
  absl::StatusOr<v1::TrajectoryGroup> Get(int64_t ordinal, int32_t attempt, const std::string& digest) const;
  // Removes groups of lower ordinals.
  void RemoveBelow(int64_t ordinal);

  int64_t bytes() const;  // on disk and being written

  // Why nothing can be stored, and since when: the disk fails, or the spool is full.
  struct Trouble {
    std::string what;
    absl::Time since;
    bool disk = false;
    int64_t bytes = 0;  // of the group that could not be stored
  };
  // None while groups can be stored, as far as is known.
  std::optional<Trouble> trouble() const;
  // Probes a failed disk: whether it now takes as many bytes as it refused.
  void Probe();

 private:
  using Key = std::pair<int64_t, int32_t>;
  std::string PathOf(int64_t ordinal, int32_t attempt) const;
  // Path of a file in the folder, which is created when missing.
  absl::StatusOr<std::unique_ptr<AtomicFile>> Create(const std::string& path);
  // OK when `size` more bytes may come, of which the first `now` are here and are counted.
  absl::Status Admit(int64_t size, int64_t now);
  // Notes the outcome of an attempt to store a group of `bytes`; returns `status`.
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
