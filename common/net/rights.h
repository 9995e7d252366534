#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "common/tls/identity.h"

namespace lvrpo {

// Who may call a method, and how much it may send. docs/security.md shows the table.
struct MethodRight {
  const char* method;           // "/lvrpo.v1.Coordinator/Register"
  std::vector<PeerRole> roles;  // that may call it
  int64_t most_bytes;           // of one request; 0: as rpc.max_message_mib says
};

// One row for each method of each service.
const std::vector<MethodRight>& MethodRights();

// Null when the method has no row: then nobody may call it.
const MethodRight* FindRight(absl::string_view method);

bool MayCall(PeerRole role, absl::string_view method);

// "learner, rollout or reward", for messages.
std::string InWords(const std::vector<PeerRole>& roles);

}  // namespace lvrpo
