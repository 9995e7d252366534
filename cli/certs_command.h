#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/tls/identity.h"

namespace lvrpo {

struct CertsOptions {
  std::string out;
  std::vector<std::string> names;  // "ROLE=NAME,NAME": DNS names and addresses besides this machine's own
  int days = 90;                   // of the leaves
  std::string run;                 // the identities' scope; empty: that of the leaves in `out`, or "local"
  bool renew = false;   // new leaves of the CA in `out`, with the names of those before and `names`
  bool new_ca = false;  // another CA in place of the one in `out`, which stays trusted until `renew`
};

// The names of each role, from `names`. InvalidArgument when one has no such form, or cannot be a name.
absl::StatusOr<std::map<PeerRole, std::vector<std::string>>> NamesByRole(
    const std::vector<std::string>& names);

// `lvrpo certs`: writes OUT/ca/{ca.crt,ca.key}, and OUT/ROLE/{ca.crt,tls.crt,tls.key} for each role, keys for
// the owner alone. InvalidArgument for `names` and `run`; FailedPrecondition when there is a CA already and
// neither `renew` nor `new_ca` says what to do, or the CA to renew with is damaged, expired or not one;
// NotFound and others from reading and writing. Nothing is written then, but by an error of writing.
absl::Status MakeCertificates(const CertsOptions& options, absl::Time now);

}  // namespace lvrpo
