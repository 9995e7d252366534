#pragma once

#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/config/config.h"

namespace lvrpo {

// The folder of one run (docs/operating.md), however it was started: config.yaml, run.json,
// coordinator.sqlite, checkpoints/, spool/, metrics.jsonl, images/, logs/, summary.json, report.html.
struct RunFolder {
  std::string path;
  std::string run_id;
  LoadedConfig config;
  bool resumed = false;                   // this run was stopped and resumed at least once
  std::map<std::string, double> seconds;  // by phase of `lvrpo run`, over all its sessions

  std::string Inside(const std::string& name) const { return path + "/" + name; }
  // Writes run.json.
  absl::Status Save() const;
};

// Whether a run id can name a folder: letters, digits, '-', '_' and '.', with no '.' in front, at most 200.
absl::Status CheckRunId(const std::string& run_id);

// Creates the folder <out>/<run_id> with its resolved configuration. AlreadyExists when there is one. An
// empty run_id gives a fresh one: the configured name and the time, followed by a number when that is taken.
absl::StatusOr<RunFolder> MakeRunFolder(const LoadedConfig& config, const std::string& run_id);

// What the coordinator of a run does for its folder, so that one started by hand is as one of `lvrpo run`.
// FailedPrecondition when the config.yaml there has other settings than `config`, InvalidArgument when it is
// damaged.
absl::Status CheckRunConfig(const std::string& path, const LoadedConfig& config);
// Makes config.yaml, run.json and folders that are missing. Others stay as they are.
absl::Status CompleteRunFolder(const std::string& path, const LoadedConfig& config);

// Opens a run to resume or inspect it, and changes the working directory to `working_folder`, or, when that
// is empty, to where the run was started: paths in its configuration are relative to it. NotFound, or
// FailedPrecondition for another version's folder.
absl::StatusOr<RunFolder> OpenRunFolder(const std::string& path, const std::string& working_folder = "");

// "shapes-20260131-142501", from the configured name and the local time.
std::string FreshRunId(const std::string& name);

}  // namespace lvrpo
