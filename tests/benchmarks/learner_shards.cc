// Time and memory of the learner's step, whole and sharded, on one rank and on several that are threads of
// this process, and of copying a step; memory against what `lvrpo plan` says. Whole on one rank is the
// baseline.

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
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

// Bytes of tensors that are alive, and the most there ever were since Reset(). What it gives out is its own
// context, as oneDNN wants it: the size lies before it.
class TensorBytes final : public c10::Allocator {
 public:
  c10::DataPtr allocate(size_t bytes) override {
    if (bytes == 0) return {nullptr, nullptr, &Free, c10::DeviceType::CPU};
    char* own =
        static_cast<char*>(std::aligned_alloc(kBefore, kBefore + (bytes + kBefore - 1) / kBefore * kBefore));
    TORCH_CHECK(own != nullptr, "no memory for ", bytes, " bytes");
    *reinterpret_cast<int64_t*>(own) = static_cast<int64_t>(bytes);
    const int64_t now = alive_ += static_cast<int64_t>(bytes);
    int64_t most = most_;
    while (now > most && !most_.compare_exchange_weak(most, now)) {
    }
    return {own + kBefore, own + kBefore, &Free, c10::DeviceType::CPU};
  }
  c10::DeleterFnPtr raw_deleter() const override { return &Free; }
  void copy_data(void* to, const void* from, size_t bytes) const override {
    default_copy_data(to, from, bytes);
  }

  int64_t alive() const { return alive_; }
  int64_t most() const { return most_; }
  void Reset() { most_ = alive_.load(); }

 private:
  static constexpr size_t kBefore = 64;  // LibTorch's alignment
  static void Free(void* given) {
    if (given == nullptr) return;
    char* own = static_cast<char*>(given) - kBefore;
    alive_ -= *reinterpret_cast<int64_t*>(own);
    std::free(own);
  }
  static inline std::atomic<int64_t> alive_ = 0, most_ = 0;
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

// In the dtype of the run.
Bagel Make(const BagelConfig& model, const v1::RunConfig& config) {
  TensorMap tensors = Bagel::RandomInit(model, 3);
  torch::manual_seed(5);
  tensors.at("llm2vae.weight") = torch::randn(tensors.at("llm2vae.weight").sizes()) * 0.1;
  if (config.model().weights_dtype() == "bf16") {
    for (auto& [name, tensor] : tensors) tensor = tensor.to(torch::kBFloat16);
  }
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
    std::unique_ptr<GrpoTrainer> made = *GrpoTrainer::Create(config, Make(model, config));
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

// Of a step's tensors: what is published lies in strings, and nothing is saved.
std::vector<MemoryLine> LinesOf(const v1::RunConfig& config, const BagelConfig& model,
                                const LearnerLoad& load, int ranks, int rank) {
  std::vector<MemoryLine> lines = PlanLearner(config, model, load, ranks, rank)->lines;
  std::erase_if(lines, [](const MemoryLine& line) {
    return line.what == "published versions" || line.what == "a checkpoint that is written";
  });
  return lines;
}

// The step's groups, and the largest of them.
struct Work {
  std::vector<TrainingGroup> groups;
  LearnerLoad load = {.image_context = 5, .image_tokens = 16, .text_context = 4 + 2 + 2 + 2};
};

Work WorkOf(const BagelConfig& model, const v1::RunConfig& config) {
  Work work;
  const Bagel base = Make(model, config);
  for (int64_t i = 0; i < 4; ++i) {
    work.groups.push_back(i % 2 == 0 ? TrainImages(base, config, i) : TrainTexts(base, config, i));
    const auto* texts = std::get_if<TextGroup>(&work.groups.back().trajectories.samples);
    if (texts == nullptr) continue;
    for (const auto& ids : texts->ids)
      work.load.answer_tokens = std::max(work.load.answer_tokens, static_cast<int64_t>(ids.size()));
  }
  return work;
}

struct Case {
  bool sharded;
  const char* dtype;
};
constexpr Case kCases[] = {{false, "fp32"}, {true, "fp32"}, {true, "bf16"}};

void Compare(const Size& size, int steps, const std::vector<int>& counts, bool lines, TensorBytes& counter) {
  const BagelConfig model = ModelOf(size);
  v1::RunConfig config = TinyRun();
  config.mutable_train()->set_groups_per_step(4);
  std::printf("%s: %lld layers of width %lld\n", size.name, static_cast<long long>(model.layers),
              static_cast<long long>(model.hidden));
  std::printf("  %-23s %10s %8s %12s %12s %8s %10s\n", "", "step", "ratio", "peak", "planned", "ratio",
              "copy");
  double whole = 0;
  for (const auto& [sharded, dtype] : kCases) {
    config.mutable_learner()->set_sharded(sharded);
    config.mutable_model()->set_weights_dtype(dtype);
    const Work work = WorkOf(model, config);
    for (const int ranks : counts) {
      if ((!sharded || config.model().weights_dtype() == "bf16") && ranks > 1 && size.hidden > 1000) continue;
      const Result result = Measure(config, model, work.groups, ranks, steps, counter);
      if (whole == 0) whole = result.seconds;
      int64_t planned = 0;
      for (int rank = 0; rank < ranks; ++rank) {
        for (const MemoryLine& line : LinesOf(config, model, work.load, ranks, rank)) planned += line.bytes;
      }
      std::printf("  %-8s %s %d %-7s %8.3f s %8.2f %9.1f MB %9.1f MB %8.2f %8.4f s\n",
                  sharded ? "sharded" : "whole", dtype, ranks, ranks == 1 ? "rank" : "ranks", result.seconds,
                  result.seconds / whole, static_cast<double>(result.peak) / 1e6,
                  static_cast<double>(planned) / 1e6,
                  static_cast<double>(result.peak) / static_cast<double>(planned), result.copy);
      std::fflush(stdout);
      if (!lines) continue;
      for (const MemoryLine& line : LinesOf(config, model, work.load, ranks, 0))
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
