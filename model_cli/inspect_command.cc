#include <cstdio>
#include <memory>

#include "common/flags/role_flags.h"
#include "common/json/json_text.h"
#include "model/folders/inspect.h"
#include "model/weights/tensor_dtypes.h"
#include "model_cli/commands.h"

namespace lvrpo {
namespace {

struct InspectFlags {
  std::string folder, dtype = "bf16";
  bool json = false;
  MemoryOptions memory;
};

absl::Status Inspect(InspectFlags& flags) {
  const absl::StatusOr<std::optional<torch::Dtype>> dtype = ParseWeightDtype(flags.dtype);
  if (!dtype.ok()) return dtype.status();
  flags.memory.dtype = dtype->value_or(torch::kBFloat16);
  const absl::StatusOr<Inspection> inspection = InspectBagel(flags.folder, flags.memory);
  if (!inspection.ok()) return inspection.status();
  const std::string text =
      flags.json ? JsonText(InspectionJson(*inspection), 1) + "\n" : InspectionTable(*inspection);
  std::fputs(text.c_str(), stdout);
  return absl::OkStatus();
}

}  // namespace

Command AddInspectCommand(CLI::App& app) {
  const auto flags = std::make_shared<InspectFlags>();
  CLI::App* sub = app.add_subcommand(
      "inspect", "show what a model folder holds and what each role needs in memory; reads no weights");
  sub->add_option("folder", flags->folder, "model folder in the published BAGEL layout")->required();
  sub->add_flag("--json", flags->json, "as JSON, in bytes");
  sub->add_option("--dtype", flags->dtype, "weights, caches and activations as bf16, fp16 or fp32")
      ->check(CLI::IsMember({"bf16", "fp16", "fp32"}))
      ->capture_default_str();
  MemoryOptions& memory = flags->memory;
  sub->add_option("--image-size", memory.image_size, "pixels per side; 0: 1024, or the model's largest")
      ->check(CLI::Range(0, 1 << 20))
      ->capture_default_str();
  sub->add_option("--guidance-branches", memory.guidance_branches,
                  "velocity calls a denoising step: 1 none, 2 text, 3 text and image guidance")
      ->check(CLI::Range(1, 3))
      ->capture_default_str();
  sub->add_option("--group-size", memory.group_size, "samples of a group, denoised together")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  sub->add_option("--context-tokens", memory.context_tokens, "tokens of a sample's prompt and answer")
      ->check(CLI::Range(1, 1 << 30))
      ->capture_default_str();
  sub->add_option("--trainable", memory.trainable,
                  "name pattern of trained tensors; '!' excludes; may be repeated")
      ->capture_default_str();
  sub->add_option("--lora-rank", memory.lora_rank, "adapters of this rank instead; 0: none")
      ->check(CLI::Range(0, 1 << 20))
      ->capture_default_str();
  return {sub, [flags] { return Explain(std::string(kModelProgram) + " inspect", Inspect(*flags)); }};
}

}  // namespace lvrpo
