// Images a second of a SigLIP 2 referee, for comparison with peers/referee.py: the same folder and pixels.
// First checks its results against those in the peer's file. Prints one line of
// JSON; with --profile also where the time goes.

#include <cstdio>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "common/allocator.h"
#include "common/files/file.h"
#include "common/flags/role_flags.h"
#include "model/kernels/attention.h"
#include "model/siglip.h"
#include "tests/benchmarks/timing.h"

namespace lvrpo {
namespace {

constexpr char kProgram[] = "lvrpo-bench-referee";
constexpr double kMostDifference = 1e-4;  // of the largest number

struct Flags {
  std::string folder;
  std::vector<int64_t> batches = {1, 8, 32};
  int threads = 2, repeats = 3;
  bool profile = false;
};

// The timed cases, on a batch of pixels.
using Work = std::function<torch::Tensor(const torch::Tensor& pixels)>;

torch::Tensor Pooled(const Siglip& model, const torch::Tensor& pixels) {
  return model.Pool(model.VisionTokens(pixels));
}

// As grounding does: the probability of each phrase [K, D] at each patch, [B, N, K].
torch::Tensor Dense(const Siglip& model, const torch::Tensor& phrases, const torch::Tensor& pixels) {
  const torch::Tensor dense = UnitLength(model.DenseTokens(model.VisionTokens(pixels)));
  return torch::sigmoid(torch::matmul(dense, phrases.t()) * model.logit_scale() + model.logit_bias());
}

// Small batches are repeated more often, as peers/referee.py does.
int64_t RepeatsOf(const Flags& flags, int64_t batch) {
  return flags.repeats * std::max<int64_t>(1, 8 / batch);
}

double RelativeDifference(const torch::Tensor& ours, const torch::Tensor& theirs) {
  return (ours - theirs).abs().max().item<double>() / theirs.abs().max().item<double>();
}

// Where the time of one batch goes, in milliseconds: each part by itself, on numbers of the same shapes. The
// GEMMs are those of the tower's layers, on prepacked weights as in the model.
nlohmann::json Profile(const Siglip& model, int64_t batch, int repeats) {
  const SiglipTowerConfig& c = model.config().vision;
  const int64_t n = model.config().grid() * model.config().grid(), d = c.width;
  const double layers = static_cast<double>(c.layers);
  const torch::Tensor x = torch::randn({batch, n, d}), qkv = torch::randn({batch, n, 3 * d});
  const torch::Tensor wide = torch::randn({batch, n, c.mlp}), weight = torch::randn({d});
  const torch::Tensor pixels = torch::randn({batch, 3, model.config().image_size, model.config().image_size});
  const std::string layer = "vision_model.encoder.layers.0.";
  const TensorMap& tensors = model.tensors();
  const auto linear = [&](std::vector<std::string> names) {
    for (std::string& name : names) name = layer + name;
    return LinearLayer(tensors, names);
  };
  const LinearLayer joined = linear({"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"}),
                    out = linear({"self_attn.out_proj"}), fc1 = linear({"mlp.fc1"}),
                    fc2 = linear({"mlp.fc2"});
  const GeluMlp mlp(tensors, layer + "mlp.");
  const auto attention = [&] {
    const std::vector<torch::Tensor> parts = qkv.chunk(3, -1);
    return Attention(SplitHeads(parts[0], c.heads), SplitHeads(parts[1], c.heads),
                     SplitHeads(parts[2], c.heads));
  };
  const auto milliseconds = [&](const std::function<void()>& work, double times) {
    work();
    std::vector<double> seconds;
    for (int i = 0; i < repeats; ++i) seconds.push_back(TimeOf(work).wall);
    return Rounded(Median(seconds) * times * 1e3, .01);
  };
  const torch::Tensor tokens = model.VisionTokens(pixels);
  const std::string embed = "vision_model.embeddings.patch_embedding.";
  return {
      {"tower", milliseconds([&] { model.VisionTokens(pixels); }, 1)},
      {"patch_embedding", milliseconds(
                              [&] {
                                torch::conv2d(pixels, tensors.at(embed + "weight"),
                                              tensors.at(embed + "bias"), model.config().patch_size);
                              },
                              1)},
      {"layers_qkv", milliseconds([&] { joined(x); }, layers)},
      {"layers_attention", milliseconds(attention, layers)},
      {"layers_out", milliseconds([&] { out(x); }, layers)},
      {"layers_mlp", milliseconds([&] { mlp(x); }, layers)},
      {"layers_mlp_fc1_alone", milliseconds([&] { fc1(x); }, layers)},
      {"layers_mlp_fc2_alone", milliseconds([&] { fc2(wide); }, layers)},
      {"layers_mlp_gelu_alone", milliseconds([&] { Activate(Activation::kGelu, wide); }, layers)},
      {"layers_norms", milliseconds([&] { torch::layer_norm(x, {d}, weight, weight, c.eps); }, 2 * layers)},
      {"layers_residuals", milliseconds([&] { torch::Tensor sum = x + x; }, 2 * layers)},
      {"head_pooled", milliseconds([&] { model.Pool(tokens); }, 1)},
      {"head_dense", milliseconds([&] { model.DenseTokens(tokens); }, 1)}};
}

// Operations of a tower's GEMMs at this batch: 2 per multiply-add, attention's two included.
double FlopsOf(const SiglipConfig& config, int64_t batch) {
  const auto n = static_cast<double>(config.grid() * config.grid()),
             d = static_cast<double>(config.vision.width), mlp = static_cast<double>(config.vision.mlp);
  const double layer = 2 * n * d * (4 * d + 2 * mlp) + 4 * n * n * d;
  const double patches = 2 * n * d * 3 * static_cast<double>(config.patch_size * config.patch_size);
  return static_cast<double>(batch) * (static_cast<double>(config.vision.layers) * layer + patches);
}

absl::Status Compare(const std::string& name, const Work& work, const TensorMap& peer, int64_t batch,
                     nlohmann::json& compared) {
  const double difference =
      RelativeDifference(work(peer.at("pixels").narrow(0, 0, batch)), peer.at(name).narrow(0, 0, batch));
  const std::string what = absl::StrCat(name, "_batch_", batch, "_difference");
  compared[what] = difference;
  if (difference <= kMostDifference) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat("the peer computed something else: ", compared.dump()));
}

absl::Status Run(const Flags& flags) {
  const torch::NoGradGuard no_grad;
  KeepFreedMemory();  // as reward servers do
  torch::set_num_threads(flags.threads);
  const absl::StatusOr<Siglip> model = Siglip::Load(flags.folder);
  if (!model.ok()) return model.status();
  const absl::StatusOr<TensorMap> peer = LoadTensors(JoinPath(flags.folder, "peer.safetensors"));
  if (!peer.ok()) return peer.status();
  const std::map<std::string, Work> cases = {
      {"pooled", [&](const torch::Tensor& pixels) { return Pooled(*model, pixels); }},
      {"dense", [&](const torch::Tensor& pixels) { return Dense(*model, peer->at("phrases"), pixels); }}};
  nlohmann::json compared, results, profiles;
  for (const auto& [name, work] : cases) {
    for (const int64_t batch : flags.batches) {
      if (absl::Status status = Compare(name, work, *peer, batch, compared); !status.ok()) return status;
    }
  }
  for (const auto& [name, work] : cases) {
    for (const int64_t batch : flags.batches) {
      const torch::Tensor pixels = peer->at("pixels").narrow(0, 0, batch);
      nlohmann::json timed =
          Timed([&] { work(pixels); }, static_cast<int>(RepeatsOf(flags, batch)), batch, "images");
      timed["tower_gflops"] =
          Rounded(FlopsOf(model->config(), batch) / timed.at("seconds_median").get<double>() / 1e9, .1);
      results[absl::StrCat(name, "_batch_", batch)] = timed;
    }
  }
  if (flags.profile) {
    for (const int64_t batch : flags.batches)
      profiles[absl::StrCat("batch_", batch)] =
          Profile(*model, batch, static_cast<int>(RepeatsOf(flags, batch)) + 2);
  }
  const nlohmann::json line = {{"peer", "lvrpo"},
                               {"settings", {{"folder", flags.folder}, {"threads", flags.threads}}},
                               {"compared", compared},
                               {"results", results},
                               {"profile_ms", profiles},
                               {"peak_rss_mb", PeakRssMb()},
                               {"packed_mb", static_cast<double>(FusedLinear::PackedBytes()) / 1e6}};
  std::printf("%s\n", line.dump().c_str());
  return absl::OkStatus();
}

int Main(int argc, char** argv) {
  CLI::App app(
      "Measures a SigLIP 2 referee: pooled embeddings, and every patch through the pooling head against "
      "phrases. "
      "Compares both with the peer's first.");
  Flags flags;
  app.add_option("--folder", flags.folder,
                 "a fixed-resolution SigLIP 2 folder that peers/referee.py has been at")
      ->required();
  app.add_option("--batches", flags.batches, "at most as many images as peer.safetensors has")
      ->capture_default_str();
  app.add_option("--threads", flags.threads)->capture_default_str();
  app.add_option("--repeats", flags.repeats)->capture_default_str();
  app.add_flag("--profile", flags.profile, "also the parts by themselves, in milliseconds a batch");
  if (const std::optional<int> code = ParseFlags(app, argc, argv)) return *code;
  return Explain(kProgram, Run(flags));
}

}  // namespace
}  // namespace lvrpo

int main(int argc, char** argv) { return lvrpo::Main(argc, argv); }
