#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/net/rpc.h"
#include "common/telemetry/metrics.h"
#include "reward_server/scoring/scoring_pool.h"
#include "reward_server/service.h"

// Reward servers on this machine, for benchmarks.
namespace lvrpo {

inline const std::vector<std::string> kComponents = {"grounding", "instruction", "knowledge"};

// Requests and samples of each component's calls so far.
struct Batching {
  std::map<std::string, double> requests, samples;
};

// A reward server in this process, as main.cc of the reward server makes it.
class LocalServer {
 public:
  static absl::StatusOr<std::unique_ptr<LocalServer>> Start(const v1::RunConfig& config);
  ~LocalServer();

  const std::string& address() const { return rpc_->address(); }
  Batching batching() const;

 private:
  LocalServer() = default;

  Metrics metrics_;
  std::unique_ptr<ScorerSet> scorers_;
  std::unique_ptr<ScoringPool> pool_;
  std::unique_ptr<RewardService> service_;
  std::unique_ptr<RpcServer> rpc_;
};

}  // namespace lvrpo
