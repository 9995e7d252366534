#include <cstdio>
#include <memory>

#include "absl/strings/str_cat.h"
#include "common/role_flags.h"
#include "generation/commands.h"
#include "model/export.h"
#include "model/tensor_dtypes.h"

namespace lvrpo {
namespace {

struct ExportFlags {
  std::string base, weights, adapter, out, dtype = "keep";
  uint64_t max_shard_bytes = 0;
};

absl::Status Export(const ExportFlags& flags) {
  const absl::StatusOr<std::optional<torch::Dtype>> dtype = ParseWeightDtype(flags.dtype);
  if (!dtype.ok()) return dtype.status();
  const ExportOptions options = {.dtype = *dtype,
                                 .max_shard_bytes = static_cast<int64_t>(flags.max_shard_bytes),
                                 .adapter = flags.adapter};
  std::string what = flags.base;
  if (flags.weights.empty()) {
    if (absl::Status status = ExportBagel(flags.base, TensorMap(), flags.out, options); !status.ok())
      return status;
  } else {
    const absl::StatusOr<StoredWeights> trained = OpenTrainedWeights(flags.weights);
    if (!trained.ok()) return trained.status();
    if (absl::Status status = ExportBagel(flags.base, *trained, flags.out, options); !status.ok())
      return status;
    absl::StrAppend(&what, " with the ", trained->index().tensors.size(), " trained tensors of ",
                    trained->source());
  }
  if (!flags.adapter.empty()) absl::StrAppend(&what, " and the adapters of ", flags.adapter);
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
                  "what was trained: a run folder (its newest checkpoint), a checkpoint folder, or a "
                  "policy.safetensors");
  sub->add_option("--adapter", flags->adapter,
                  "folder of LoRA adapters in PEFT's form, merged into the weights");
  sub->add_option("--out", flags->out, "folder to make")->required();
  sub->add_option("--dtype", flags->dtype, "of the written policy: keep (as the base), bf16, fp16 or fp32")
      ->check(CLI::IsMember({"keep", "bf16", "fp16", "fp32"}))
      ->capture_default_str();
  sub->add_option("--max-shard-size", flags->max_shard_bytes, "largest file, e.g. 5GB; 0: one file")
      ->transform(CLI::AsSizeValue(true))
      ->capture_default_str();
  return {sub, [flags] { return Explain(std::string(kModelProgram) + " export", Export(*flags)); }};
}

}  // namespace lvrpo
