#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "common/clock.h"
#include "common/object_store/file_transfer.h"
#include "common/object_store/s3_client.h"
#include "proto/lvrpo/v1/config.pb.h"

namespace lvrpo {

// A run's checkpoints in an object store:
//   <prefix>/<run>/step_000025/<16 digits of the digest>/...   the files of the folder
//   <prefix>/<run>/step_000025/COMPLETE                        names them; written last, and once
// A checkpoint without COMPLETE does not exist. Of two learners that write one step with different contents
// exactly one gets COMPLETE, and neither touches the other's files. Thread-safe.
class CheckpointStore {
 public:
  // Null when the section names no store; InvalidArgument when it is wrong. `stop` and `waiting`: of
  // S3Client::Options.
  static absl::StatusOr<std::unique_ptr<CheckpointStore>> Create(const v1::CheckpointsConfig& config,
                                                                 std::function<bool()> stop, Waiting waiting);
  // `prefix`: empty, or with a slash at its end.
  CheckpointStore(S3Client::Options client, std::string prefix, TransferOptions transfer = {});

  // Once, before all that follows: whose checkpoints these are.
  void NameRun(const std::string& run_id) { prefix_ += run_id; }

  // What is in the store now of later steps than this was abandoned: the run goes on from here. Their
  // COMPLETE may be replaced; one that appears after this call is another learner's. Aborts uploads that
  // earlier processes of the run began. Nothing is replaced until it has succeeded.
  absl::Status Begin(int64_t step);
  // Sends a complete folder whose manifest has this digest. The place: "s3://bucket/prefix/run/step_000025".
  // OK also when it is there already. AlreadyExists: another learner has written this step. DataLoss: a file
  // of the folder is damaged; NotFound: the folder is gone; other errors of S3Client. Bytes sent are added to
  // `sent`.
  absl::StatusOr<std::string> Upload(const std::string& folder, int64_t step, const std::string& digest,
                                     int64_t* sent);
  // Receives the checkpoint of a place that Upload gave into `folder`, which appears only when all of it is
  // there and verified against the digest, and of which nothing stays when it fails. NotFound: there is none;
  // DataLoss: it is damaged, or another one.
  absl::Status Download(const std::string& place, const std::string& digest, const std::string& folder);
  // Removes COMPLETE first, then the files.
  absl::Status Remove(int64_t step);
  // Whether a recorded place is this store's place of a checkpoint of this step.
  bool IsPlaceOf(const std::string& place, int64_t step) const { return place == Place(KeyOf(step)); }

 private:
  std::string KeyOf(int64_t step) const;
  std::string Place(const std::string& key) const;
  absl::Status Complete(const std::string& key, const std::string& marker);

  const std::string bucket_;
  std::string prefix_;  // of all keys, without the slash at its end
  const TransferOptions transfer_;
  S3Client client_;
  absl::Mutex mutex_;
  std::map<std::string, std::string> abandoned_ ABSL_GUARDED_BY(mutex_);  // key of COMPLETE -> its bytes
};

}  // namespace lvrpo
