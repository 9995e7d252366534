#include "weight_plane/bucket_hashes.h"

#include <algorithm>
#include <utility>

#include "common/hash.h"
#include "common/stopwatch.h"

namespace lvrpo {
namespace {

// One thread hashes about 2 GB/s where the processor has SHA instructions: two keep up with a 25 Gbit/s link.
constexpr unsigned kMostThreads = 2;

// Below this, starting threads takes longer than hashing.
constexpr size_t kWorthThreads = size_t{1} << 20;

}  // namespace

BucketHashes::BucketHashes(size_t bytes, Hashed hashed) : hashed_(std::move(hashed)) {
  if (bytes < kWorthThreads) return;
  const unsigned threads = std::clamp(std::thread::hardware_concurrency(), 1u, kMostThreads);
  for (unsigned i = 0; i < threads; ++i) threads_.emplace_back([this] { Work(); });
}

BucketHashes::~BucketHashes() { Finish(); }

void BucketHashes::Begin(size_t bucket, const char* bytes, size_t size) {
  absl::MutexLock lock(&mutex_);
  jobs_.push_back(std::make_unique<Job>(Job{.bucket = bucket, .bytes = bytes, .size = size}));
  newest_ = jobs_.back().get();
}

void BucketHashes::Filled(size_t filled) {
  absl::MutexLock lock(&mutex_);
  newest_->filled = filled;
}

double BucketHashes::Finish() {
  {
    absl::MutexLock lock(&mutex_);
    finishing_ = true;
  }
  Work();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
  absl::MutexLock lock(&mutex_);
  return seconds_;
}

size_t BucketHashes::AwaitMore(const Job& job, size_t hashed) {
  absl::MutexLock lock(&mutex_);
  const auto more = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return job.filled > hashed || finishing_; };
  mutex_.Await(absl::Condition(&more));
  return job.filled;
}

void BucketHashes::Work() {
  while (true) {
    Job* job = nullptr;
    {
      absl::MutexLock lock(&mutex_);
      const auto ready = [this]()
                             ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return finishing_ || !jobs_.empty(); };
      mutex_.Await(absl::Condition(&ready));
      if (jobs_.empty()) return;
      taken_.push_back(std::move(jobs_.front()));
      jobs_.pop_front();
      job = taken_.back().get();
    }
    Sha256 hash;
    size_t hashed = 0;
    double seconds = 0;
    while (hashed < job->size) {
      const size_t filled = AwaitMore(*job, hashed);
      if (filled == hashed) break;  // it is never filled
      const Stopwatch watch;
      hash.Update(job->bytes + hashed, filled - hashed);
      seconds += watch.Seconds();
      hashed = filled;
    }
    if (hashed == job->size) hashed_(job->bucket, hash.FinishHex());
    absl::MutexLock lock(&mutex_);
    seconds_ += seconds;
  }
}

}  // namespace lvrpo
