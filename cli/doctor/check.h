#pragma once

#include <string>
#include <vector>

#include "nlohmann/json.hpp"

namespace lvrpo {

// The result of looking at one thing before a run. Checks are pure functions of facts; the facts are gathered
// elsewhere (gather.h).
struct Check {
  enum class Level { kOk, kWarning, kFailure };
  // What a failure is about, which the exit code says.
  enum class About { kMachine, kConfiguration, kReach };

  std::string name;  // "run folder"
  Level level = Level::kOk;
  std::string what;        // what was found
  std::string to_do = {};  // empty when all is well
  About about = About::kMachine;
};

Check Ok(std::string name, std::string what);
Check Warning(std::string name, std::string what, std::string to_do);
Check Failure(std::string name, std::string what, std::string to_do,
              Check::About about = Check::About::kMachine);

// One line a check, and what to do below those that are not well.
std::string FormatChecks(const std::vector<Check>& checks);
nlohmann::json ChecksJson(const std::vector<Check>& checks);

// 0 without failures; 64: the configuration, 65: this machine, 69: something that cannot be reached. The
// first of these that failed.
int ExitCodeOf(const std::vector<Check>& checks);

}  // namespace lvrpo
