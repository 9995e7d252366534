// Prints the speed of the parts, each with a baseline of the same run, so that the ratio is meaningful on any
// machine.

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/clock.h"
#include "common/config/config.h"
#include "common/net/introduction.h"
#include "common/stopwatch.h"
#include "coordinator/service.h"
#include "learner/trainer.h"
#include "reward_server/decode_request.h"
#include "reward_server/load_scorers.h"
#include "rollout_worker/generator.h"
#include "rollout_worker/policy_holder.h"
#include "spdlog/spdlog.h"
#include "tests/benchmarks/timing.h"
#include "tests/benchmarks/world.h"
#include "tests/testing/temporary_folder.h"
#include "tests/weight_plane/memory_transport.h"
#include "trajectory/codec.h"
#include "weight_plane/weight_buckets.h"

namespace lvrpo {
namespace {

constexpr double kSeconds = 3;  // of each measurement, after one call to warm up

// Calls a second, over at least kSeconds.
double Rate(const std::function<void()>& work) {
  work();
  int calls = 0;
  const Stopwatch watch;
  double seconds = 0;
  do {
    work();
    ++calls;
    seconds = watch.Seconds();
  } while (seconds < kSeconds);
  return calls / seconds;
}

void Print(const std::string& what, double value, const std::string& unit, const std::string& baseline_name,
           double baseline) {
  std::printf("%-34s %12.1f %-16s %5.2fx of %s (%.1f)\n", what.c_str(), value, unit.c_str(), value / baseline,
              baseline_name.c_str(), baseline);
  std::fflush(stdout);
}

void BenchSampling(const World& world, const std::shared_ptr<const Policy>& policy) {
  const Generator generator(world.config, world.autoencoder, *world.tokenizer);
  const int group_size = world.config.rollout().group_size();
  int64_t ordinal = 0;
  const double grouped =
      group_size * Rate([&] {
        generator.Generate(*policy, world.prompts.At(ordinal), MakeLease(ordinal, group_size));
        ++ordinal;
      });
  const double single = Rate([&] {
    generator.Generate(*policy, world.prompts.At(ordinal), MakeLease(ordinal, 1));
    ++ordinal;
  });
  Print("images sampled and decoded", grouped, "images/s", "one image at a time", single);
}

void BenchTraining(const World& world, const std::shared_ptr<const Policy>& policy) {
  const Generator generator(world.config, world.autoencoder, *world.tokenizer);
  const TrajectoryRules rules = {world.config, world.base.config()};
  const int size = world.config.rollout().group_size();
  std::vector<TrainingGroup> groups;
  for (int64_t ordinal = 0; ordinal < world.config.train().groups_per_step(); ++ordinal) {
    const PromptSource::Prompt prompt = world.prompts.At(ordinal);
    const GeneratedGroup generated = generator.Generate(*policy, prompt, MakeLease(ordinal, size));
    TrainingGroup group = {.trajectories = *ReadGroup(generated.trajectory, prompt, rules), .samples = {}};
    for (int slot = 0; slot < size; ++slot) {
      v1::SampleSummary& summary = group.samples.emplace_back();
      summary.set_slot(slot);
      summary.set_reward(static_cast<float>(slot % 2));
    }
    groups.push_back(std::move(group));
  }
  const double samples = static_cast<double>(groups.size()) * size;
  const auto rate = [&](int micro_batch) {
    v1::RunConfig config = world.config;
    config.mutable_train()->set_micro_batch(micro_batch);
    const auto trainer = GrpoTrainer::Create(config, world.base);
    int64_t step = 0;
    return samples * Rate([&] { (void)(*trainer)->Step(groups, step++); });
  };
  Print("samples trained on", rate(0), "samples/s", "one sample at a time", rate(1));
}

void BenchRewards(const World& world, const std::shared_ptr<const Policy>& policy) {
  const Generator generator(world.config, world.autoencoder, *world.tokenizer);
  std::vector<ScoringGroup> batches;
  for (int64_t ordinal = 0; ordinal < 12; ++ordinal) {
    const GeneratedGroup group = generator.Generate(*policy, world.prompts.At(ordinal),
                                                    MakeLease(ordinal, world.config.rollout().group_size()));
    batches.push_back(*DecodeRequest(group.score_request));
  }
  const auto rate = [&](double grounding, double instruction, double knowledge) {
    v1::RunConfig config = world.config;
    config.mutable_reward()->set_grounding_weight(grounding);
    config.mutable_reward()->set_instruction_weight(instruction);
    config.mutable_reward()->set_knowledge_weight(knowledge);
    Metrics metrics;
    const auto scorers = LoadScorers(config, metrics);
    size_t next = 0;
    return static_cast<double>(batches[0].size()) *
           Rate([&] { (*scorers)->Score(batches[next++ % batches.size()]); });
  };
  const double all = rate(0.3, 1, 0.2);
  Print("images scored, all components", all, "images/s", "the same", all);
  Print("  grounding alone", rate(1, 0, 0), "images/s", "all components", all);
  Print("  instruction alone", rate(0, 1, 0), "images/s", "all components", all);
  Print("  knowledge alone", rate(0, 0, 1), "images/s", "all components", all);
}

// How long a swap of all weights keeps a thread waiting that asks for them without a pause.
void BenchSwap(const World& world, const std::shared_ptr<const Policy>& policy) {
  constexpr int kSwaps = 20;
  const TensorMap tensors = world.base.tensors();
  std::shared_ptr<const PackedWeights> next;
  Metrics metrics;
  PolicyHolder holder(world.base, ShapesOf(tensors), policy,
                      {.fetch =
                           [&](const WantedWeights& wanted) {
                             MemoryWeightStream stream(next);
                             return ReceiveAll(stream, wanted);
                           },
                       .offer = [](const std::shared_ptr<const PackedWeights>&) {},
                       .acknowledge = [](const v1::PolicyVersion&) { return absl::OkStatus(); }},
                      metrics);
  std::atomic<double> longest = 0;
  std::atomic<bool> stop = false;
  std::thread sampler([&] {
    while (!stop) {
      const Stopwatch watch;
      const std::shared_ptr<const Policy> current = holder.current();
      longest = std::max(longest.load(), watch.Seconds());
    }
  });
  std::vector<double> swaps, whole;
  for (int number = 1; number <= kSwaps; ++number) {
    next = std::make_shared<const PackedWeights>(PackWeights(tensors, number));
    longest = 0;
    const Stopwatch watch;
    if (!holder.Update(next->manifest.version(), 1).ok()) std::abort();
    whole.push_back(1e6 * watch.Seconds());
    swaps.push_back(1e6 * longest);
  }
  stop = true;
  sampler.join();
  Print("longest wait of a sampler in a swap", Median(swaps), "us", "fetch, check and swap (us)",
        Median(whole));
}

// Leases, submits and commits a second; every one is on disk before it is answered.
double CoordinatorRate(const std::string& database, const std::string& run_dir) {
  constexpr int kGroups = 8;
  CoordinatorService::Options options;
  options.run_id = "bench";
  options.run_dir = run_dir;
  options.rules.total_steps = 1000000;
  options.rules.group_size = 8;
  options.rules.groups_per_step = kGroups;
  Metrics metrics;
  auto store = Store::Open(database, "bench", "");
  auto service = CoordinatorService::Create(options, *std::move(store), RealClock(), metrics);
  if (!service.ok() || !(*service)->Start().ok()) std::abort();
  std::string epoch;  // the learner's
  const auto join = [&](const std::string& id, v1::Role role) {
    v1::RegisterRequest request;
    request.set_member_id(id);
    *request.mutable_build() = OwnBuild();
    request.set_role(role);
    request.set_address("localhost:1");
    (*request.mutable_contract())["model"] = "bench";
    v1::RegisterResponse response;
    if (!(*service)->Register(nullptr, &request, &response).ok()) std::abort();
    epoch = response.view().learner_epoch().id();
    v1::Fence fence;
    fence.set_run_id(response.run_id());
    fence.set_run_epoch(response.run_epoch());
    fence.set_member_id(id);
    fence.set_incarnation(response.incarnation());
    return fence;
  };
  v1::StartTrainingRequest start;
  *start.mutable_fence() = join("learner-0", v1::ROLE_LEARNER);
  start.set_learner_epoch(epoch);
  start.mutable_version()->set_digest("base");
  v1::StartTrainingResponse started;
  (void)(*service)->StartTraining(nullptr, &start, &started);
  join("reward-0", v1::ROLE_REWARD_SERVER);  // nothing is leased without a reward server
  v1::LeaseGroupRequest lease;
  *lease.mutable_fence() = join("rollout-0", v1::ROLE_ROLLOUT_WORKER);
  *lease.mutable_version() = start.version();
  v1::AssignStepRequest assign;
  *assign.mutable_fence() = start.fence();
  assign.set_learner_epoch(epoch);
  v1::CommitStepRequest commit;
  *commit.mutable_fence() = start.fence();
  commit.set_learner_epoch(epoch);
  return (2 * kGroups + 2) * Rate([&] {
           commit.clear_ordinals();
           for (int group = 0; group < kGroups; ++group) {
             v1::LeaseGroupResponse leased;
             (void)(*service)->LeaseGroup(nullptr, &lease, &leased);
             v1::SubmitGroupRequest submit;
             *submit.mutable_fence() = lease.fence();
             *submit.mutable_lease() = leased.lease().id();
             *submit.mutable_version() = lease.version();
             submit.set_trajectory_digest(std::string(64, 'a'));
             submit.set_log_probs_finite(true);
             for (int slot = 0; slot < 8; ++slot) {
               v1::SampleSummary& sample = *submit.add_samples();
               sample.set_slot(slot);
               sample.set_reward(static_cast<float>(slot));
               for (const char* name : {"grounding", "instruction", "knowledge"}) {
                 v1::ComponentScore& score = *sample.add_scores();
                 score.set_name(name);
                 score.set_outcome(v1::ComponentScore::OK);
                 score.set_score(static_cast<float>(slot));
               }
             }
             v1::SubmitGroupResponse submitted;
             if (!(*service)->SubmitGroup(nullptr, &submit, &submitted).ok() || !submitted.accepted())
               std::abort();
             commit.add_ordinals(leased.lease().id().ordinal());
           }
           v1::AssignStepResponse assigned;
           v1::CommitStepResponse committed;
           commit.set_step(assign.step());
           commit.mutable_new_version()->set_number(assign.step() + 1);
           commit.mutable_new_version()->set_digest(absl::StrCat("step-", assign.step()));
           if (!(*service)->AssignStep(nullptr, &assign, &assigned).ok() ||
               !(*service)->CommitStep(nullptr, &commit, &committed).ok())
             std::abort();
           assign.set_step(assign.step() + 1);
           *lease.mutable_version() = commit.new_version();
         });
}

void BenchCoordinator() {
  const TemporaryFolder folder;
  const double durable = CoordinatorRate(folder / "coordinator.sqlite", folder.path());
  const double memory = CoordinatorRate(":memory:", folder.path());
  Print("coordinator transitions, durable", durable, "transitions/s", "the same in memory", memory);
}

int Main(int argc, char** argv) {
  if (argc > 1) {
    std::printf("lvrpo-bench: run from the repository's root, without arguments; takes about a minute\n");
    return argc == 2 && std::string(argv[1]) == "--help" ? 0 : 2;
  }
  spdlog::set_level(spdlog::level::warn);
  torch::set_num_threads(1);
  const auto config = LoadRunConfig("configs/shapes.yaml", {});
  if (!config.ok()) {
    std::fprintf(stderr, "lvrpo-bench: %s\n", std::string(config.status().message()).c_str());
    return 64;
  }
  auto world = LoadWorld(config->config);
  if (!world.ok()) {
    std::fprintf(stderr, "lvrpo-bench: %s\n", std::string(world.status().message()).c_str());
    return 65;
  }
  const auto policy = *MakePolicy(world->base, {}, v1::PolicyVersion());
  std::printf("one thread, group size %d, %d schedule values, window %d, %d groups a step\n",
              world->config.rollout().group_size(), world->config.rollout().timesteps(),
              world->config.rollout().window_size(), world->config.train().groups_per_step());
  BenchSampling(*world, policy);
  BenchTraining(*world, policy);
  BenchRewards(*world, policy);
  BenchSwap(*world, policy);
  BenchCoordinator();
  return 0;
}

}  // namespace
}  // namespace lvrpo

int main(int argc, char** argv) { return lvrpo::Main(argc, argv); }
