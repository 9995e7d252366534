#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace lvrpo {

// How remote scorers, detectors and endpoints are met over TLS: the folder that the environment variable
// LVRPO_EXTERNAL_TLS names. Not the identity of --tls: these are other people's programs.
struct ExternalTls {
  std::string ca;                // path of ca.crt: its CAs are accepted, over HTTPS besides the system's
  std::string certificate, key;  // paths of tls.crt and tls.key, shown to those that ask; empty: none
};

// All paths empty when the variable is not set. FailedPrecondition: the folder lacks what it must have.
absl::StatusOr<ExternalTls> ExternalTlsFromEnvironment();

}  // namespace lvrpo
