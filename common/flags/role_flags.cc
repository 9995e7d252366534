#include "common/flags/role_flags.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/exit_code.h"
#include "common/files/file.h"
#include "common/files/file_kind.h"
#include "common/files/filesystem.h"
#include "common/flags/flag_checks.h"
#include "common/json/json_text.h"
#include "common/names.h"
#include "common/telemetry/logging.h"
#include "common/version/build_commit.h"
#include "nlohmann/json.hpp"
#include "spdlog/spdlog.h"

namespace lvrpo {
namespace {

constexpr int kMostThreads = 1024;
constexpr absl::Duration kPatience = absl::Seconds(60);
constexpr size_t kMostOfProblem = 1000;  // characters

// What may have been meant by a command or an option that `app` does not know.
std::string UnknownWord(const CLI::App& app, const std::vector<std::string>& arguments) {
  std::vector<std::string> commands, options;
  for (const CLI::App* sub : app.get_subcommands(nullptr)) commands.push_back(sub->get_name());
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) options.push_back("--" + name);
  }
  for (const std::string& argument : arguments) {
    const std::string word = argument.substr(0, argument.find('='));
    if (absl::StartsWith(word, "--")) {
      if (std::count(options.begin(), options.end(), word) == 0) {
        if (std::string suggestion = Suggestion(word, options); !suggestion.empty()) return suggestion;
      }
    } else if (!commands.empty() && !absl::StartsWith(word, "-") && word != app.get_name()) {
      if (std::count(commands.begin(), commands.end(), word) > 0) break;
      return absl::StrCat(": there is no command '", word, "'", Suggestion(word, commands));
    }
  }
  return "";
}

}  // namespace

void RoleFlags::AddTo(CLI::App& app, const std::string& uses) {
  const auto has = [&uses](char letter) { return uses.find(letter) != std::string::npos; };
  app.set_version_flag("--version", VersionWithCommit());
  app.add_option("--config", config, "run configuration (YAML)")->required();
  app.add_option("--set", overrides, "override one setting, e.g. --set train.steps=10; may be repeated")
      ->take_all();
  if (has('c'))
    app.add_option("--coordinator", coordinator, "host:port of the coordinator")
        ->check(HostPortText(AddressUse::kDial));
  if (has('r')) app.add_option("--run-dir", run_dir, "run folder");
  if (has('l')) {
    app.add_option("--listen", listen, "host:port to serve on; port 0 picks one")
        ->check(HostPortText(AddressUse::kListen))
        ->capture_default_str();
    app.add_option("--advertise", advertise,
                   "host:port that others reach this process at, if not --listen (needed when that is all "
                   "interfaces, 0.0.0.0 or [::]); port 0 stands for the port that is served on")
        ->check(HostPortText(AddressUse::kListen));
    app.add_option("--address-file", address_file,
                   "write the addresses that are served to this file, as JSON");
    app.add_flag("--insecure", insecure, "allow plain text on addresses other than loopback");
  }
  if (has('c') || has('l') || has('m')) AddTlsFlag(app, tls);
  if (has('l') || has('m'))
    app.add_option("--metrics-listen", metrics_listen, "host:port of /metrics, /healthz and /readyz")
        ->check(HostPortText(AddressUse::kListen))
        ->capture_default_str();
  if (has('m'))
    app.add_option("--member-id", member_id, "stable name of this process")
        ->check(NameText(kMostMemberId))
        ->capture_default_str();
  if (has('t'))
    app.add_option("--threads", threads, "CPU threads; 0 = as the configuration says")
        ->check(CLI::Range(0, kMostThreads))
        ->capture_default_str();
  if (has('s'))
    app.add_flag(
        "--stay", stay,
        "after the end of the run, wait for SIGTERM instead of ending: for supervisors that start again "
        "whatever ends");
  if (has('p'))
    app.add_option(
           "--patience", patience_seconds,
           "seconds to wait for the coordinator (and the run folder) before ending with 69; 0: as long as it "
           "takes; default: 60, with --stay as long as it takes")
        ->check(CLI::Range(0., 1e9));
  if (has('k')) {
    app.add_option("--rank", rank, "which of the processes that train together this is, from 0")
        ->check(CLI::Range(0, kMostLearnerRanks - 1))
        ->capture_default_str();
    app.add_option("--ranks", ranks, "how many processes train together; each has another --rank")
        ->check(CLI::Range(1, kMostLearnerRanks))
        ->capture_default_str();
  }
  app.callback([this, &app, serves = has('l'), has_rank = has('k')] {
    if (has_rank) TakeRank(app);
    const absl::StatusOr<std::string> reachable = serves ? Reachable(listen) : listen;
    if (!reachable.ok()) throw CLI::ValidationError(std::string(reachable.status().message()));
  });
}

void AddTlsFlag(CLI::App& app, std::string& folder) {
  app.add_option(
         "--tls", folder,
         "folder with this process's certificate (ca.crt, tls.crt, tls.key), or with one such folder for "
         "each role: only TLS is spoken, on both sides (docs/security.md)")
      ->envname("LVRPO_TLS");
}

void RoleFlags::TakeRank(const CLI::App& app) {
  if (rank >= ranks)
    throw CLI::ValidationError(
        absl::StrCat("--rank ", rank, " of --ranks ", ranks, ": ranks are 0 to ", ranks - 1));
  if (app.get_option("--member-id")->empty()) member_id = absl::StrCat("learner-", rank);
}

absl::Duration RoleFlags::patience() const {
  if (patience_seconds < 0) return stay ? absl::InfiniteDuration() : kPatience;
  return patience_seconds > 0 ? absl::Seconds(patience_seconds) : absl::InfiniteDuration();
}

absl::Status RoleFlags::WriteAddressFile(const std::string& address, const std::string& metrics) const {
  if (address_file.empty()) return absl::OkStatus();
  return WriteFileAtomic(address_file, JsonText(nlohmann::json{{"address", address},
                                                               {"metrics", BesideAddress(metrics, address)},
                                                               {"pid", getpid()}}) +
                                           "\n");
}

absl::StatusOr<std::string> RoleFlags::Reachable(const std::string& listening) const {
  const absl::StatusOr<HostPort> address = ReachableAddress(listening, advertise);
  if (!address.ok()) return address.status();
  return address->ToString();
}

std::optional<int> ParseFlags(CLI::App& app, int argc, char** argv) {
  CheckAllOptions(app);
  const std::vector<std::string> arguments(argv + std::min(argc, 1), argv + argc);
  if (arguments.size() == 1 && arguments[0] == kFlagTreeFlag) {
    std::printf("%s\n", JsonText(FlagTree(app)).c_str());
    return kExitDone;
  }
  std::string problem = ProblemOfArguments(app, arguments);
  std::string program = app.get_name();
  if (program.empty() && argc > 0) program = FileName(argv[0]);
  if (problem.empty()) {
    try {
      app.parse(argc, argv);
      return std::nullopt;
    } catch (const CLI::Success& success) {  // --help, --version
      return app.exit(success);
    } catch (const CLI::ParseError& error) {
      problem = error.what();
      const CLI::App* at = &app;
      while (!at->get_subcommands().empty()) {
        at = at->get_subcommands().front();
        absl::StrAppend(&program, " ", at->get_name());
      }
      absl::StrAppend(&problem, UnknownWord(*at, arguments));
    }
  }
  return ExplainUsage(program, problem);
}

int ExplainUsage(const std::string& program, const std::string& problem) {
  const std::string line =
      OneLine(problem, kMostOfProblem);  // it may quote an argument, whose bytes are anything
  if (LogsAreJson()) {
    spdlog::error("{} ({} --help tells more)", line, program);
  } else {
    std::fprintf(stderr, "%s: %s\n(%s --help tells more)\n", program.c_str(), line.c_str(), program.c_str());
  }
  return kExitUsage;
}

absl::StatusOr<LoadedConfig> LoadConfigOrExplain(const std::string& program, const RoleFlags& flags) {
  absl::StatusOr<LoadedConfig> loaded = LoadRunConfig(flags.config, flags.overrides);
  if (!loaded.ok()) Explain(program, loaded.status());
  return loaded;
}

int Explain(const std::string& program, const absl::Status& status) {
  if (status.ok()) return kExitDone;
  const std::string message = PrintableLines(status.message());
  if (LogsAreJson()) {
    spdlog::error("{}", message);
  } else {
    std::fprintf(stderr, "%s: %s\n", program.c_str(), message.c_str());
  }
  return ExitCodeFor(status);
}

}  // namespace lvrpo
