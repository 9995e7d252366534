#include "learner/step/fault_finder.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "common/thrown.h"
#include "learner/step/self_test.h"
#include "learner/step/verdict.h"

namespace lvrpo {

double SumOf(const TensorMap& tensors) {
  const torch::NoGradGuard no_grad;
  double sum = 0;
  for (const auto& [name, tensor] : tensors) sum += tensor.sum(torch::kFloat64).item<double>();
  return sum;
}

absl::Status ProbePolicy(const Policies& models, const ObjectiveSettings& settings,
                         const v1::RunConfig& config, double weights, GroupWork& work,
                         TaskOptimizers& optimizers) {
  const absl::Status diverged = absl::OutOfRangeError("the policy's own samples have no finite gradients");
  if (!std::isfinite(weights)) return diverged;
  bool finite = true;
  const auto probe = [&](const SampledGroup& own) {
    optimizers.ClearGradients();
    work.Together([&] {
      const std::unique_ptr<GroupObjective> objective =
          MakeObjective(own, models, settings, /*current=*/true);
      StepSums ignored;
      const torch::Tensor advantages = torch::ones({config.rollout().group_size()}, torch::kFloat64);
      objective->Backward(advantages, /*first=*/true, objective->terms(), ignored);
    });
    finite = finite && optimizers.GradientsAreFinite();
  };
  optimizers.ClearGradients();
  absl::Status sampled;
  absl::Status probed = TryToRun([&] {
    if (optimizers.trains_images()) probe(OwnImages(models.policy, config));
    if (!optimizers.trains_texts()) return;
    const absl::StatusOr<SampledGroup> texts = OwnTexts(models.policy, config);
    sampled = texts.status();
    if (texts.ok()) probe(*texts);
  });
  optimizers.ClearGradients();
  probed.Update(sampled);
  return probed.ok() && !finite ? diverged : probed;
}

absl::StatusOr<UnusableGroups> FindUnusable(const absl::Status& together,
                                            const std::vector<absl::Status>& alone,
                                            const absl::Status& policy) {
  UnusableGroups unusable;
  switch (Judge(together, alone, policy)) {
    case Fault::kPolicy:
      break;
    case Fault::kMachine:
      return absl::ResourceExhaustedError(absl::StrCat(
          "the step cannot be computed on this machine: ",
          together.ok() ? "no group of the step fits into memory" : std::string(together.message())));
    case Fault::kGroups:
      for (size_t i = 0; i < alone.size(); ++i) {
        if (!alone[i].ok()) unusable[i] = std::string(alone[i].message());
      }
  }
  return unusable;
}

}  // namespace lvrpo
