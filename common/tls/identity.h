#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace lvrpo {

// What a process is to the others of its run. Its certificate says so.
enum class PeerRole { kCoordinator, kLearner, kRollout, kReward, kEvaluation, kOperator, kScaler };

// All of them, in the order above.
const std::vector<PeerRole>& AllPeerRoles();
// "coordinator", "learner", "rollout", "reward", "evaluation", "operator", "scaler".
absl::string_view Word(PeerRole role);
// InvalidArgument names all words.
absl::StatusOr<PeerRole> PeerRoleOf(absl::string_view word);

// Who a certificate is for: a role of one run, or of one namespace. The members of a role share an identity.
struct PeerIdentity {
  std::string scope;
  PeerRole role = PeerRole::kOperator;

  std::string Uri() const;  // "spiffe://lvrpo/SCOPE/ROLE"
  bool operator==(const PeerIdentity& other) const { return scope == other.scope && role == other.role; }
};

// Whether a scope may be part of an identity: 1 to 63 lower-case letters, digits, '.' and '-'.
bool IsScope(absl::string_view scope);

// Reads the identity from a certificate's URI names, of which exactly one begins with "spiffe://lvrpo/".
// InvalidArgument says what is wrong with them.
absl::StatusOr<PeerIdentity> PeerIdentityOf(const std::vector<std::string>& uris);

}  // namespace lvrpo
