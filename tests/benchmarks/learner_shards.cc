// Time and memory of the learner's step, whole and sharded, on one rank and on several that are threads of
// this process, and of copying a step; memory against what `lvrpo plan` says. Whole on one rank is the
// baseline.

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "CLI/CLI.hpp"
#include "collectives/in_process.h"
#include "common/flags/role_flags.h"
#include "common/stopwatch.h"
#include "learner/step_keeper.h"
#include "policy/learner_memory.h"
#include "tests/learner/tiny_run.h"

namespace lvrpo {
namespace {

// Bytes of tensors that are alive, and the most there ever were since Reset().
class TensorBytes final : public c10::Allocator {
 public:
  c10::DataPtr allocate(size_t bytes) override {
    auto* held = new Held{inner_->allocate(bytes), this, static_cast<int64_t>(bytes)};
    const int64_t now = alive_ += held->bytes;
    int64_t most = most_;
    while (now > most && !most_.compare_exchange_weak(most, now)) {
    }
    return {held->inner.get(), held, &Free, held->inner.device()};
  }
  void copy_data(void* to, const void* from, size_t bytes) const override {
    default_copy_data(to, from, bytes);
  }

  int64_t alive() const { return alive_; }
  int64_t most() const { return most_; }
  void Reset() { most_ = alive_.load(); }

 private:
  struct Held {
    c10::DataPtr inner;
    TensorBytes* counter;
    int64_t bytes;
  };
  static void Free(void* held) {
    const std::unique_ptr<Held> own(static_cast<Held*>(held));
    own->counter->alive_ -= own->bytes;
  }
  c10::Allocator* const inner_ = c10::GetAllocator(c10::DeviceType::CPU);
  std::atomic<int64_t> alive_ = 0, most_ = 0;
};

struct Size {
  const char* name;
  int64_t hidden, mlp, heads, kv_heads, layers;
};
constexpr Size kSizes[] = {
    {"tiny", 32, 48, 4, 2, 2}, {"small", 256, 768, 8, 4, 6}, {"bagel-width", 3584, 18944, 28, 4, 1}};

BagelConfig ModelOf(const Size& size) {
  BagelConfig model = TinyRunConfig();
  model.hidden = size.hidden;
  model.mlp = size.mlp;
  model.heads = size.heads;
  model.kv_heads = size.kv_heads;
  model.layers = size.layers;
  return model;
}

Bagel Make(const BagelConfig& model) {
  TensorMap tensors = Bagel::RandomInit(model, 3);
  torch::manual_seed(5);
  tensors.at("llm2vae.weight") = torch::randn(tensors.at("llm2vae.weight").sizes()) * 0.1;
  return *Bagel::Create(model, std::move(tensors), "benchmark");
}

struct Result {
  double seconds = 0;  // of a step, the best
  int64_t peak = 0;    // of all ranks' tensors together
  double copy = 0;     // seconds of learner.step_copies, the best
};

// Seconds of copying the newest step to /dev/shm, where its files are by then. All ranks call it.
double CopySeconds(GrpoTrainer& trainer, Collectives* own, bool sharded, int steps) {
  Metrics metrics("bench");
  StepKeeper keeper({.folder = "/dev/shm",
                     .run_id = absl::StrCat("lvrpo-bench-", getpid()),
                     .config_digest = "bench",
                     .epoch = "bench",
                     .sharded = sharded},
                    trainer, own, metrics);
  double best = 1e9;
  absl::Status status = keeper.Open();
  for (int step = 0; status.ok() && step < steps + 2; ++step) {
    const Stopwatch watch;
    status = keeper.Keep({.step = step, .digest = "bench"});
    if (step >= 2) best = std::min(best, watch.Seconds());
  }
  keeper.Remove();
  return status.ok() ? best : 0;
}

// `groups`: ranks as ranks_test.cc deals them: alternately.
Result Measure(const v1::RunConfig& config, const BagelConfig& model,
               const std::vector<TrainingGroup>& groups, int ranks, int steps, TensorBytes& counter) {
  Result result = {.seconds = 1e9};
  const int64_t before = counter.alive();
  const auto collectives = MakeInProcess(ranks, absl::Minutes(10));
  std::vector<std::thread> threads;
  for (int rank = 0; rank < ranks; ++rank) {
    // Made here: random weights come from a generator that the threads share.
    std::unique_ptr<GrpoTrainer> made = *GrpoTrainer::Create(config, Make(model));
    threads.emplace_back([&, rank, trainer = std::move(made)] {
      torch::set_num_threads(1);
      Collectives* own = ranks == 1 ? nullptr : collectives[static_cast<size_t>(rank)].get();
      if (config.learner().sharded()) trainer->Shard(own, false);
      std::vector<TrainingGroup> dealt = groups;
      for (size_t i = 0; i < dealt.size(); ++i) {
        dealt[i].rank = static_cast<int>(i / 2) % ranks;
        if (dealt[i].rank == rank) continue;
        if (std::holds_alternative<ImageGroup>(dealt[i].trajectories.samples)) {
          dealt[i].trajectories.samples = ImageGroup();
        } else {
          dealt[i].trajectories.samples = TextGroup();
        }
      }
      const StepRanks step_ranks = own == nullptr ? StepRanks::Alone() : StepRanks(*own, false);
      for (int step = 0; step < steps; ++step) {
        if (own != nullptr) (void)own->Barrier();
        if (rank == 0) counter.Reset();
        if (own != nullptr) (void)own->Barrier();
        const Stopwatch watch;
        const auto taken = trainer->Step(dealt, step, step_ranks);
        if (!taken.ok() || !taken->unusable.empty()) {
          std::fprintf(stderr, "the step failed: %s\n", taken.status().ToString().c_str());
          std::exit(1);
        }
        if (own != nullptr) (void)own->Barrier();
        if (rank == 0) {
          result.seconds = std::min(result.seconds, watch.Seconds());
          result.peak = std::max(result.peak, counter.most() - before);
        }
      }
      const double copy = CopySeconds(*trainer, own, config.learner().sharded(), steps);
      if (rank == 0) result.copy = copy;
    });
  }
  for (std::thread& thread : threads) thread.join();
  return result;
}

// Tensors alone: what is published lies in strings.
int64_t Planned(const v1::RunConfig& config, const BagelConfig& model, const LearnerLoad& load, int ranks) {
  int64_t bytes = 0;
  for (int rank = 0; rank < ranks; ++rank) {
    for (const MemoryLine& line : PlanLearner(config, model, load, ranks, rank).lines)
      bytes += line.what == "published versions" ? 0 : line.bytes;
  }
  return bytes;
}

void Compare(const Size& size, int steps, const std::vector<int>& counts, bool lines, TensorBytes& counter) {
  const BagelConfig model = ModelOf(size);
  v1::RunConfig config = TinyRun();
  std::vector<TrainingGroup> groups;
  {
    const Bagel base = Make(model);
    for (int64_t i = 0; i < 4; ++i)
      groups.push_back(i % 2 == 0 ? TrainImages(base, config, i) : TrainTexts(base, config, i));
  }
  LearnerLoad load = {.image_context = 5, .image_tokens = 16, .text_context = 4 + 2 + 2 + 2};
  for (const TrainingGroup& group : groups) {
    if (const auto* texts = std::get_if<TextGroup>(&group.trajectories.samples)) {
      for (const auto& ids : texts->ids)
        load.answer_tokens = std::max(load.answer_tokens, static_cast<int64_t>(ids.size()));
    }
  }
  std::printf("%s: %lld layers of width %lld\n", size.name, static_cast<long long>(model.layers),
              static_cast<long long>(model.hidden));
  std::printf("  %-18s %10s %8s %12s %12s %8s %10s\n", "", "step", "ratio", "peak", "planned", "ratio",
              "copy");
  double whole = 0;
  for (const bool sharded : {false, true}) {
    for (const int ranks : counts) {
      if (!sharded && ranks > 1 && size.hidden > 1000) continue;
      config.mutable_learner()->set_sharded(sharded);
      const Result result = Measure(config, model, groups, ranks, steps, counter);
      if (whole == 0) whole = result.seconds;
      const int64_t planned = Planned(config, model, load, ranks);
      std::printf("  %-8s %d %-7s %8.3f s %8.2f %9.1f MB %9.1f MB %8.2f %8.4f s\n",
                  sharded ? "sharded" : "whole", ranks, ranks == 1 ? "rank" : "ranks", result.seconds,
                  result.seconds / whole, static_cast<double>(result.peak) / 1e6,
                  static_cast<double>(planned) / 1e6,
                  static_cast<double>(result.peak) / static_cast<double>(planned), result.copy);
      std::fflush(stdout);
      if (!lines) continue;
      for (const MemoryLine& line : PlanLearner(config, model, load, ranks).lines)
        std::printf("      %-36s %9.1f MB\n", line.what.c_str(), static_cast<double>(line.bytes) / 1e6);
    }
  }
}

int Main(int argc, char** argv) {
  CLI::App app("Time and memory of a learner's step, whole and sharded.", "lvrpo-bench-shards");
  std::vector<std::string> sizes = {"tiny", "small"};
  std::vector<int> ranks = {1, 2};
  int steps = 3;
  bool lines = false;
  app.add_option("--size", sizes, "tiny, small, or bagel-width (needs 16 GB)")->capture_default_str();
  app.add_option("--ranks", ranks, "numbers of ranks, each a thread")->capture_default_str();
  app.add_option("--steps", steps, "steps of each; the best is shown")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app.add_flag("--lines", lines, "the parts of the plan");
  if (const std::optional<int> code = ParseFlags(app, argc, argv)) return *code;
  static TensorBytes counter;
  c10::SetAllocator(c10::DeviceType::CPU, &counter, /*priority=*/100);
  for (const Size& size : kSizes) {
    if (std::count(sizes.begin(), sizes.end(), size.name) > 0) Compare(size, steps, ranks, lines, counter);
  }
  return 0;
}

}  // namespace
}  // namespace lvrpo

int main(int argc, char** argv) { return lvrpo::Main(argc, argv); }
