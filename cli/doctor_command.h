#pragma once

#include "CLI/CLI.hpp"
#include "cli/doctor/gather.h"

namespace lvrpo {

struct DoctorFlags {
  DoctorOptions options;
  bool json = false;
};

// `lvrpo doctor`: adds the subcommand, which fills `flags`.
CLI::App* AddDoctor(CLI::App& app, DoctorFlags& flags);

// Looks, prints a line a check, and returns the exit code.
int Doctor(const DoctorFlags& flags);

}  // namespace lvrpo
