// Image rollouts of a BAGEL folder, for comparison with peers/image_sampling.py: the same folder, prompts,
// noise and steps. First checks its results against those in the peer's files.
// Prints one line of JSON; decoding to pixels is not part of it.

#include <cstdio>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "algorithm/schedule.h"
#include "common/allocator.h"
#include "common/flags/role_flags.h"
#include "generation/image_engine.h"
#include "tests/benchmarks/timing.h"

namespace lvrpo {
namespace {

constexpr char kProgram[] = "lvrpo-bench-images";

struct Flags {
  std::string folder, inputs, peer;
  int threads = 2, repeats = 7, timesteps = 15;
  double shift = 3, text_scale = 4;
  int64_t activation_mib = ImageEngineOptions().activation_bytes >> 20;
};

// By the engine of `lvrpo generate`. A prompt's keys and values are computed once, in here. -> [P * G, N, D]
torch::Tensor Sample(const Bagel& model, const TensorMap& inputs, const Flags& flags, double text_scale) {
  const torch::NoGradGuard no_grad;
  const torch::Tensor &ids = inputs.at("prompt_ids"), &noise = inputs.at("noise");
  const int64_t group = noise.size(0) / ids.size(0);
  std::vector<ImageRequest> requests(static_cast<size_t>(ids.size(0)));
  for (int64_t p = 0; p < ids.size(0); ++p) {
    ImageRequest& request = requests[static_cast<size_t>(p)];
    model.AppendTokens(request.full, ids[p].unsqueeze(0));
    request.samples = group;
    request.noise = noise.narrow(0, p * group, group);
  }
  ImageEngineOptions options;
  const auto side = static_cast<int64_t>(std::lround(std::sqrt(static_cast<double>(noise.size(1)))));
  options.grid = {.height = side, .width = side};
  options.timesteps = Timesteps(flags.timesteps, flags.shift);
  options.guidance = {.text_scale = text_scale};
  options.activation_bytes = flags.activation_mib << 20;
  return GenerateLatents(model, requests, options);
}

// Operations of one run, 2 per multiply-add: the layers' GEMMs on latents (gen expert) and on the two marker
// tokens (und expert), and attention's two.
double FlopsOf(const BagelConfig& c, int64_t images, int64_t latents, int64_t context, int calls,
               bool guided) {
  const double half =
      static_cast<double>(c.layers) *
      static_cast<double>(c.hidden * (2 * c.hidden + 2 * c.kv_heads * c.head_dim()) + 3 * c.hidden * c.mlp);
  const auto tokens = static_cast<double>(latents + 2), keys = tokens + static_cast<double>(context);
  const double matrices = 2 * half * tokens, one = 4 * static_cast<double>(c.layers * c.hidden) * tokens;
  const double attention = one * keys + (guided ? one * tokens : 0);
  return static_cast<double>(images) * calls * ((guided ? 2 : 1) * matrices + attention);
}

// FLOP/s of the layers' GEMMs alone, at the batch's shapes, by the fastest library here.
double BestGemm(const BagelConfig& c, int64_t rows, int repeats) {
  const torch::NoGradGuard no_grad;
  double flops = 0, seconds = 0;
  for (const auto& [in, out] :
       std::vector<std::pair<int64_t, int64_t>>{{c.hidden, c.hidden + 2 * c.kv_heads * c.head_dim()},
                                                {c.hidden, c.hidden},
                                                {c.hidden, 2 * c.mlp},
                                                {c.mlp, c.hidden}}) {
    const torch::Tensor x = torch::randn({rows, in}), weight = torch::randn({out, in});
    const FusedLinear linear({{weight, {}}});
    std::vector<double> own, plain;
    for (int i = 0; i < repeats + 1; ++i) {
      own.push_back(TimeOf([&] { linear(x); }).wall);
      plain.push_back(TimeOf([&] { torch::linear(x, weight); }).wall);
    }
    seconds +=
        std::min(*std::min_element(own.begin(), own.end()), *std::min_element(plain.begin(), plain.end()));
    flops += 2 * static_cast<double>(rows * in * out);
  }
  return flops / seconds;
}

absl::Status Run(const Flags& flags) {
  KeepFreedMemory();  // as rollout workers do
  torch::set_num_threads(flags.threads);
  const absl::StatusOr<Bagel> model = Bagel::Load(flags.folder);
  if (!model.ok()) return model.status();
  const absl::StatusOr<TensorMap> inputs = LoadTensors(flags.inputs);
  if (!inputs.ok()) return inputs.status();
  const absl::StatusOr<TensorMap> peer = LoadTensors(flags.peer);
  if (!peer.ok()) return peer.status();
  const torch::Tensor &ids = inputs->at("prompt_ids"), &noise = inputs->at("noise");
  const int64_t images = noise.size(0), latents = noise.size(1);
  const double best = BestGemm(model->config(), images * (latents + 2), 5);
  nlohmann::json results, compared;
  for (const auto& [name, scale] : {std::pair{"latent", 1.}, {"latent_guided", flags.text_scale}}) {
    if (!peer->contains(name)) continue;
    const double difference =
        (Sample(*model, *inputs, flags, scale) - peer->at(name)).abs().max().item<double>();
    compared[absl::StrCat(name, "_difference")] = difference;
    if (difference > 1e-3)
      return absl::DataLossError(absl::StrCat("the peer computed something else: ", compared.dump()));
    nlohmann::json timed =
        Timed([&] { Sample(*model, *inputs, flags, scale); }, flags.repeats, images, "images");
    const double flops =
        FlopsOf(model->config(), images, latents, ids.size(1), flags.timesteps - 1, scale > 1);
    const double rate = flops / timed.at("seconds_median").get<double>();
    timed["gflops"] = Rounded(rate / 1e9, .1);
    timed["of_best_gemm"] = Rounded(rate / best, .001);
    results[scale > 1 ? "guided" : "plain"] = timed;
  }
  const nlohmann::json line = {{"peer", "lvrpo"},
                               {"settings", {{"folder", flags.folder}, {"threads", flags.threads}}},
                               {"compared", compared},
                               {"results", results},
                               {"best_gemm_gflops", Rounded(best / 1e9, .1)},
                               {"peak_rss_mb", PeakRssMb()},
                               {"packed_mb", static_cast<double>(FusedLinear::PackedBytes()) / 1e6}};
  std::printf("%s\n", line.dump().c_str());
  return absl::OkStatus();
}

int Main(int argc, char** argv) {
  CLI::App app("Measures image rollouts of a BAGEL folder; compares the latents with the peer's first.");
  Flags flags;
  app.add_option("--folder", flags.folder, "a BAGEL folder; needs no autoencoder")->required();
  app.add_option("--inputs", flags.inputs, "the file of peers/image_sampling.py --inputs")->required();
  app.add_option("--peer", flags.peer, "what it wrote with --out")->required();
  app.add_option("--n", flags.timesteps, "time values: n - 1 calls")->capture_default_str();
  app.add_option("--shift", flags.shift)->capture_default_str();
  app.add_option("--text-scale", flags.text_scale, "of the guided run")->capture_default_str();
  app.add_option("--activation-mib", flags.activation_mib, "the engine's limit, which decides its batches")
      ->capture_default_str();
  app.add_option("--threads", flags.threads)->capture_default_str();
  app.add_option("--repeats", flags.repeats)->capture_default_str();
  if (const std::optional<int> code = ParseFlags(app, argc, argv)) return *code;
  return Explain(kProgram, Run(flags));
}

}  // namespace
}  // namespace lvrpo

int main(int argc, char** argv) { return lvrpo::Main(argc, argv); }
