#include "common/allocator.h"
#include "common/flags/run_main.h"
#include "model/weights/gpu_memory.h"
#include "reward_server/load_scorers.h"
#include "reward_server/reward_process.h"
#include "role/role_main.h"
#include "torch/torch.h"

namespace lvrpo {
namespace {

constexpr char kProgram[] = "lvrpo-reward-server";

absl::Status Score(const RoleFlags& flags, const v1::RunConfig& config, ShutdownSignal& shutdown,
                   RoleHealth& health) {
  KeepFreedMemory();
  torch::set_num_threads(flags.threads > 0 ? flags.threads : config.local().threads_reward());
  const GpuMemoryReturn returned;
  health.state().SetJoins(!flags.coordinator.empty());
  health.state().SetLoading("the scorers");
  const absl::StatusOr<std::unique_ptr<ScorerSet>> scorers = LoadScorers(config, health.metrics());
  if (!scorers.ok()) return scorers.status();
  health.state().SetLoading("the scorers: they warm up");
  if (absl::Status status = WarmUpScorers(config, **scorers); !status.ok()) return status;
  return RewardProcess(flags, config, **scorers, shutdown, health).Run();
}

int Main(int argc, char** argv) {
  return RunRole(
      {.name = kProgram,
       .description =
           "A reward server: scores samples with frozen scorers. With --coordinator it joins a run "
           "and ends with it; without, it serves until it is told to stop.",
       .flags = "clmtsp",
       .member_id = "reward-0",
       .role = PeerRole::kReward,
       .run = Score,
       .is_pool = true},
      argc, argv);
}

}  // namespace
}  // namespace lvrpo

int main(int argc, char** argv) { return lvrpo::RunMain(lvrpo::kProgram, argc, argv, lvrpo::Main); }
