#include <cstdio>
#include <memory>

#include "common/files/file.h"
#include "common/files/filesystem.h"
#include "common/flags/flag_checks.h"
#include "common/flags/role_flags.h"
#include "model/bagel_folder.h"
#include "model/folders/synthesize.h"
#include "model/weights/tensor_dtypes.h"
#include "model_cli/commands.h"

namespace lvrpo {
namespace {

struct SynthesizeFlags {
  std::string like, out, dtype = "bf16", tokenizer;
  uint64_t seed = 1, max_shard_bytes = 0;
};

// A flag that overrides one size of the model.
struct SizeFlag {
  const char* name;
  int64_t BagelConfig::*size;
  const char* what;
};
constexpr int kLargestSize = 1 << 24;
constexpr SizeFlag kSizes[] = {
    {"--layers", &BagelConfig::layers, "layers of the language model"},
    {"--hidden", &BagelConfig::hidden, "its width"},
    {"--mlp", &BagelConfig::mlp, "width of its MLPs"},
    {"--heads", &BagelConfig::heads, "query heads"},
    {"--kv-heads", &BagelConfig::kv_heads, "key and value heads"},
    {"--vocabulary", &BagelConfig::vocabulary, "tokens"},
    {"--vit-layers", &BagelConfig::vit_layers, "layers of the vision tower"},
    {"--vit-hidden", &BagelConfig::vit_hidden, "its width"},
    {"--vit-mlp", &BagelConfig::vit_mlp, "width of its MLPs"},
    {"--vit-heads", &BagelConfig::vit_heads, "its heads"},
    {"--vit-side", &BagelConfig::vit_max_side, "patches per side of its position tables"},
    {"--latent-side", &BagelConfig::max_latent_side, "latent tokens per side of the position table"},
};

using Sizes = std::vector<std::pair<int64_t BagelConfig::*, int64_t>>;

absl::Status Synthesize(const SynthesizeFlags& flags, const Sizes& sizes) {
  SynthesizeOptions options;
  if (flags.like != "bagel-7b") {
    absl::StatusOr<BagelConfig> config = LoadBagelConfig(flags.like);
    if (!config.ok()) return config.status();
    options.config = *std::move(config);
    if (Exists(JoinPath(flags.like, "tokenizer.json")) || Exists(JoinPath(flags.like, "vocab.json"))) {
      options.tokenizer = flags.like;
      options.config_has_tokens = true;
    }
  }
  for (const auto& [size, value] : sizes) options.config.*size = value;
  if (!flags.tokenizer.empty()) {
    options.tokenizer = flags.tokenizer;
    options.config_has_tokens = false;
  }
  const absl::StatusOr<std::optional<torch::Dtype>> dtype = ParseWeightDtype(flags.dtype);
  if (!dtype.ok()) return dtype.status();
  options.dtype = dtype->value_or(torch::kBFloat16);
  options.seed = flags.seed;
  options.max_shard_bytes = static_cast<int64_t>(flags.max_shard_bytes);
  if (absl::Status status = SynthesizeBagel(options, flags.out); !status.ok()) return status;
  std::printf("%s: random weights, look at them with: lvrpo inspect %s\n", flags.out.c_str(),
              flags.out.c_str());
  return absl::OkStatus();
}

}  // namespace

Command AddSynthesizeCommand(CLI::App& app) {
  const auto flags = std::make_shared<SynthesizeFlags>();
  CLI::App* sub = app.add_subcommand(
      "synthesize", "write a model folder with random weights of real widths and names, to measure with");
  sub->add_option("--like", flags->like, "bagel-7b, or a model folder whose sizes are taken")->required();
  sub->add_option("--out", flags->out, "folder to make")->required();
  sub->add_option("--dtype", flags->dtype, "bf16, fp16 or fp32")
      ->check(CLI::IsMember({"bf16", "fp16", "fp32"}))
      ->capture_default_str();
  sub->add_option("--seed", flags->seed, "of the weights")->capture_default_str();
  sub->add_option("--tokenizer", flags->tokenizer,
                  "folder with tokenizer files; default: those of --like, or a byte-level tokenizer");
  sub->add_option("--max-shard-size", flags->max_shard_bytes, "largest file, e.g. 5GB; 0: one file")
      ->transform(ByteSize())
      ->capture_default_str();
  const auto given = std::make_shared<std::vector<std::pair<const SizeFlag*, std::optional<int64_t>>>>();
  given->reserve(std::size(kSizes));  // the app keeps references
  for (const SizeFlag& size : kSizes) {
    given->emplace_back(&size, std::nullopt);
    sub->add_option(size.name, given->back().second, size.what)
        ->check(AtLeast(1))
        ->check(CLI::Range(1, kLargestSize))
        ->group("Sizes");
  }
  return {sub, [flags, given] {
            Sizes sizes;
            for (const auto& [size, value] : *given) {
              if (value.has_value()) sizes.emplace_back(size->size, *value);
            }
            return Explain(std::string(kModelProgram) + " synthesize", Synthesize(*flags, sizes));
          }};
}

}  // namespace lvrpo
