#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "proto/lvrpo/v1/trajectory.pb.h"

namespace lvrpo {

// What a learner knows of the leases in use: its own registration and the coordinator's last view.
struct OpenLeases {
  std::string run_id;  // empty: not known yet
  int64_t run_epoch = 0;
  int64_t lowest_open_ordinal = 0, next_ordinal = 0;
};

// Whether an upload with this header can belong to a lease. Unavailable: not now, retry later;
// FailedPrecondition (WRONG_RUN) and InvalidArgument: never.
absl::Status CheckUpload(const v1::UploadHeader& header, const OpenLeases& open, int64_t most_bytes);

}  // namespace lvrpo
