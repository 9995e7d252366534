#include "learner/training.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/files/machine_memory.h"
#include "data/tokenizer/tokenizer.h"
#include "model/bagel_folder.h"
#include "model/weights/device.h"
#include "policy/contract.h"
#include "policy/learner_memory.h"
#include "policy/run_policy.h"
#include "spdlog/spdlog.h"

namespace lvrpo {
namespace {

// Largest difference of a text log-prob between sampling and evaluation, by the dtype of the weights; a wrong
// position or mask gives about 1.
constexpr double kTextTolerance = 1e-3, kBf16TextTolerance = .3;

absl::Status SelfTest(const GrpoTrainer& trainer) {
  const absl::StatusOr<SelfTestResult> tested = trainer.SelfTest();
  if (!tested.ok()) return tested.status();
  const auto [image, text] = *tested;
  spdlog::info("self-test: log-probs of a sample differ by {} (image) and {} (text) when evaluated again",
               image, text);
  const double most = trainer.policy().dtype() == torch::kBFloat16 ? kBf16TextTolerance : kTextTolerance;
  if (image == 0 && text <= most) return absl::OkStatus();
  return absl::InternalError(
      absl::StrCat("self-test failed: evaluating a sample again changes its log-probs by ", image,
                   " (image; 0 wanted) and ", text, " (text; at most ", most, "); ratios would not be 1"));
}

}  // namespace

absl::StatusOr<Training> LoadTraining(const v1::RunConfig& config, int ranks, torch::Device device) {
  const absl::StatusOr<BagelFolder> folder = OpenBagelFolder(config.model().policy());
  if (!folder.ok()) return folder.status();
  const BagelConfig& model = folder->config;
  const absl::StatusOr<std::unique_ptr<Tokenizer>> tokenizer = LoadTokenizer(config.model().policy());
  if (!tokenizer.ok()) return tokenizer.status();
  absl::StatusOr<PromptSource> prompts = PromptSource::Load(config, **tokenizer, model);
  if (!prompts.ok()) return prompts.status();
  LearnerLoad load = LearnerLoadOf(config, model, *prompts);
  load.casts = CastsWeights(config, folder->weights);
  const absl::StatusOr<RoleMemory> needed = PlanLearner(config, model, load, ranks);
  if (!needed.ok()) return needed.status();
  if (absl::Status status = CheckMemory(*needed, MachineMemory(), DeviceMemory(device)); !status.ok())
    return status;
  absl::StatusOr<Bagel> base = LoadRunPolicy(config, device, /*map=*/config.learner().sharded());
  if (!base.ok()) return base.status();
  std::map<std::string, std::string> contract = WorkContract(config, *base, **tokenizer);
  contract["prompts"] = prompts->Digest();
  TrajectoryRules rules = {config, base->config()};
  absl::StatusOr<std::unique_ptr<GrpoTrainer>> trainer = GrpoTrainer::Create(config, *std::move(base));
  if (!trainer.ok()) return trainer.status();
  if (absl::Status status = SelfTest(**trainer); !status.ok()) return status;
  return Training{*std::move(prompts), std::move(rules), std::move(contract), *std::move(trainer)};
}

}  // namespace lvrpo
