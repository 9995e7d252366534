#include "tests/benchmarks/reward_servers.h"

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "reward_server/load_scorers.h"

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
      Read(line, "lvrpo_reward_batch_samples_total", component, batching.samples);
    }
  }
  return batching;
}

}  // namespace lvrpo
