#pragma once

#include <string>

namespace lvrpo {

// Sets up spdlog for this process: readable lines on a terminal, JSON lines ({"ts","level","member","msg"})
// when LVRPO_LOG=json. Goes to stderr, and to `file` too unless it is empty. LVRPO_LOG_LEVEL: debug, info,
// warn, error. NO_COLOR switches colour off. Call once, from main.
void InitLogging(const std::string& member, const std::string& file = "");

// Whether InitLogging made this process write JSON lines.
bool LogsAreJson();

}  // namespace lvrpo
