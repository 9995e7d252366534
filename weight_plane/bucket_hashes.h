#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace lvrpo {

// Computes the SHA-256 of buckets on dedicated threads while their bytes are still being written: a thread
// follows one bucket, as far as it is filled. Begin(), Filled() and Finish() are for one thread.
class BucketHashes {
 public:
  // `bytes`: of all buckets together; few of them are hashed in Finish(), without other threads. `hashed` is
  // told each whole bucket's lower-case hex SHA-256, on whichever thread.
  using Hashed = std::function<void(size_t bucket, const std::string& sha256)>;
  BucketHashes(size_t bytes, Hashed hashed);
  // As Finish().
  ~BucketHashes();

  // From now on `bytes` (`size` of them) are filled, from the first to the last. They must stay where they
  // are until Finish() has returned. The bucket before it is whole, or is never hashed.
  void Begin(size_t bucket, const char* bytes, size_t size);
  // The first `filled` bytes of the newest bucket are written, and do not change any more.
  void Filled(size_t filled);
  // Hashes what no thread has taken yet, and waits until all whole buckets are hashed. Returns the seconds
  // that all threads together have hashed.
  double Finish();

 private:
  struct Job {
    size_t bucket;
    const char* bytes;
    size_t size, filled = 0;
  };
  void Work();
  // Waits until more than `hashed` bytes of the job are filled, or there is nothing more to do.
  size_t AwaitMore(const Job& job, size_t hashed);

  const Hashed hashed_;
  absl::Mutex mutex_;
  std::deque<std::unique_ptr<Job>> jobs_ ABSL_GUARDED_BY(mutex_);  // not taken by a thread yet
  Job* newest_ ABSL_GUARDED_BY(mutex_) = nullptr;
  std::vector<std::unique_ptr<Job>> taken_ ABSL_GUARDED_BY(mutex_);
  bool finishing_ ABSL_GUARDED_BY(mutex_) = false;
  double seconds_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<std::thread> threads_;
};

}  // namespace lvrpo
