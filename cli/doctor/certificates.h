#pragma once

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "cli/doctor/check.h"

namespace lvrpo {

// A folder of --tls, in PEM: the contents of ca.crt, tls.crt and tls.key.
struct CertificateFiles {
  std::string ca, certificate, key;
};

// Whether they are a certificate of this CA with its key, valid now and for a while, for one of the roles of
// a run (spiffe://lvrpo/<scope>/<role>), and for `role` when that is not empty.
std::vector<Check> CheckCertificates(const CertificateFiles& files, absl::Time now, const std::string& role);

}  // namespace lvrpo
