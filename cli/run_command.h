#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/shutdown.h"

namespace lvrpo {

struct RunOptions {
  std::string config;
  std::vector<std::string> overrides;
  std::string run_id;                      // empty: a fresh one
  std::string resume;                      // folder of a run to resume; then the others must be empty
  std::optional<int64_t> from_checkpoint;  // with resume: steps of the checkpoint to go back to first
  std::string tls;  // folder of certificates, one folder for each role; empty: plain text
  std::string
      working_folder;  // with resume: where the files of its configuration are; empty: where they were
};

// `lvrpo run`: evaluates, starts the roles, watches them to the end, evaluates again, writes summary.json and
// report.html. Returns the exit code. The first signal drains and leaves a run that can be resumed; the
// second ends at once.
int RunCommand(const RunOptions& options, ShutdownSignal& shutdown);

}  // namespace lvrpo
