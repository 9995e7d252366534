#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "proto/lvrpo/v1/records.pb.h"

// The chain of digests that ties the records of a run together: each step's record names the digest of the
// step before it and of the groups it consumed, so that no record of a consumed group or a committed step can
// be changed, added or taken away without the next one telling. All digests are lower-case hex SHA-256.
namespace lvrpo {

// What a run is, from its configuration: where the chain begins.
struct RunIdentity {
  std::string run_id, config_digest;
  int64_t total_steps = 0, group_size = 0, groups_per_step = 0, max_staleness = 0, filter_zero_variance = 0;
};
std::string IdentityDigest(const RunIdentity& identity);

// Of a record's bytes as they are stored.
std::string RecordDigest(absl::string_view bytes);

// Of the stored bytes of a step's groups, in the order of their ordinals.
std::string GroupsDigest(const std::vector<std::string>& records);

}  // namespace lvrpo
