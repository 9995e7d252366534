#pragma once

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/tls/identity.h"

namespace lvrpo {

// Where a process has its certificate, as a Kubernetes secret of cert-manager is mounted.
struct TlsFolder {
  std::string ca, certificate, key;  // paths: ca.crt, tls.crt, tls.key
  PeerIdentity identity;             // of the certificate, when it was opened
};

// The folder `path`, or `path`/ROLE where `path` has one folder for each role, as `lvrpo certs` makes them.
// `role`: what this process is; nullopt: any will do (with a folder for each role, operator).
// FailedPrecondition says in one sentence what is wrong: a file that is missing or cannot be read, a key that
// is another's, a certificate that its own ca.crt would not accept at `now`, or one for another role.
absl::StatusOr<TlsFolder> OpenTlsFolder(const std::string& path, std::optional<PeerRole> role,
                                        absl::Time now);

}  // namespace lvrpo
