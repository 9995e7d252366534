#include <cstdlib>
#include <optional>

#include "common/allocator.h"
#include "common/exit_code.h"
#include "common/flags/run_main.h"
#include "learner/gloo_ranks.h"
#include "learner/learner_process.h"
#include "learner/nccl_ranks.h"
#include "learner/ranks/rank_device.h"
#include "learner/training.h"
#include "model/weights/device.h"
#include "role/role_main.h"

namespace lvrpo {
namespace {

constexpr char kProgram[] = "lvrpo-learner";

absl::Status Learn(const RoleFlags& flags, const v1::RunConfig& config, ShutdownSignal& shutdown,
                   RoleHealth& health) {
  KeepFreedMemory();
  torch::set_num_threads(flags.threads > 0 ? flags.threads : config.local().threads_learner());
  const absl::StatusOr<std::optional<int>> local_rank = ParseLocalRank(std::getenv("LOCAL_RANK"));
  if (!local_rank.ok()) return local_rank.status();
  const absl::StatusOr<torch::Device> device =
      FindDevice(DeviceOfRank(config.learner().device(), flags.rank, *local_rank, GpuCount()));
  if (!device.ok()) return device.status();
  health.state().SetLoading("the model");
  absl::StatusOr<Training> training = LoadTraining(config, flags.ranks, *device);
  if (!training.ok()) return training.status();
  RankTransport transport = GlooRanks(flags, config.learner());
  if (device->is_cuda()) transport = NcclRanks(std::move(transport), config.learner(), device->index());
  return LearnerProcess(flags, config, *training, shutdown, std::move(transport), health).Run();
}

int Main(int argc, char** argv) {
  return RunRole(
      {.name = kProgram,
       .description =
           "The learner: receives trajectories, trains the policy with GRPO, publishes the weights "
           "and writes checkpoints. Ends when the run has finished or drains; SIGTERM saves a "
           "checkpoint and leaves with exit code 75.",
       .flags = "crlmtkp",
       .member_id = "learner-0",
       .required = {"--coordinator", "--run-dir"},
       .role = PeerRole::kLearner,
       .run = Learn,
       .out_of_range = kExitDiverged},
      argc, argv);
}

}  // namespace
}  // namespace lvrpo

int main(int argc, char** argv) { return lvrpo::RunMain(lvrpo::kProgram, argc, argv, lvrpo::Main); }
