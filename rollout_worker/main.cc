#include "common/allocator.h"
#include "common/flags/run_main.h"
#include "model/weights/gpu_memory.h"
#include "role/role_main.h"
#include "rollout_worker/sampling.h"
#include "rollout_worker/worker_process.h"

namespace lvrpo {
namespace {

constexpr char kProgram[] = "lvrpo-rollout-worker";

absl::Status Work(const RoleFlags& flags, const v1::RunConfig& config, ShutdownSignal& shutdown,
                  RoleHealth& health) {
  KeepFreedMemory();
  torch::set_num_threads(flags.threads > 0 ? flags.threads : config.local().threads_rollout());
  const GpuMemoryReturn returned;
  health.state().SetLoading("the model");
  const absl::StatusOr<Sampling> sampling = LoadSampling(config);
  if (!sampling.ok()) return sampling.status();
  return WorkerProcess(flags, config, *sampling, shutdown, health).Run();
}

int Main(int argc, char** argv) {
  return RunRole(
      {.name = kProgram,
       .description = "A rollout worker: leases groups from the coordinator, samples them from the newest "
                      "policy, has them scored and hands them to the learner. Ends when the run has finished "
                      "or drains; SIGTERM finishes what is held and leaves.",
       .flags = "clmtsp",
       .member_id = "rollout-0",
       .required = {"--coordinator"},
       .role = PeerRole::kRollout,
       .run = Work,
       .is_pool = true},
      argc, argv);
}

}  // namespace
}  // namespace lvrpo

int main(int argc, char** argv) { return lvrpo::RunMain(lvrpo::kProgram, argc, argv, lvrpo::Main); }
