#include "tests/benchmarks/reward_servers.h"

#include <signal.h>

#include <filesystem>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "common/file.h"
#include "nlohmann/json.hpp"
#include "reward_server/load_scorers.h"
#include "tests/benchmarks/memory.h"

namespace lvrpo {
namespace {

// The value of a component's metric, where `line` is its.
void Read(absl::string_view line, const std::string& metric, const std::string& component,
          std::map<std::string, double>& values) {
  const std::string begin = absl::StrCat(metric, "{component=\"", component, "\"} ");
  double value = 0;
  if (absl::StartsWith(line, begin) && absl::SimpleAtod(line.substr(begin.size()), &value))
    values[component] = value;
}

}  // namespace

absl::StatusOr<std::unique_ptr<LocalServer>> LocalServer::Start(const v1::RunConfig& config) {
  std::unique_ptr<LocalServer> server(new LocalServer);
  absl::StatusOr<std::unique_ptr<ScorerSet>> scorers = LoadScorers(config, server->metrics_);
  if (!scorers.ok()) return scorers.status();
  server->scorers_ = *std::move(scorers);
  const v1::RewardConfig& reward = config.reward();
  server->pool_ =
      std::make_unique<ScoringPool>(*server->scorers_, ToPoolOptions(reward), RealClock(), server->metrics_);
  server->service_ = std::make_unique<RewardService>(*server->scorers_, *server->pool_,
                                                     absl::Seconds(reward.deadline_seconds()), RealClock(),
                                                     server->metrics_);
  absl::StatusOr<std::unique_ptr<RpcServer>> rpc = RpcServer::Start(
      {.max_message_mib = config.rpc().max_message_mib(), .insecure = true}, {server->service_.get()});
  if (!rpc.ok()) return rpc.status();
  server->rpc_ = *std::move(rpc);
  return server;
}

LocalServer::~LocalServer() {
  if (pool_ != nullptr) pool_->Drain();
  rpc_.reset();
}

Batching LocalServer::batching() const {
  Batching batching;
  const std::string metrics = metrics_.Render();
  for (const absl::string_view line : absl::StrSplit(metrics, '\n')) {
    for (const std::string& component : kComponents) {
      Read(line, "lvrpo_reward_compute_seconds_count", component, batching.requests);
      Read(line, "lvrpo_reward_batch_samples_sum_total", component, batching.samples);
    }
  }
  return batching;
}

absl::StatusOr<std::unique_ptr<ServerProcess>> ServerProcess::Start(const std::string& config,
                                                                    const std::vector<std::string>& settings,
                                                                    const std::string& folder, int number) {
  const std::string file = JoinPath(folder, absl::StrCat("address-", number, ".json"));
  std::error_code ignored;
  std::filesystem::remove(file, ignored);
  std::vector<std::string> command = {JoinPath(BinaryFolder(), "lvrpo-reward-server"), "--config", config,
                                      "--address-file", file};
  for (const std::string& setting : settings) command.insert(command.end(), {"--set", setting});
  absl::StatusOr<Process> process =
      Process::Start({.command = command,
                      .log = JoinPath(folder, absl::StrCat("server-", number, ".log")),
                      .environment = {}});
  if (!process.ok()) return process.status();
  std::unique_ptr<ServerProcess> server(new ServerProcess(*std::move(process)));
  if (absl::Status status = server->AwaitAddress(file); !status.ok()) return status;
  return server;
}

ServerProcess::~ServerProcess() {
  process_.Signal(SIGTERM);
  if (!process_.Wait(absl::Seconds(20)).has_value()) process_.Signal(SIGKILL);
}

double ServerProcess::rss_mb() const {
  return static_cast<double>(StatusBytes("VmRSS", absl::StrCat(process_.pid()))) / 1e6;
}

absl::Status ServerProcess::AwaitAddress(const std::string& file) {
  for (int i = 0; i < 1200 && !process_.Poll().has_value(); ++i) {
    if (const absl::StatusOr<std::string> text = ReadFile(file); text.ok()) {
      address_ = nlohmann::json::parse(*text).at("address");
      return absl::OkStatus();
    }
    absl::SleepFor(absl::Milliseconds(50));
  }
  return absl::UnavailableError("a reward server did not start: see the logs beside " + file);
}

}  // namespace lvrpo
