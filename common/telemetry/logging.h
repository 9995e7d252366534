#pragma once

#include <string>

namespace lvrpo {

// Sets up spdlog for this process: readable lines on stderr, or JSON lines when LVRPO_LOG=json (JsonLine).
// LVRPO_LOG_LEVEL: debug, info, warn, error. NO_COLOR switches colour off. Call from main, before other
// threads; a later call only takes another name. `role`: coordinator, learner, rollout, reward, evaluation;
// `member`: this process's name in its run.
void InitLogging(const std::string& role, const std::string& member);

// Whether InitLogging made this process write JSON lines.
bool LogsAreJson();

// The run that this process takes part in, once it is known; empty before. Thread-safe.
void SetLogRun(const std::string& run_id);
std::string LogRun();

// A line of the log: {"ts","level","role","member","msg"}, "run" once it is known, and what the thread's
// LogGroup adds. `unix_seconds`: when it was logged.
std::string JsonLine(double unix_seconds, const std::string& level, const std::string& role,
                     const std::string& member, const std::string& message);

}  // namespace lvrpo
