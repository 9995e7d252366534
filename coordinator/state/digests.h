#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "google/protobuf/message_lite.h"

// The digest chain of a run's records: each step's record holds the digest of the step before it and of the
// groups it consumed, so a consumed group or committed step that was changed, added or removed is detected by
// the next record. All digests are lower-case hex SHA-256.
namespace lvrpo {

// Identity of a run, from its configuration: the start of the chain.
struct RunIdentity {
  std::string run_id, config_digest;
  int64_t total_steps = 0, group_size = 0, groups_per_step = 0, max_staleness = 0, filter_zero_variance = 0;
};
std::string IdentityDigest(const RunIdentity& identity);

// A record as it is stored: the same bytes each time, whatever the order of its maps.
std::string RecordBytes(const google::protobuf::MessageLite& record);

// Digest of a record's bytes as stored.
std::string RecordDigest(absl::string_view bytes);

// Digest of the stored bytes of a step's groups, in the order of their ordinals.
std::string GroupsDigest(const std::vector<std::string>& records);

}  // namespace lvrpo
