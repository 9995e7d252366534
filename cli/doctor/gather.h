#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cli/doctor/check.h"
#include "proto/lvrpo/v1/config.pb.h"

// Looks at this machine, and lets the pure checks judge. Nothing is left behind.
namespace lvrpo {

struct DoctorOptions {
  std::string config, run_dir, tls, role, coordinator;
  std::vector<std::string> overrides, listen;
};

// All checks that apply to these options.
std::vector<Check> Examine(const DoctorOptions& options);

}  // namespace lvrpo
