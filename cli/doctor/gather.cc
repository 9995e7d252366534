#include "cli/doctor/gather.h"

#include <linux/magic.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "cli/doctor/certificates.h"
#include "cli/doctor/machine.h"
#include "cli/doctor/places.h"
#include "cli/local/process.h"
#include "collectives/cuda_device.h"
#include "collectives/nccl_library.h"
#include "common/clock.h"
#include "common/config/config.h"
#include "common/config/device_name.h"
#include "common/files/file.h"
#include "common/files/filesystem.h"
#include "common/files/machine_memory.h"
#include "common/net/listen_socket.h"
#include "common/net/reach.h"
#include "common/net/rpc_tls.h"
#include "coordinator/client.h"
#include "nlohmann/json.hpp"
#include "verifiers/rules/prompt_files.h"

namespace lvrpo {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(5);
constexpr int kWrites = 8;
constexpr int64_t kProgram = 300'000'000;  // bytes of LibTorch and the program

bool Is(const DoctorOptions& options, const char* role) {
  return options.role.empty() || options.role == role;
}

std::string Message(const absl::Status& status) { return std::string(status.message()); }

// --- The run folder.

// The folder itself, or the nearest above it that exists: a run makes its own.
std::string ExistingFolder(std::string path) {
  while (!path.empty() && path != "/" && !Exists(path)) path = ParentFolder(path);
  return path.empty() ? "." : path;
}

FolderFacts LookAtFolder(const std::string& run_dir, int64_t needed_bytes) {
  FolderFacts facts;
  facts.path = ExistingFolder(run_dir);
  facts.needed_bytes = needed_bytes;
  struct statfs disk = {};
  if (statfs(facts.path.c_str(), &disk) == 0) {
    facts.free_bytes = static_cast<int64_t>(disk.f_bavail) * static_cast<int64_t>(disk.f_bsize);
    facts.in_memory = disk.f_type == TMPFS_MAGIC;
  }
  const std::string trial = JoinPath(facts.path, absl::StrCat(".lvrpo-doctor-", getpid()));
  for (int i = 0; i < kWrites && facts.problem.empty(); ++i) {
    const absl::Time begun = RealClock().Now();
    if (const absl::Status status = WriteFileAtomic(trial, std::string(4096, 'x')); !status.ok())
      facts.problem = Message(status);
    facts.write_seconds.push_back(absl::ToDoubleSeconds(RealClock().Now() - begun));
  }
  (void)RemoveFile(trial);
  return facts;
}

// Trajectories and checkpoints: three numbers of fp32 for each weight, at most.
int64_t SpaceNeeded(const v1::RunConfig& config) {
  const absl::StatusOr<int64_t> weights = FileSize(JoinPath(config.model().policy(), "ema.safetensors"));
  const int64_t checkpoint = weights.ok() && !config.train().has_lora() ? 3 * *weights : 0;
  return (int64_t{config.train().spool_mib()} << 20) +
         (std::max(1, config.checkpoints().kept().last()) + 1) * checkpoint;
}

// --- The machine.

ClockFacts LookAtClock() {
  ClockFacts facts;
  timespec steady_then = {}, steady_now = {};
  clock_gettime(CLOCK_MONOTONIC, &steady_then);
  const absl::Time then = absl::Now();
  absl::SleepFor(absl::Milliseconds(100));
  clock_gettime(CLOCK_MONOTONIC, &steady_now);
  const absl::Time now = absl::Now();
  facts.unix_seconds = absl::ToDoubleSeconds(now - absl::UnixEpoch());
  facts.wall_seconds = absl::ToDoubleSeconds(now - then);
  facts.steady_seconds =
      absl::ToDoubleSeconds(absl::DurationFromTimespec(steady_now) - absl::DurationFromTimespec(steady_then));
  return facts;
}

Check LookAtLimits(const DoctorOptions& options) {
  rlimit limit = {};
  getrlimit(RLIMIT_NOFILE, &limit);
  return CheckLimits({.files = static_cast<int64_t>(std::min<rlim_t>(limit.rlim_cur, 1 << 30)),
                      .many_connections = options.role == "coordinator" || options.role == "learner"});
}

std::vector<Check> LookAtCpu(int threads) {
  CpuFacts facts;
  cpu_set_t cores;
  CPU_ZERO(&cores);
  if (sched_getaffinity(0, sizeof(cores), &cores) == 0) facts.cores = CPU_COUNT(&cores);
  if (const absl::StatusOr<std::string> quota = ReadFile("/sys/fs/cgroup/cpu.max"); quota.ok())
    facts.quota = ParseCpuMax(*quota);
  facts.threads = threads;
#if defined(__x86_64__)
  facts.avx2 = __builtin_cpu_supports("avx2") != 0;
  facts.avx512 = __builtin_cpu_supports("avx512f") != 0;
  if (const absl::StatusOr<std::string> info = ReadFile("/proc/cpuinfo"); info.ok())
    facts.amx = info->find(" amx_bf16") != std::string::npos;
  return CheckCpu(facts);
#else
  return {CheckCpu(facts).front()};
#endif
}

int ThreadsOf(const v1::RunConfig& config, const std::string& role) {
  const v1::LocalConfig& local = config.local();
  if (role == "learner") return local.threads_learner();
  if (role == "rollout") return local.threads_rollout();
  return role == "reward" ? local.threads_reward() : 0;
}

// --- The run.

Check LookAtMemory(const DoctorOptions& options, const v1::RunConfig* config) {
  MemoryFacts facts;
  facts.limit = MachineMemory();
  if (config == nullptr || (options.role != "learner" && options.role != "")) return CheckMemory(facts);
  std::vector<std::string> command = {JoinPath(BinaryFolder(), "lvrpo-model"), "plan", "--config",
                                      options.config, "--json"};
  for (const std::string& one : options.overrides) command.insert(command.end(), {"--set", one});
  const absl::StatusOr<std::string> printed = Capture(command);
  if (!printed.ok()) {
    return Failure("model", Message(printed.status()),
                   "complete the model folder (model.policy), or correct the settings it names",
                   Check::About::kConfiguration);
  }
  const nlohmann::json plan = nlohmann::json::parse(*printed, nullptr, false);
  if (plan.is_object()) facts.needed = plan.value("host_bytes", int64_t{0}) + kProgram;
  facts.what_needs = "a learner rank of this run";
  return CheckMemory(facts);
}

std::vector<Check> LookAtModels(const DoctorOptions& options, const v1::RunConfig& config) {
  std::vector<Check> checks;
  const auto look = [&](const char* setting, const std::string& folder) {
    if (folder.empty()) return;
    checks.push_back(
        IsFile(JoinPath(folder, "config.json"))
            ? Ok("model", absl::StrCat(setting, ": ", folder))
            : Failure("model", absl::StrCat(setting, ": ", folder, " has no config.json"),
                      "mount the model volume there, or correct the setting; paths are relative to the "
                      "folder that the process starts in"));
  };
  look("model.policy", config.model().policy());
  if (Is(options, "reward")) {
    look("model.referee", config.model().referee());
    if (config.reward().vqa_endpoint().url().empty()) look("model.vqa", config.model().vqa());
  }
  return checks;
}

Check LookAtPrompts(const v1::RunConfig& config) {
  const absl::Status status = CheckPromptFiles(config);
  if (status.ok()) return Ok("prompts", "all prompt files are sound");
  return Failure("prompts", Message(status), "correct or mount the prompt files that data.* names",
                 Check::About::kConfiguration);
}

std::vector<Check> LookAtGpus(const DoctorOptions& options, const v1::RunConfig& config) {
  const std::string device = DeviceOf(config, options.role);
  if (device == "cpu") return {};
  std::vector<Check> checks;
  const absl::StatusOr<std::unique_ptr<DeviceApi>> gpu = OpenCudaDevice(0);
  checks.push_back(
      gpu.ok() ? Ok("GPU", absl::StrCat("the CUDA runtime opens it (", device, ")"))
               : Failure("GPU", Message(gpu.status()),
                         "request nvidia.com/gpu for the pod and use an image built for CUDA, or set the "
                         "role's device to cpu"));
  if (config.weights().transport() == "grpc" && config.local().learner_ranks() < 2) return checks;
  const absl::StatusOr<NcclLibrary> nccl = LoadNccl();
  checks.push_back(nccl.ok() ? Ok("NCCL", InWords(*nccl))
                             : Failure("NCCL", Message(nccl.status()),
                                       "install libnccl2 (2.28 or newer), or name it in LVRPO_NCCL_LIBRARY"));
  return checks;
}

std::vector<Check> LookAtPlaces(const DoctorOptions& options, const v1::RunConfig& config) {
  std::vector<Check> checks;
  for (const Place& place : PlacesOf(config, options.role)) {
    const absl::Status status = Reach(place.where, kPatience);
    checks.push_back(
        status.ok()
            ? Ok("reach", absl::StrCat(place.setting, ": ", place.where.ToString()))
            : Failure("reach", absl::StrCat(place.setting, ": ", Message(status)),
                      "start it, correct the address, or allow the connection (NetworkPolicy, firewall)",
                      Check::About::kReach));
  }
  return checks;
}

// The coordinator, and how far its clock is from ours.
Check LookAtCoordinator(const std::string& address, ClockFacts& clock) {
  const char* to_do =
      "start the coordinator, correct the address, or allow the connection (NetworkPolicy, firewall)";
  const absl::StatusOr<HostPort> where = ParseHostPort(address, AddressUse::kDial);
  const absl::Status reached = where.ok() ? Reach(*where, kPatience) : where.status();
  if (!reached.ok()) return Failure("coordinator", Message(reached), to_do, Check::About::kReach);
  const absl::Time asked = absl::Now();
  const absl::StatusOr<v1::GetStatusResponse> status = CoordinatorClient(address, 64).GetStatus(kPatience);
  if (!status.ok()) return Failure("coordinator", Message(status.status()), to_do, Check::About::kReach);
  const absl::Time middle = asked + (absl::Now() - asked) / 2;
  if (status->unix_seconds() > 0)
    clock.ahead_of_coordinator = absl::ToDoubleSeconds(middle - absl::UnixEpoch()) - status->unix_seconds();
  return Ok("coordinator", absl::StrCat("serves run ", status->run_id(), " at ", address));
}

void Append(std::vector<Check>& checks, std::vector<Check> more) {
  checks.insert(checks.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
}

std::optional<PeerRole> RoleOf(const DoctorOptions& options) {
  const absl::StatusOr<PeerRole> role = PeerRoleOf(options.role);
  return role.ok() ? std::optional<PeerRole>(*role) : std::nullopt;
}

void ExamineRun(const DoctorOptions& options, const v1::RunConfig& config, std::vector<Check>& checks) {
  Append(checks, LookAtModels(options, config));
  checks.push_back(LookAtPrompts(config));
  Append(checks, LookAtGpus(options, config));
  Append(checks, CheckKeys(config, options.role));
  Append(checks, LookAtPlaces(options, config));
}

}  // namespace

std::vector<Check> Examine(const DoctorOptions& options) {
  std::vector<Check> checks;
  std::unique_ptr<LoadedConfig> loaded;
  if (!options.config.empty()) {
    absl::StatusOr<LoadedConfig> read = LoadRunConfig(options.config, options.overrides);
    if (read.ok()) {
      loaded = std::make_unique<LoadedConfig>(*std::move(read));
      checks.push_back(Ok("configuration", absl::StrCat(options.config, " is sound")));
    } else {
      checks.push_back(Failure("configuration", Message(read.status()),
                               "correct it: lvrpo validate --config FILE", Check::About::kConfiguration));
    }
  }
  const v1::RunConfig* config = loaded == nullptr ? nullptr : &loaded->config;
  if (!options.run_dir.empty())
    Append(checks, CheckFolder(LookAtFolder(options.run_dir, config == nullptr ? 0 : SpaceNeeded(*config))));
  ClockFacts clock = LookAtClock();
  // The coordinator is asked as a process of the role asks it. What is wrong with the folder is a check
  // below.
  if (!options.tls.empty()) (void)UseTls(options.tls, RoleOf(options));
  if (!options.coordinator.empty()) checks.push_back(LookAtCoordinator(options.coordinator, clock));
  Append(checks, CheckClock(clock));
  checks.push_back(LookAtLimits(options));
  checks.push_back(LookAtMemory(options, config));
  Append(checks, LookAtCpu(config == nullptr ? 0 : ThreadsOf(*config, options.role)));
  for (const std::string& address : options.listen) {
    const absl::Status status = CheckCanListen(address);
    checks.push_back(status.ok()
                         ? Ok("port", absl::StrCat(address, " is free"))
                         : Failure("port", Message(status), "stop what uses it, or choose another address"));
  }
  if (!options.tls.empty()) Append(checks, CheckCertificates(options.tls, options.role, absl::Now()));
  if (config != nullptr) ExamineRun(options, *config, checks);
  return checks;
}

}  // namespace lvrpo
