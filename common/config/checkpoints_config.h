#pragma once

#include "common/config/config_problems.h"
#include "common/object_store/s3_address.h"
#include "proto/lvrpo/v1/config.pb.h"

namespace lvrpo {

// Adds what is wrong with the section `checkpoints`.
void CheckCheckpoints(const v1::CheckpointsConfig& checkpoints, ConfigProblems& problems);

// The server that it names.
S3Server S3ServerOf(const v1::CheckpointsConfig& checkpoints);

}  // namespace lvrpo
