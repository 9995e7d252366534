#include "common/allocator.h"
#include "common/flags/run_main.h"
#include "reward_server/load_scorers.h"
#include "reward_server/reward_process.h"
#include "role/role_main.h"
#include "torch/torch.h"

namespace lvrpo {
namespace {

constexpr char kProgram[] = "lvrpo-reward-server";

absl::Status Score(const RoleFlags& flags, const v1::RunConfig& config, ShutdownSignal& shutdown) {
  KeepFreedMemory();
  torch::set_num_threads(flags.threads > 0 ? flags.threads : config.local().threads_reward());
  Metrics metrics("reward_server");
  const absl::StatusOr<std::unique_ptr<ScorerSet>> scorers = LoadScorers(config, metrics);
  if (!scorers.ok()) return scorers.status();
  if (absl::Status status = WarmUpScorers(config, **scorers); !status.ok()) return status;
  return RewardProcess(flags, config, **scorers, metrics, shutdown).Run();
}

int Main(int argc, char** argv) {
  return RunRole(
      {.name = kProgram,
       .description =
           "A reward server: scores samples with frozen scorers. With --coordinator it joins a run "
           "and ends with it; without, it serves until it is told to stop.",
       .flags = "clmt",
       .member_id = "reward-0",
       .run = Score,
       .peer = PeerRole::kReward},
      argc, argv);
}

}  // namespace
}  // namespace lvrpo

int main(int argc, char** argv) { return lvrpo::RunMain(lvrpo::kProgram, argc, argv, lvrpo::Main); }
