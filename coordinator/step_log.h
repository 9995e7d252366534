#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/event_file.h"
#include "proto/lvrpo/v1/records.pb.h"

namespace lvrpo {

// The figures of committed steps for people and their tools: metrics.jsonl (one JSON object a line) and a
// TensorBoard event file in tensorboard/. Both are copies of the records, written anew when a coordinator
// starts or steps were abandoned. Not thread-safe.
class StepLog {
 public:
  explicit StepLog(std::string run_dir) : run_dir_(std::move(run_dir)) {}

  // `unix_seconds` names the event file.
  absl::Status Rewrite(const std::vector<v1::StepRecord>& steps, int64_t unix_seconds);
  // After Rewrite.
  absl::Status Append(const v1::StepRecord& step);

 private:
  absl::Status AppendEvent(const v1::StepRecord& step);

  const std::string run_dir_;
  std::unique_ptr<EventFile> events_;
};

}  // namespace lvrpo
