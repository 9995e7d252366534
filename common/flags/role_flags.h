#pragma once

#include <optional>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/config/config.h"

namespace lvrpo {

// The flags that all role binaries share.
struct RoleFlags {
  std::string config;
  std::vector<std::string> overrides;
  std::string coordinator;
  std::string run_dir;
  std::string listen = "127.0.0.1:0";
  std::string advertise;  // address that others connect to; empty: the listen address
  std::string metrics_listen = "127.0.0.1:0";
  std::string member_id;
  std::string address_file;
  int threads = 0;
  int rank = 0, ranks = 1;
  bool insecure = false;
  std::string tls;  // folder of this process's certificate; empty: plain text
  bool stay = false;
  double patience_seconds = -1;  // 0: no limit; negative: not given

  // `uses`: letters of the optional flags that this role has: c coordinator, r run-dir, l
  // listen/advertise/insecure, m member-id, t threads, k rank/ranks (the member id of rank R is learner-R,
  // unless a flag says otherwise), s stay, p patience.
  void AddTo(CLI::App& app, const std::string& uses);
  // The address at which others reach a server of this process: `listening`, or --advertise.
  absl::StatusOr<std::string> Reachable(const std::string& listening) const;
  // How long to wait for the coordinator and for the run folder; may be infinite.
  absl::Duration patience() const;
  // Writes {"address","metrics","pid"} as JSON to address_file, unless that is empty.
  absl::Status WriteAddressFile(const std::string& address, const std::string& metrics) const;

 private:
  void TakeRank(const CLI::App& app);
};

// --tls (environment LVRPO_TLS), for a process that serves or calls others over gRPC.
void AddTlsFlag(CLI::App& app, std::string& folder);

// Parses, with the rules of common/flags/flag_checks.h; prints help or what is wrong, with a suggestion for a
// command or an option that is not known. A value is the exit code to end with.
std::optional<int> ParseFlags(CLI::App& app, int argc, char** argv);

// Loads and validates the configuration, or prints every error and returns kExitConfig.
absl::StatusOr<LoadedConfig> LoadConfigOrExplain(const std::string& program, const RoleFlags& flags);

// Prints "program: sentence" to stderr, or logs it where logs are JSON lines, and gives the exit code for it.
int Explain(const std::string& program, const absl::Status& status);

// The same for a wrong command line, with a word on --help.
int ExplainUsage(const std::string& program, const std::string& problem);

}  // namespace lvrpo
