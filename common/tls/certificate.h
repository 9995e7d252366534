#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/tls/identity.h"

// Certificates in PEM. Pure functions; the bytes may come from anybody.
namespace lvrpo {

// The first certificate of a PEM text.
struct CertificateFacts {
  std::string subject;  // one line, for messages: "lvrpo-rollout", or the whole name where it has no CN
  absl::Time not_before, not_after;
  std::vector<std::string> uris;
  std::vector<std::string> names;  // DNS names and IP addresses, as text
};
// InvalidArgument when it contains no certificate that can be read.
absl::StatusOr<CertificateFacts> ReadCertificate(const std::string& pem);

// InvalidArgument when it is no private key, or not the one of the first certificate.
absl::Status CheckKey(const std::string& key_pem, const std::string& certificate_pem);

enum class TlsSide { kClient, kServer };

// What a process knows of the other side of a connection.
struct PeerCertificate {
  std::string leaf;   // PEM; empty: it has shown none
  std::string chain;  // PEM, the leaf with or without intermediate certificates
};

// Whether a peer may be talked to. `reason` is a word for metrics, empty when it may.
struct PeerVerdict {
  std::string reason;    // "no_certificate", "untrusted", "expired", "not_yet_valid", "wrong_identity"
  std::string sentence;  // why, for people: "its certificate (lvrpo-rollout) expired on ..."
  PeerIdentity identity;

  bool accepted() const { return reason.empty(); }
};

// The rule: the certificate is signed by a CA of `ca_bundle`, valid at `now` and made for the peer's `side`
// of a connection (extended key usage), and its identity has the `scope`.
PeerVerdict JudgePeer(const PeerCertificate& peer, const std::string& ca_bundle, TlsSide side,
                      const std::string& scope, absl::Time now);

}  // namespace lvrpo
