#pragma once

#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "common/tls/authority.h"
#include "common/tls/tls_folder.h"
#include "tests/testing/temporary_folder.h"

namespace lvrpo {

// A CA for tests, and folders of its certificates.
class TestAuthority {
 public:
  TestAuthority()
      : own_(*MakeAuthority("test CA", absl::Now() - absl::Hours(24 * 400),
                            absl::Now() + absl::Hours(24 * 400))) {}

  struct Leaf {
    Leaf(PeerRole role = PeerRole::kOperator) : role(role) {}  // NOLINT: a role is enough
    PeerRole role;
    std::string scope = "test";
    absl::Time from = absl::Now() - absl::Hours(1), to = absl::Now() + absl::Hours(1);
    std::string uri = "";  // empty: of scope and role
  };
  KeyAndCertificate Issue(const Leaf& leaf) const {
    LeafRequest request;
    request.name = "lvrpo-" + std::string(Word(leaf.role));
    request.uri = leaf.uri.empty() ? PeerIdentity{leaf.scope, leaf.role}.Uri() : leaf.uri;
    request.at = {"localhost", "127.0.0.1"};
    request.from = leaf.from;
    request.to = leaf.to;
    return *IssueLeaf(own_, request);
  }
  const std::string& certificate() const { return own_.certificate; }

  // Writes ca.crt (this CA's certificate, or `bundle`), tls.crt and tls.key. Not checked, unlike
  // OpenTlsFolder.
  TlsFolder Write(const TemporaryFolder& folder, const std::string& name, const Leaf& leaf,
                  const std::string& bundle = "") const {
    const KeyAndCertificate issued = Issue(leaf);
    TlsFolder written;
    written.ca = folder.Write(name + "/ca.crt", bundle.empty() ? own_.certificate : bundle);
    written.key = folder.Write(name + "/tls.key", issued.key);
    written.certificate = folder.Write(name + "/tls.crt", issued.certificate);
    written.identity = {leaf.scope, leaf.role};
    return written;
  }

 private:
  const KeyAndCertificate own_;
};

}  // namespace lvrpo
