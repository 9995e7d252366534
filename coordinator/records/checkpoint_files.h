#pragma once

#include <string>
#include <vector>

#include "proto/lvrpo/v1/common.pb.h"

namespace lvrpo {

struct CheckpointFiles {
  bool missing = false;  // the folder has no manifest
  std::vector<std::string>
      faults;  // "has a damaged policy.safetensors"; empty: intact, and what the record says
};

// Reads a recorded checkpoint of a run folder from disk, all bytes of it, and compares it with its record.
CheckpointFiles LookAtCheckpoint(const std::string& run_dir, const v1::CheckpointRecord& record,
                                 const std::string& config_digest);

}  // namespace lvrpo
