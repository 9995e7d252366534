// Text rollouts of a plain Qwen2 by the engine that rollout workers use, for comparison with
// peers/text_generation.py: the same folder, prompts and numbers of samples and tokens. First checks its
// results against those in the peer's file. Prints one line of JSON.

#include <cmath>
#include <cstdio>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "common/allocator.h"
#include "common/flags/role_flags.h"
#include "generation/text_engine.h"
#include "model/qwen2.h"
#include "tests/benchmarks/timing.h"

namespace lvrpo {
namespace {

constexpr char kProgram[] = "lvrpo-bench-text";

struct Flags {
  std::string folder, peer;
  int64_t group = 8;
  int threads = 2, repeats = 7, new_tokens = 128;
};

std::vector<TextSamples> Generate(const Qwen2& model, const torch::Tensor& prompts, const Flags& flags,
                                  double temperature) {
  const torch::NoGradGuard no_grad;
  std::vector<TextRequest> requests;
  for (int64_t p = 0; p < prompts.size(0); ++p) {
    TextRequest& request = requests.emplace_back();
    const int64_t length = prompts.size(1);
    model.Append(request.context, prompts[p].narrow(0, 0, length - 1).unsqueeze(0));
    request.start = prompts[p][length - 1].item<int64_t>();
    request.samples = flags.group;
    request.group = static_cast<uint32_t>(p);
    request.options = {.max_tokens = flags.new_tokens, .temperature = temperature, .eos = -1};
  }
  absl::StatusOr<std::vector<TextSamples>> samples = GenerateTexts(model, requests, /*seed=*/1);
  TORCH_CHECK(samples.ok(), samples.status().message());
  return *std::move(samples);
}

// Greedy choices against the peer's. Where two candidates are closer than rounding, either may be chosen;
// from there on the texts may differ.
nlohmann::json Compare(const Qwen2& model, const TensorMap& peer, const Flags& flags) {
  const torch::NoGradGuard no_grad;
  const torch::Tensor prompts = peer.at("prompt_ids"), margin = peer.at("step_margin"),
                      expected = peer.at("greedy_ids");
  KvCache cache;
  const torch::Tensor hidden = model.Append(cache, prompts);
  const double logits = (model.Logits(hidden.select(1, hidden.size(1) - 1)) - peer.at("prompt_logits"))
                            .abs()
                            .max()
                            .item<double>();
  const std::vector<TextSamples> greedy = Generate(model, prompts, flags, 0);
  int64_t equal_rows = 0, rows = 0;
  double margin_at_difference = 0;  // the largest
  for (const TextSamples& of_prompt : greedy) {
    for (const std::vector<int32_t>& ids : of_prompt.ids) {
      const torch::Tensor differs = torch::tensor(ids, torch::kInt32).to(torch::kInt64) != expected[rows];
      const bool equal = !differs.any().item<bool>();
      equal_rows += equal;
      if (!equal) {
        const int64_t first = differs.to(torch::kInt32).argmax().item<int64_t>();
        margin_at_difference = std::max(margin_at_difference, margin[rows][first].item<double>());
      }
      ++rows;
    }
  }
  return {{"prompt_logits_difference", logits},
          {"greedy_rows", rows},
          {"greedy_rows_equal", equal_rows},
          {"largest_margin_where_they_part", margin_at_difference},
          {"equal", logits < 1e-3 && margin_at_difference < 1e-3}};
}

absl::Status Run(const Flags& flags) {
  KeepFreedMemory();  // as rollout workers do
  torch::set_num_threads(flags.threads);
  const absl::StatusOr<Qwen2> model = Qwen2::Load(flags.folder);
  if (!model.ok()) return model.status();
  const absl::StatusOr<TensorMap> peer = LoadTensors(flags.peer);
  if (!peer.ok()) return peer.status();
  const nlohmann::json compared = Compare(*model, *peer, flags);
  if (!compared.at("equal").get<bool>())
    return absl::DataLossError(absl::StrCat("the peer computed something else: ", compared.dump()));
  const torch::Tensor prompts = peer->at("prompt_ids");
  const int64_t tokens = prompts.size(0) * flags.group * flags.new_tokens;
  nlohmann::json results;
  for (const auto& [name, temperature] : {std::pair{"sampling", 1.}, {"greedy", 0.}}) {
    results[name] =
        Timed([&] { Generate(*model, prompts, flags, temperature); }, flags.repeats, tokens, "tokens");
  }
  const nlohmann::json line = {{"peer", "lvrpo"},
                               {"settings", {{"folder", flags.folder}, {"threads", flags.threads}}},
                               {"compared", compared},
                               {"results", results},
                               {"peak_rss_mb", PeakRssMb()},
                               {"packed_mb", static_cast<double>(FusedLinear::PackedBytes()) / 1e6}};
  std::printf("%s\n", line.dump().c_str());
  return absl::OkStatus();
}

int Main(int argc, char** argv) {
  CLI::App app("Measures text rollouts of a Qwen2 folder; compares greedy choices with the peer's first.");
  Flags flags;
  app.add_option("--folder", flags.folder, "a Qwen2 folder")->required();
  app.add_option("--peer", flags.peer, "what peers/text_generation.py wrote with --out")->required();
  app.add_option("--group", flags.group, "samples of each prompt")->capture_default_str();
  app.add_option("--new-tokens", flags.new_tokens, "of each sample, as in the peer's file")
      ->capture_default_str();
  app.add_option("--threads", flags.threads)->capture_default_str();
  app.add_option("--repeats", flags.repeats)->capture_default_str();
  if (const std::optional<int> code = ParseFlags(app, argc, argv)) return *code;
  return Explain(kProgram, Run(flags));
}

}  // namespace
}  // namespace lvrpo

int main(int argc, char** argv) { return lvrpo::Main(argc, argv); }
