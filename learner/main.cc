#include "common/allocator.h"
#include "common/exit_code.h"
#include "common/flags/run_main.h"
#include "learner/gloo_ranks.h"
#include "learner/learner_process.h"
#include "learner/training.h"
#include "role/role_main.h"

namespace lvrpo {
namespace {

constexpr char kProgram[] = "lvrpo-learner";

absl::Status Learn(const RoleFlags& flags, const v1::RunConfig& config, ShutdownSignal& shutdown) {
  KeepFreedMemory();
  torch::set_num_threads(flags.threads > 0 ? flags.threads : config.local().threads_learner());
  absl::StatusOr<Training> training = LoadTraining(config, flags.ranks);
  if (!training.ok()) return training.status();
  return LearnerProcess(flags, config, *training, shutdown, GlooRanks(flags, config.learner())).Run();
}

int Main(int argc, char** argv) {
  return RunRole(
      {.name = kProgram,
       .description =
           "The learner: receives trajectories, trains the policy with GRPO, publishes the weights "
           "and writes checkpoints. Ends when the run has finished or drains; SIGTERM saves a "
           "checkpoint and leaves with exit code 75.",
       .flags = "crlmtk",
       .member_id = "learner-0",
       .required = {"--coordinator", "--run-dir"},
       .run = Learn,
       .out_of_range = kExitDiverged},
      argc, argv);
}

}  // namespace
}  // namespace lvrpo

int main(int argc, char** argv) { return lvrpo::RunMain(lvrpo::kProgram, argc, argv, lvrpo::Main); }
