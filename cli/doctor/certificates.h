#pragma once

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "cli/doctor/check.h"

namespace lvrpo {

// Whether a process would run with the folder `path` of --tls (common/tls/tls_folder.h) at `now`, and for how
// long. `role`: what runs here; empty: any.
std::vector<Check> CheckCertificates(const std::string& path, const std::string& role, absl::Time now);

}  // namespace lvrpo
