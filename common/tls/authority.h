#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

// A small certificate authority: P-256 keys, SHA-256. Pure but for the system's random numbers.
namespace lvrpo {

struct KeyAndCertificate {
  std::string key, certificate;  // PEM
};

// A new CA that signs only leaves. `name`: its CN.
absl::StatusOr<KeyAndCertificate> MakeAuthority(const std::string& name, absl::Time from, absl::Time to);

struct LeafRequest {
  std::string name;             // its CN
  std::string uri;              // an identity (common/tls/identity.h); empty: none
  std::vector<std::string> at;  // DNS names and IP addresses
  absl::Time from, to;
};
// InvalidArgument when a leaf cannot have it as a name.
absl::Status CheckLeafName(const std::string& name);
// A certificate for both sides of TLS, with a new key, signed by `authority`. FailedPrecondition when the
// authority's key or certificate cannot be read; InvalidArgument for a name (CheckLeafName).
absl::StatusOr<KeyAndCertificate> IssueLeaf(const KeyAndCertificate& authority, const LeafRequest& request);

}  // namespace lvrpo
