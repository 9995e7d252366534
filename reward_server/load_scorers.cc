#include "reward_server/load_scorers.h"

#include "reward_server/combine.h"
#include "reward_server/exact_match.h"
#include "reward_server/grounding.h"
#include "reward_server/instruction.h"
#include "reward_server/knowledge.h"
#include "reward_server/owlv2_detector.h"

namespace lvrpo {

absl::StatusOr<std::unique_ptr<ScorerSet>> LoadScorers(const v1::RunConfig& config) {
  const v1::RewardConfig& reward = config.reward();
  std::vector<std::unique_ptr<Scorer>> scorers;
  if (reward.grounding_weight() > 0) {
    absl::StatusOr<Siglip> referee = Siglip::Load(config.model().referee());
    if (!referee.ok()) return referee.status();
    absl::StatusOr<std::unique_ptr<Tokenizer>> tokenizer =
        LoadTokenizer(config.model().referee(), {.lowercase = true, .add_control_tokens = false});
    if (!tokenizer.ok()) return tokenizer.status();
    scorers.push_back(std::make_unique<GroundingScorer>(*std::move(referee), *std::move(tokenizer),
                                                        reward.grounding_form() == "max_patch"
                                                            ? GroundingScorer::Form::kMaxPatch
                                                            : GroundingScorer::Form::kCountAware));
  }
  if (reward.instruction_weight() > 0) {
    std::unique_ptr<ObjectDetector> detector;
    if (!reward.detector().empty()) {
      absl::StatusOr<std::unique_ptr<Owlv2Detector>> loaded = Owlv2Detector::Load(reward.detector(), {});
      if (!loaded.ok()) return loaded.status();
      detector = *std::move(loaded);
    }
    scorers.push_back(std::make_unique<InstructionScorer>(reward.instruction_form() == "mean"
                                                              ? InstructionScorer::Form::kMean
                                                              : InstructionScorer::Form::kProduct,
                                                          std::move(detector)));
  }
  if (reward.knowledge_weight() > 0) {
    const std::string folder = config.model().vqa().empty() ? config.model().policy() : config.model().vqa();
    absl::StatusOr<Bagel> model = Bagel::Load(folder);
    if (!model.ok()) return model.status();
    absl::StatusOr<std::unique_ptr<Tokenizer>> tokenizer = LoadTokenizer(folder);
    if (!tokenizer.ok()) return tokenizer.status();
    scorers.push_back(std::make_unique<KnowledgeScorer>(*std::move(model), *std::move(tokenizer)));
  }
  scorers.push_back(std::make_unique<ExactMatchScorer>());
  return std::make_unique<ScorerSet>(std::move(scorers), ComponentWeights(reward));
}

}  // namespace lvrpo
