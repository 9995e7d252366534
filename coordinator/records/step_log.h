#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "common/telemetry/event_file.h"
#include "proto/lvrpo/v1/records.pb.h"

namespace lvrpo {

// Metrics of committed steps: metrics.jsonl (one JSON object a line) and a
// TensorBoard event file in tensorboard/. Both are copies of the records, rewritten when a coordinator
// starts (what is already there is kept) or steps were abandoned. Not thread-safe.
class StepLog {
 public:
  explicit StepLog(std::string run_dir) : run_dir_(std::move(run_dir)) {}

  // `for_each` visits all steps in order, such as Store::ForEachStep; `last` is the newest of them, null when
  // there is none: a metrics.jsonl that ends in it is complete and stays. `unix_seconds` names the event
  // file.
  using Visit = std::function<absl::Status(const v1::StepRecord&)>;
  absl::Status Rewrite(const std::function<absl::Status(const Visit&)>& for_each, const v1::StepRecord* last,
                       int64_t unix_seconds);
  // Also when Rewrite failed.
  absl::Status Append(const v1::StepRecord& step);

 private:
  absl::Status AppendEvent(const v1::StepRecord& step);

  const std::string run_dir_;
  std::unique_ptr<EventFile> events_;
};

}  // namespace lvrpo
