#include <cstdio>
#include <memory>

#include "absl/strings/str_cat.h"
#include "common/flags/flag_checks.h"
#include "common/flags/role_flags.h"
#include "model/folders/export.h"
#include "model/weights/tensor_dtypes.h"
#include "model_cli/commands.h"

namespace lvrpo {
namespace {

struct ExportFlags {
  std::string base, weights, adapter, out, dtype = "keep", router = "keep";
  uint64_t max_shard_bytes = 0, router_seed = 0;
  RouterConfig experts;
};

absl::Status Export(const ExportFlags& flags) {
  const absl::StatusOr<std::optional<torch::Dtype>> dtype = ParseWeightDtype(flags.dtype);
  if (!dtype.ok()) return dtype.status();
  ExportOptions options = {.dtype = *dtype,
                           .max_shard_bytes = static_cast<int64_t>(flags.max_shard_bytes),
                           .adapter = flags.adapter,
                           .router = {.top_k = flags.router == "top_k",
                                      .experts = flags.experts.experts,
                                      .experts_per_token = flags.experts.experts_per_token},
                           .router_seed = flags.router_seed};
  std::string what = flags.base;
  if (flags.weights.empty()) {
    if (absl::Status status = ExportBagel(flags.base, TensorMap(), flags.out, options); !status.ok())
      return status;
  } else {
    const absl::StatusOr<StoredWeights> trained = OpenTrainedWeights(flags.weights);
    if (!trained.ok()) return trained.status();
    const absl::StatusOr<std::string> adapter = AdapterOf(*trained);
    if (!adapter.ok()) return adapter.status();
    if (!adapter->empty()) {
      if (!flags.adapter.empty()) {
        return absl::InvalidArgumentError(
            absl::StrCat(trained->source(), " holds adapters already: leave --adapter out"));
      }
      options.adapter = *adapter;
    }
    if (absl::Status status = adapter->empty() ? ExportBagel(flags.base, *trained, flags.out, options)
                                               : ExportBagel(flags.base, TensorMap(), flags.out, options);
        !status.ok())
      return status;
    absl::StrAppend(&what, " with the ", trained->index().tensors.size(), " trained tensors of ",
                    trained->source());
  }
  if (!flags.adapter.empty()) absl::StrAppend(&what, " and the adapters of ", flags.adapter);
  if (options.router.top_k) {
    absl::StrAppend(&what, ", each token routed to ", options.router.experts_per_token, " of ",
                    options.router.experts, " experts");
  }
  std::printf("%s: %s\n", flags.out.c_str(), what.c_str());
  return absl::OkStatus();
}

}  // namespace

Command AddExportCommand(CLI::App& app) {
  const auto flags = std::make_shared<ExportFlags>();
  CLI::App* sub =
      app.add_subcommand("export", "write a trained policy as a model folder in the published layout");
  sub->add_option("--base", flags->base, "model folder that was trained")->required();
  sub->add_option("--weights", flags->weights,
                  "what was trained: a run folder (its newest checkpoint), a checkpoint folder, a model "
                  "folder without what was not trained, or a policy.safetensors");
  sub->add_option("--adapter", flags->adapter,
                  "folder of LoRA adapters in PEFT's form, merged into the weights");
  sub->add_option("--out", flags->out, "folder to make")->required();
  sub->add_option("--dtype", flags->dtype, "of the written policy: keep (as the base), bf16, fp16 or fp32")
      ->check(CLI::IsMember({"keep", "bf16", "fp16", "fp32"}))
      ->capture_default_str();
  sub->add_option(
         "--router", flags->router,
         "of the feed-forward layers: keep, or top_k: experts that are copies of the base's, so that "
         "the model is the same until it is trained")
      ->check(CLI::IsMember({"keep", "top_k"}))
      ->capture_default_str();
  sub->add_option("--experts", flags->experts.experts,
                  "with top_k: of a layer, half from each kind's weights")
      ->check(CLI::Range(1, 1 << 16))
      ->capture_default_str();
  sub->add_option("--experts-per-token", flags->experts.experts_per_token, "with top_k")
      ->check(CLI::Range(1, 1 << 16))
      ->capture_default_str();
  sub->add_option("--router-seed", flags->router_seed, "with top_k: of the router's small random weights")
      ->capture_default_str();
  sub->add_option("--max-shard-size", flags->max_shard_bytes, "largest file, e.g. 5GB; 0: one file")
      ->transform(ByteSize())
      ->capture_default_str();
  return {sub, [flags] { return Explain(std::string(kModelProgram) + " export", Export(*flags)); }};
}

}  // namespace lvrpo
