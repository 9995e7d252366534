// What only a GPU can show, as lines of a page of figures (tools/gpu_check.sh): captured graphs against plain
// steps, a learner's step at BAGEL's width with its memory against the plan, and collectives between GPUs.
// With device cpu the same code runs, at a size for CPUs.

#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "algorithm/schedule.h"
#include "c10/core/CachingDeviceAllocator.h"
#include "collectives/cuda_device.h"
#include "collectives/in_process.h"
#include "collectives/nccl_collectives.h"
#include "collectives/nccl_library.h"
#include "common/flags/role_flags.h"
#include "common/flags/run_main.h"
#include "common/stopwatch.h"
#include "model/layers/step_graph.h"
#include "model/weights/device.h"
#include "model/weights/moved.h"
#include "policy/learner_memory.h"
#include "policy/run_policy.h"
#include "tests/benchmarks/timing.h"
#include "tests/learner/tiny_run.h"

namespace lvrpo {
namespace {

constexpr char kProgram[] = "lvrpo-bench-gpu";

struct Flags {
  std::string device = "cuda", width = "bagel";
  int layers = 2, group = 8, side = 32, repeats = 5, ranks = 2, mib = 256;
  double peak_tflops = 0;
};

void Synchronize(torch::Device device) {
  if (device.is_cuda()) torch::cuda::synchronize(device.index());
}

double SecondsOf(torch::Device device, const std::function<void()>& work) {
  Synchronize(device);
  const Stopwatch watch;
  work();
  Synchronize(device);
  return watch.Seconds();
}

// The published widths with few layers, or those of the tests.
BagelConfig ModelOf(const Flags& flags) {
  BagelConfig config = flags.width == "bagel" ? BagelConfig() : TinyRunConfig();
  config.layers = flags.layers;
  config.vit_layers = std::min<int64_t>(config.vit_layers, flags.layers);
  config.bos = TinyRunConfig().bos, config.eos = TinyRunConfig().eos;
  config.start_of_image = TinyRunConfig().start_of_image, config.end_of_image = TinyRunConfig().end_of_image;
  return config;
}

absl::StatusOr<Bagel> MakeModel(const Flags& flags, torch::Dtype dtype, torch::Device device) {
  const BagelConfig config = ModelOf(flags);
  TensorMap tensors = Bagel::RandomInit(config, 3);
  torch::manual_seed(5);
  tensors.at("llm2vae.weight") = torch::randn(tensors.at("llm2vae.weight").sizes()) * 0.01;
  for (auto& [name, tensor] : tensors) tensor = tensor.to(dtype);
  return OnDevice(Bagel::Create(config, std::move(tensors), "random weights"), device, "random weights");
}

LatentGrid GridOf(const Flags& flags, const BagelConfig& config) {
  const int64_t side = std::min<int64_t>(flags.side, config.max_latent_side);
  return {.height = side, .width = side};
}

// A row of the page.
void Row(const std::string& what, const std::string& figure) {
  std::printf("| %s | %s |\n", what.c_str(), figure.c_str());
  std::fflush(stdout);
}

std::string Milliseconds(double seconds) { return absl::StrCat(Rounded(seconds * 1e3, .01), " ms"); }

// 2 operations per multiply-add: the products of the layers' linear maps (their two halves have the same
// widths) and of attention.
double ForwardFlops(const BagelConfig& c, int64_t rows, int64_t tokens, int64_t context) {
  const double linear =
      static_cast<double>(c.hidden * (2 * c.hidden + 2 * c.kv_heads * c.head_dim()) + 3 * c.hidden * c.mlp);
  const double attention = 2 * static_cast<double>(c.hidden) * static_cast<double>(tokens + context);
  return 2 * static_cast<double>(rows * tokens * c.layers) * (linear + attention);
}

void RowOfRate(const Flags& flags, const std::string& what, double flops, double seconds) {
  std::string figure =
      absl::StrCat(Milliseconds(seconds), ", ", Rounded(flops / seconds / 1e12, .01), " TFLOP/s");
  if (flags.peak_tflops > 0)
    absl::StrAppend(&figure, ", ", Rounded(100 * flops / seconds / 1e12 / flags.peak_tflops, .1), " % of ",
                    flags.peak_tflops);
  Row(what, figure);
}

absl::Status Graphs(const Flags& flags) {
  const absl::StatusOr<torch::Device> device = FindDevice(flags.device);
  if (!device.ok()) return device.status();
  const torch::NoGradGuard no_grad;
  const absl::StatusOr<Bagel> model = MakeModel(flags, torch::kBFloat16, *device);
  if (!model.ok()) return model.status();
  const LatentGrid grid = GridOf(flags, model->config());
  const KvCache context = model->PrefillPrompt({1, 2, 3, 4});
  const torch::Tensor x = torch::randn({flags.group, grid.tokens(), model->config().token_dim()}).to(*device);
  const auto step = [&](const torch::Tensor& at, const torch::Tensor& t) {
    return model->GuidedVelocity(context, KvCache(), context, at, t, grid.height, grid.width,
                                 {.text_scale = 4});
  };
  StepGraph captured(step, /*recordable=*/true), plain(step, /*recordable=*/false);
  double largest = 0;
  for (const float t : {1.F, .7F, .3F}) {
    const torch::Tensor times = torch::full({flags.group}, t, x.options());
    largest = std::max(largest, (captured(x, times) - plain(x, times)).abs().max().item<double>());
  }
  if (largest != 0) return absl::DataLossError(absl::StrCat("a captured step differs by ", largest));
  Row("captured denoising step against the plain one", "the same bits");
  const torch::Tensor times = torch::full({flags.group}, .5F, x.options());
  const double flops = 2 * ForwardFlops(model->config(), flags.group, grid.tokens() + 2, 6);
  for (auto& [name, graph] : {std::pair<const char*, StepGraph*>{"plain", &plain}, {"captured", &captured}}) {
    std::vector<double> seconds;
    for (int i = 0; i < flags.repeats; ++i)
      seconds.push_back(SecondsOf(*device, [&, graph = graph] { (*graph)(x, times); }));
    RowOfRate(
        flags,
        absl::StrCat("guided denoising step of ", flags.group, " images, ", grid.tokens(), " tokens, ", name),
        flops, Median(seconds));
  }
  return absl::OkStatus();
}

std::optional<double> PeakBytes(torch::Device device) {
  if (!device.is_cuda()) return std::nullopt;
  return static_cast<double>(
      c10::getDeviceAllocator(torch::kCUDA)->getDeviceStats(device.index()).allocated_bytes[0].peak);
}

absl::Status Step(const Flags& flags) {
  const absl::StatusOr<torch::Device> device = FindDevice(flags.device);
  if (!device.ok()) return device.status();
  v1::RunConfig config = TinyRun();
  config.mutable_rollout()->set_group_size(flags.group);
  config.mutable_model()->set_weights_dtype("bf16");
  config.mutable_train()->mutable_lora()->set_rank(flags.width == "bagel" ? 64 : 2);
  config.mutable_data()->set_text_fraction(0);
  config.mutable_data()->clear_text_prompts();
  absl::StatusOr<Bagel> base = MakeModel(flags, torch::kBFloat16, *device);
  if (!base.ok()) return base.status();
  const LatentGrid grid = GridOf(flags, base->config());
  absl::StatusOr<Bagel> policy = WithTrainedAdapters(config, *base);
  if (!policy.ok()) return policy.status();
  const std::vector<TrainingGroup> groups = {TrainImages(*policy, config, 0, grid)};
  const BagelConfig model = base->config();
  const LearnerLoad load = {.image_context = 5, .image_tokens = grid.tokens()};
  absl::StatusOr<std::unique_ptr<GrpoTrainer>> trainer = GrpoTrainer::Create(config, *std::move(policy));
  if (!trainer.ok()) return trainer.status();
  base = absl::UnknownError("given up");
  std::vector<double> seconds;
  for (int64_t i = 0; i < flags.repeats; ++i) {
    absl::Status status;
    double difference = 0;
    seconds.push_back(SecondsOf(*device, [&] {
      const auto result = (*trainer)->Step(groups, 0);
      status = result.status();
      if (result.ok() && i == 0) difference = result->metrics.at("sampler_log_prob_difference");
    }));
    if (!status.ok()) return status;
    if (i == 0) Row("largest difference of a sampled log-prob in the first step", absl::StrCat(difference));
  }
  const double forward =
      ForwardFlops(model, flags.group, grid.tokens() + 2, 5) * config.rollout().window_size();
  RowOfRate(flags,
            absl::StrCat("learner's step, LoRA in bf16, ", flags.layers, " layers of width ", model.hidden),
            3 * forward, *std::min_element(seconds.begin(), seconds.end()));
  v1::RunConfig planned_config = config;
  planned_config.mutable_learner()->set_device(device->is_cpu() ? "cpu" : "cuda");
  const absl::StatusOr<RoleMemory> plan = PlanLearner(planned_config, model, load, 1);
  if (!plan.ok()) return plan.status();
  const auto planned =
      static_cast<double>(plan->total(device->is_cpu() ? MemoryPlace::kHost : MemoryPlace::kDevice));
  const std::optional<double> peak = PeakBytes(*device);
  Row("memory: planned, measured peak, ratio",
      absl::StrCat(Rounded(planned / 1e6, .01), " MB, ",
                   peak.has_value()
                       ? absl::StrCat(Rounded(*peak / 1e6, .01), " MB, ", Rounded(*peak / planned, .01))
                       : "not measured on a CPU"));
  return absl::OkStatus();
}

// One rank's memory and communicator.
struct Rank {
  std::unique_ptr<DeviceApi> gpu;
  std::unique_ptr<Collectives> collectives;
  torch::Tensor values;
};

// Rank `rank` computes `rank + 1`; the sum has to be right, and how fast it comes is what is asked.
absl::Status Exchange(const Flags& flags, int rank, Rank& own, std::vector<double>& broadcast,
                      std::vector<double>& sum) {
  const torch::Device device = own.values.device();
  const Memory memory = device.is_cpu() ? Memory::kHost : Memory::kDevice;
  const Span span = {own.values.data_ptr(), own.values.numel(), Element::kFloat32, memory};
  for (int i = 0; i < flags.repeats + 1; ++i) {
    own.values.fill_(rank + 1);
    Synchronize(device);
    if (absl::Status status = own.collectives->Barrier(); !status.ok()) return status;
    const Stopwatch summing;
    if (absl::Status status = own.collectives->AllReduce(span, Reduction::kSum)->Wait(); !status.ok())
      return status;
    if (rank == 0 && i > 0) sum.push_back(summing.Seconds());
    const double wanted = flags.ranks * (flags.ranks + 1) / 2.0;
    if (own.values[-1].item<double>() != wanted)
      return absl::DataLossError(
          absl::StrCat("a sum over ranks is ", own.values[-1].item<double>(), " instead of ", wanted));
    if (absl::Status status = own.collectives->Barrier(); !status.ok()) return status;
    const Stopwatch telling;
    if (absl::Status status = own.collectives->Broadcast(span, 0)->Wait(); !status.ok()) return status;
    if (absl::Status status = own.collectives->Barrier(); !status.ok()) return status;
    if (rank == 0 && i > 0) broadcast.push_back(telling.Seconds());
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<Collectives>> Connect(const NcclLibrary& library, const nccl::UniqueId& id,
                                                     int rank, int ranks, DeviceApi& gpu) {
  const NcclPlace place = {.library = &library,
                           .device = &gpu,
                           .limits = {.operation = absl::Seconds(60), .making = absl::Seconds(60)}};
  absl::StatusOr<std::unique_ptr<NcclCommunicator>> communicator =
      NcclCommunicator::Make(place, id, rank, ranks);
  if (!communicator.ok()) return communicator.status();
  return NcclCollectives::Over(*std::move(communicator));
}

absl::Status Ranks(const Flags& flags) {
  const absl::StatusOr<torch::Device> first = FindDevice(flags.device);
  if (!first.ok()) return first.status();
  const auto count = static_cast<size_t>(flags.ranks);
  std::vector<Rank> ranks(count);
  std::vector<absl::Status> ended(count);
  NcclLibrary library;
  nccl::UniqueId id = {};
  if (first->is_cuda()) {
    absl::StatusOr<NcclLibrary> loaded = LoadNccl();
    if (!loaded.ok()) return loaded.status();
    library = *std::move(loaded);
    const absl::StatusOr<nccl::UniqueId> made = NcclCommunicator::NewId(library);
    if (!made.ok()) return made.status();
    id = *made;
    Row("NCCL", InWords(library));
  } else {
    auto all = MakeInProcess(flags.ranks, absl::Minutes(1));
    for (size_t i = 0; i < count; ++i) ranks[i].collectives = std::move(all[i]);
  }
  std::vector<double> broadcast, sum;
  std::vector<std::thread> threads;
  for (int rank = 0; rank < flags.ranks; ++rank) {
    threads.emplace_back([&, rank] {
      const auto at = static_cast<size_t>(rank);
      Rank& own = ranks[at];
      torch::Device device = *first;
      if (device.is_cuda()) {
        device = torch::Device(torch::kCUDA, static_cast<c10::DeviceIndex>(rank % GpuCount()));
        absl::StatusOr<std::unique_ptr<DeviceApi>> gpu = OpenCudaDevice(device.index());
        if (!(ended[at] = gpu.status()).ok()) return;
        own.gpu = *std::move(gpu);
        absl::StatusOr<std::unique_ptr<Collectives>> made = Connect(library, id, rank, flags.ranks, *own.gpu);
        if (!(ended[at] = made.status()).ok()) return;
        own.collectives = *std::move(made);
      }
      own.values =
          torch::zeros({int64_t{flags.mib} << 18}, torch::TensorOptions(torch::kFloat32).device(device));
      ended[at] = Exchange(flags, rank, own, broadcast, sum);
      own.collectives.reset();
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const absl::Status& status : ended) {
    if (!status.ok()) return status;
  }
  const double bytes = static_cast<double>(int64_t{flags.mib} << 20);
  const auto row = [&](const char* what, const std::vector<double>& seconds) {
    Row(absl::StrCat(what, " of ", flags.mib, " MiB between ", flags.ranks, " ranks on ",
                     first->is_cuda() ? std::min(GpuCount(), flags.ranks) : 0, " GPUs"),
        absl::StrCat(Milliseconds(Median(seconds)), ", ", Rounded(bytes / Median(seconds) / 1e9, .01),
                     " GB/s"));
  };
  row("all-reduce", sum);
  row("broadcast", broadcast);
  return absl::OkStatus();
}

int Main(int argc, char** argv) {
  CLI::App app("What only a GPU can show (tools/gpu_check.sh runs it).", kProgram);
  app.require_subcommand(1);
  Flags flags;
  absl::Status status;
  const auto command = [&](const char* name, const char* about, absl::Status (*run)(const Flags&)) {
    CLI::App* const sub = app.add_subcommand(name, about);
    sub->add_option("--device", flags.device, "cpu, cuda or cuda:N")->capture_default_str();
    sub->add_option("--repeats", flags.repeats, "measurements of each")
        ->check(CLI::Range(1, 1000))
        ->capture_default_str();
    sub->callback([&, run] { status = run(flags); });
    return sub;
  };
  for (CLI::App* sub : {command("graphs", "captured denoising steps against plain ones", Graphs),
                        command("step", "a learner's step: speed, and memory against the plan", Step)}) {
    sub->add_option("--width", flags.width, "bagel or tiny")
        ->check(CLI::IsMember({"bagel", "tiny"}))
        ->capture_default_str();
    sub->add_option("--layers", flags.layers)->check(CLI::Range(1, 28))->capture_default_str();
    sub->add_option("--group", flags.group, "images of a group")
        ->check(CLI::Range(2, 64))
        ->capture_default_str();
    sub->add_option("--side", flags.side, "latent tokens of an image's side")
        ->check(CLI::Range(1, 64))
        ->capture_default_str();
    sub->add_option("--peak-tflops", flags.peak_tflops, "the GPU's, in bf16; 0: not known")
        ->check(CLI::Range(0., 1e6));
  }
  CLI::App* const ranks = command("ranks", "collectives between GPUs", Ranks);
  ranks->add_option("--ranks", flags.ranks)->check(CLI::Range(2, 64))->capture_default_str();
  ranks->add_option("--mib", flags.mib, "of each rank")->check(CLI::Range(1, 16384))->capture_default_str();
  if (const std::optional<int> code = ParseFlags(app, argc, argv)) return *code;
  return Explain(kProgram, status);
}

}  // namespace
}  // namespace lvrpo

int main(int argc, char** argv) { return lvrpo::RunMain(lvrpo::kProgram, argc, argv, lvrpo::Main); }
