#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <optional>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "cli/certs_command.h"
#include "cli/completion.h"
#include "cli/doctor_command.h"
#include "cli/forward.h"
#include "cli/local/process.h"
#include "cli/report/replica_plan.h"
#include "cli/report/results.h"
#include "cli/run_command.h"
#include "cli/status_command.h"
#include "cli/watch_command.h"
#include "common/clock.h"
#include "common/exit_code.h"
#include "common/files/file.h"
#include "common/files/file_kind.h"
#include "common/flags/flag_checks.h"
#include "common/flags/role_flags.h"
#include "common/flags/run_main.h"
#include "common/json/json_text.h"
#include "common/names.h"
#include "common/net/rpc_tls.h"
#include "common/run_folder/run_folder.h"
#include "common/telemetry/catalogue.h"
#include "common/version.h"
#include "common/version/build_commit.h"
#include "coordinator/client.h"
#include "data/prompts/geneval.h"
#include "data/prompts/prompts.h"
#include "nlohmann/json.hpp"
#include "verifiers/rules/prompt_files.h"

namespace lvrpo {
namespace {

constexpr char kProgram[] = "lvrpo";
constexpr char kExitCodes[] =
    "Exit codes: 0 done or drained, 2 usage, 64 bad configuration, 65 bad data, checkpoint or run folder, 69 "
    "a dependency "
    "was unreachable, 70 bug, 75 try again, 76 training diverged.";

absl::Status Drain(const std::string& run_dir, const std::string& given) {
  const absl::StatusOr<std::string> address = CoordinatorAddress(run_dir, given);
  if (!address.ok()) return address.status();
  if (absl::Status status = CoordinatorClient(*address, 64).Drain("lvrpo drain", absl::Seconds(5));
      !status.ok())
    return status;
  std::printf("the run drains; it can go on with: lvrpo run --resume %s\n",
              run_dir.empty() ? "RUN" : run_dir.c_str());
  return absl::OkStatus();
}

// The roles that this process starts take their certificates from the same folder, whose path becomes
// absolute.
absl::Status UseTlsOfRun(std::string& tls) {
  if (tls.empty()) return absl::OkStatus();
  const absl::StatusOr<std::string> folder = AbsolutePath(tls);
  if (!folder.ok()) return folder.status();
  tls = *folder;
  setenv("LVRPO_TLS", tls.c_str(), /*overwrite=*/1);
  return UseTls(tls, PeerRole::kOperator);
}

int Audit(const std::string& run_dir) {
  absl::StatusOr<Process> process =
      Process::Start({.command = {JoinPath(BinaryFolder(), "lvrpo-coordinator"), "--audit", run_dir}});
  if (!process.ok()) return Explain(kProgram, process.status());
  return process->Wait(absl::InfiniteDuration()).value_or(kExitBug);
}

absl::Status Report(const std::string& run_dir, const std::string& working_folder) {
  const absl::StatusOr<Results> results = WriteResults(run_dir, working_folder);
  if (!results.ok()) return results.status();
  if (!results->remark.empty())
    std::fprintf(stderr, "%s: %s\n", kProgram, PrintableLines(results->remark).c_str());
  std::printf("report: %s\n", results->report.c_str());
  return absl::OkStatus();
}

absl::Status ImportGenEval(const std::string& metadata, const std::string& prompt_file) {
  const absl::StatusOr<std::vector<v1::PromptRecord>> records = ReadGenEvalFile(metadata);
  if (!records.ok()) return records.status();
  if (absl::Status status = WritePromptFile(prompt_file, *records); !status.ok()) return status;
  std::printf("%s: %d prompts; their rules need reward.detector, or detections with the images\n",
              prompt_file.c_str(), static_cast<int>(records->size()));
  return absl::OkStatus();
}

int Validate(const std::string& path, const v1::RunConfig& config) {
  if (absl::Status status = CheckPromptFiles(config); !status.ok()) return Explain(kProgram, status);
  std::printf("%s is a sound configuration (digest %s)\n", OneLine(path, 1000).c_str(),
              ConfigDigest(config).substr(0, 12).c_str());
  return kExitDone;
}

CLI::App* AddCerts(CLI::App& app, CertsOptions& certs) {
  CLI::App* sub = app.add_subcommand(
      "certs", "make a CA for development and a certificate for each role, for --tls (docs/security.md)");
  sub->add_option("--out", certs.out, "folder to write, with one folder for each role")->required();
  sub->add_option(
         "--name", certs.names,
         "ROLE=NAME,NAME: DNS names and addresses at which programs that are not lvrpo's own reach the "
         "role, besides localhost; may be repeated")
      ->take_all();
  sub->add_option("--days", certs.days, "days for which the roles' certificates are valid")
      ->check(CLI::Range(1, 3650))
      ->capture_default_str();
  sub->add_option(
      "--run", certs.run,
      "what the certificates are for, e.g. a run or a namespace: peers of another one are refused; "
      "default: as before, or 'local'");
  auto* renew = sub->add_flag("--renew", certs.renew, "new certificates of the CA that is there");
  sub->add_flag("--new-ca", certs.new_ca,
                "another CA in place of the one that is there, which stays trusted until the next --renew")
      ->excludes(renew);
  return sub;
}

int Main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + std::min(argc, 1), argv + argc);
  if (const ForwardedCommand* command = FindForwarded(arguments))
    return Forward(*command, BinaryFolder(), arguments);

  CLI::App app("LVRPO: GRPO for unified models that write text and paint images.");
  app.footer(kExitCodes);
  app.set_version_flag("--version", VersionWithCommit());
  app.require_subcommand(1);

  RunOptions run;
  CLI::App* run_app =
      app.add_subcommand("run", "train on this machine: starts all roles, watches them, writes the report");
  auto* config_option = run_app->add_option("--config", run.config, "run configuration (YAML)");
  run_app
      ->add_option("--set", run.overrides, "override one setting, e.g. --set train.steps=10; may be repeated")
      ->take_all();
  run_app
      ->add_option("--run-id", run.run_id,
                   "name of the run's folder; default: the configured name and the time")
      ->check(NameText(kMostRunId));
  auto* resume_option =
      run_app->add_option("--resume", run.resume, "continue the run in this folder")->excludes(config_option);
  run_app
      ->add_option("--from-checkpoint", run.from_checkpoint,
                   "with --resume: first go back to the recorded checkpoint of so many steps (0: the base "
                   "weights); later steps are abandoned")
      ->check(CLI::NonNegativeNumber)
      ->needs(resume_option);
  run_app
      ->add_option(
          "--working-folder", run.working_folder,
          "with --resume: folder from which the configuration names its files, if the one where the run "
          "was started is not there (a run that was copied to another machine)")
      ->needs(resume_option);

  AddTlsFlag(*run_app, run.tls);

  std::string run_dir, coordinator, shell, working_folder, tls;
  bool json = false, watch = false;
  CLI::App* status_app = app.add_subcommand("status", "show how a run stands");
  CLI::App* drain_app =
      app.add_subcommand("drain", "let a run finish the current step, save a checkpoint and end");
  CLI::App* report_app = app.add_subcommand("report", "write a run's report.html");
  CLI::App* replicas_app = app.add_subcommand(
      "replicas",
      "show how many rollout workers and reward servers keep a run's learner busy, as it measured");
  replicas_app->add_flag("--json", json, "as JSON");
  CLI::App* audit_app =
      app.add_subcommand("audit", "check a run's records: every group used exactly once, and more");
  for (CLI::App* sub : {status_app, drain_app}) {
    auto* folder = sub->add_option("run", run_dir, "run folder");
    sub->add_option("--coordinator", coordinator, "host:port of the coordinator, instead of a run folder")
        ->check(HostPortText(AddressUse::kDial))
        ->excludes(folder);
    AddTlsFlag(*sub, tls);
  }
  status_app->add_flag("--json", json, "as JSON");
  status_app->add_flag("--watch", watch,
                       "keep showing it until the run ends; not on a terminal: one line for each change");
  report_app->add_option("--working-folder", working_folder,
                         "folder from which the run's configuration names its files, if the one where it was "
                         "started is not there");
  for (CLI::App* sub : {report_app, audit_app, replicas_app})
    sub->add_option("run", run_dir, "run folder")->required();

  RoleFlags flags;
  CLI::App* validate_app =
      app.add_subcommand("validate", "check a run configuration and its prompts, report all errors at once");
  CLI::App* print_app = app.add_subcommand("print-config", "print every setting and where it comes from");
  for (CLI::App* sub : {validate_app, print_app}) {
    sub->add_option("--config", flags.config, "run configuration (YAML)")->required();
    sub->add_option("--set", flags.overrides, "override one setting; may be repeated")->take_all();
  }

  CertsOptions certs;
  CLI::App* certs_app = AddCerts(app, certs);
  DoctorFlags doctor;
  const CLI::App* doctor_app = AddDoctor(app, doctor);

  std::string metadata, prompt_file;
  CLI::App* geneval_app =
      app.add_subcommand("import-geneval", "turn GenEval's metadata into a prompt file with its rules");
  geneval_app->add_option("metadata", metadata, "evaluation_metadata.jsonl")->required();
  geneval_app->add_option("out", prompt_file, "prompt file to write (JSONL)")->required();

  CLI::App* completion_app =
      app.add_subcommand("completion", "print a script that completes commands and options in a shell");
  completion_app->add_option("shell", shell, "bash or zsh")
      ->check(CLI::IsMember({"bash", "zsh"}))
      ->required();

  CLI::App* metrics_app = app.add_subcommand(
      "metrics", "print every metric that the processes of a run export (docs/metrics.md)");
  metrics_app->add_flag("--json", json, "as JSON");
  CLI::App* version_app = app.add_subcommand("version", "print the version");
  version_app->add_flag("--json", json, "as JSON");

  for (const ForwardedCommand& command : ForwardedCommands()) app.add_subcommand(command.name, command.what);

  if (const std::optional<int> code = ParseFlags(app, argc, argv)) return *code;
  for (const ForwardedCommand& command : ForwardedCommands()) {
    if (!app.got_subcommand(command.name)) continue;  // there, but not as the first word
    std::fprintf(stderr, "lvrpo: '%s' must come first: lvrpo %s ...\n", command.name, command.name);
    return kExitUsage;
  }
  if (run_app->parsed()) {
    if (run.config.empty() && run.resume.empty()) {
      std::fprintf(stderr, "lvrpo run: --config or --resume is needed (see lvrpo run --help)\n");
      return kExitUsage;
    }
    if (!run.resume.empty() && (!run.overrides.empty() || !run.run_id.empty())) {
      std::fprintf(stderr,
                   "lvrpo run: a resumed run keeps its settings; --set and --run-id cannot be given\n");
      return kExitUsage;
    }
    if (absl::Status status = UseTlsOfRun(run.tls); !status.ok()) return Explain(kProgram, status);
    ShutdownSignal shutdown;
    return RunCommand(run, shutdown);
  }
  if (status_app->parsed() || drain_app->parsed()) {
    if (run_dir.empty() && coordinator.empty()) {
      std::fprintf(stderr, "lvrpo: give a run folder or --coordinator host:port\n");
      return kExitUsage;
    }
    if (absl::Status status = UseTls(tls, std::nullopt); !status.ok()) return Explain(kProgram, status);
    if (watch) {
      const ShutdownSignal shutdown;
      return Explain(kProgram, WatchStatus(run_dir, coordinator, json, shutdown));
    }
    return Explain(kProgram, status_app->parsed() ? ShowStatus(run_dir, coordinator, json)
                                                  : Drain(run_dir, coordinator));
  }
  if (doctor_app->parsed()) return Doctor(doctor);
  if (report_app->parsed()) return Explain(kProgram, Report(run_dir, working_folder));
  if (audit_app->parsed()) return Audit(run_dir);
  if (replicas_app->parsed()) return Explain(kProgram, ShowReplicas(run_dir, json));
  if (completion_app->parsed()) {
    const nlohmann::json tree = WholeTree(FlagTree(app), BinaryFolder());
    std::printf("%s", (shell == "bash" ? BashCompletion(tree) : ZshCompletion(tree)).c_str());
    return kExitDone;
  }
  if (metrics_app->parsed()) {
    std::printf("%s", (json ? MetricsJson() : MetricsDocument()).c_str());
    return kExitDone;
  }
  if (certs_app->parsed()) {
    const absl::Status status = MakeCertificates(certs, RealClock().Now());
    const int code = Explain(kProgram, status);
    return absl::IsInvalidArgument(status) ? kExitUsage : code;
  }
  if (geneval_app->parsed()) return Explain(kProgram, ImportGenEval(metadata, prompt_file));
  if (validate_app->parsed() || print_app->parsed()) {
    const absl::StatusOr<LoadedConfig> loaded = LoadConfigOrExplain(kProgram, flags);
    if (!loaded.ok()) return kExitConfig;
    if (print_app->parsed()) {
      std::printf("%s", PrintConfig(*loaded).c_str());
    } else {
      return Validate(flags.config, loaded->config);
    }
    return kExitDone;
  }
  if (json) {
    std::printf("%s\n", JsonText(nlohmann::json{{"name", "lvrpo"},
                                                {"version", kVersion},
                                                {"commit", BuildCommit()},
                                                {"protocol", kProtocol},
                                                {"run_format", kRunFormat}})
                            .c_str());
  } else {
    std::printf("lvrpo %s\n", VersionWithCommit().c_str());
  }
  return kExitDone;
}

}  // namespace
}  // namespace lvrpo

int main(int argc, char** argv) { return lvrpo::RunMain(lvrpo::kProgram, argc, argv, lvrpo::Main); }
