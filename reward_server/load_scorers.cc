#include "reward_server/load_scorers.h"

#include "common/config/reward_config.h"
#include "common/files/file.h"
#include "model/config/config_reader.h"
#include "model/weights/device.h"
#include "model/weights/moved.h"
#include "reward_server/remote/external_scorer.h"
#include "reward_server/remote/http_detector.h"
#include "reward_server/remote/vqa_endpoint.h"
#include "reward_server/scorers/exact_match.h"
#include "reward_server/scorers/grounding.h"
#include "reward_server/scorers/guard_scorers.h"
#include "reward_server/scorers/instruction.h"
#include "reward_server/scorers/knowledge.h"
#include "reward_server/scorers/owlv2_detector.h"
#include "reward_server/scorers/paligemma_scorer.h"
#include "reward_server/scorers/pooled.h"

namespace lvrpo {
namespace {

using LoadedScorer = absl::StatusOr<std::unique_ptr<Scorer>>;

LinkOptions Links(const v1::RunConfig& config) {
  return {.deadline = absl::Seconds(config.reward().compute_deadline_seconds()),
          .max_message_mib = config.rpc().max_message_mib(),
          .use_proxy = config.rpc().use_proxy()};
}

// A referee's folder and its tokenizer.
struct Referee {
  RefereeView view;
  std::unique_ptr<Tokenizer> tokenizer;
};

absl::StatusOr<Referee> LoadReferee(const std::string& folder, const v1::RewardConfig& reward,
                                    torch::Device device) {
  absl::StatusOr<RefereeView> view = RefereeView::Load(folder, reward.grounding_max_patches(), device);
  if (!view.ok()) return view.status();
  absl::StatusOr<std::unique_ptr<Tokenizer>> tokenizer =
      LoadTokenizer(folder, {.lowercase = true, .add_control_tokens = false});
  if (!tokenizer.ok()) return tokenizer.status();
  return Referee{*std::move(view), *std::move(tokenizer)};
}

LoadedScorer LoadGrounding(const v1::RunConfig& config, torch::Device device, Metrics&) {
  absl::StatusOr<Referee> referee = LoadReferee(config.model().referee(), config.reward(), device);
  if (!referee.ok()) return referee.status();
  return GroundingScorer::Create(std::move(referee->view), std::move(referee->tokenizer),
                                 ToGroundingOptions(config.reward()));
}

LoadedScorer LoadPooled(const v1::RunConfig& config, torch::Device device, Metrics&) {
  const std::string& heldout = config.model().heldout_referee();
  absl::StatusOr<Referee> referee =
      LoadReferee(heldout.empty() ? config.model().referee() : heldout, config.reward(), device);
  if (!referee.ok()) return referee.status();
  if (const SiglipConfig& loaded = referee->view.model().config(); !loaded.calibrated || !loaded.use_head) {
    return absl::InvalidArgumentError(
        "'pooled' needs a referee with its pooling head, logit_scale and logit_bias: set "
        "model.heldout_referee to another one");
  }
  return std::make_unique<PooledScorer>(std::move(referee->view), std::move(referee->tokenizer));
}

LoadedScorer LoadInstruction(const v1::RunConfig& config, torch::Device device, Metrics&) {
  const v1::RewardConfig& reward = config.reward();
  std::unique_ptr<ObjectDetector> detector;
  if (IsHttpAddress(reward.detector())) {
    absl::StatusOr<std::unique_ptr<HttpDetector>> found =
        HttpDetector::Create(reward.detector(), Links(config));
    if (!found.ok()) return found.status();
    detector = *std::move(found);
  } else if (!reward.detector().empty()) {
    absl::StatusOr<std::unique_ptr<Owlv2Detector>> loaded =
        Owlv2Detector::Load(reward.detector(), {}, device);
    if (!loaded.ok()) return loaded.status();
    detector = *std::move(loaded);
  }
  return std::make_unique<InstructionScorer>(
      *Choose(kInstructionForms, "reward.instruction_form", reward.instruction_form()), std::move(detector));
}

// Uses an endpoint if one is configured, else a PaliGemma if the folder holds one, else a model of the
// policy's architecture.
LoadedScorer LoadKnowledge(const v1::RunConfig& config, torch::Device device, Metrics& metrics) {
  const v1::VqaEndpointConfig& endpoint = config.reward().vqa_endpoint();
  if (!endpoint.url().empty())
    return VqaEndpointScorer::Create(endpoint, {.deadline = Links(config).deadline}, metrics);
  const std::string& folder = config.model().vqa().empty() ? config.model().policy() : config.model().vqa();
  const absl::StatusOr<nlohmann::json> json = ReadJsonObject(JoinPath(folder, "config.json"));
  if (!json.ok()) return json.status();
  if (const auto type = json->find("model_type"); type != json->end() && *type == "paligemma")
    return PaliGemmaScorer::Load(folder, device);
  absl::StatusOr<Bagel> model = OnDevice(Bagel::Load(folder), device, folder);
  if (!model.ok()) return model.status();
  absl::StatusOr<std::unique_ptr<Tokenizer>> tokenizer = LoadTokenizer(folder);
  if (!tokenizer.ok()) return tokenizer.status();
  return std::make_unique<KnowledgeScorer>(*std::move(model), *std::move(tokenizer));
}

// Scorers without a model.
template <typename Plain>
LoadedScorer LoadPlain(const v1::RunConfig&, torch::Device, Metrics&) {
  return std::make_unique<Plain>();
}

struct Known {
  const char* name;
  LoadedScorer (*load)(const v1::RunConfig& config, torch::Device device, Metrics& metrics);
};
constexpr Known kKnown[] = {
    {"grounding", LoadGrounding},
    {"instruction", LoadInstruction},
    {"knowledge", LoadKnowledge},
    {"pooled", LoadPooled},
    {"exact_match", LoadPlain<ExactMatchScorer>},
    {"artefacts", LoadPlain<ArtefactScorer>},
    {"written_text", LoadPlain<WrittenTextScorer>},
};

}  // namespace

absl::StatusOr<std::unique_ptr<ScorerSet>> LoadScorers(const v1::RunConfig& config, Metrics& metrics) {
  const absl::StatusOr<torch::Device> device = FindDevice(config.reward().device());
  if (!device.ok()) return device.status();
  const std::map<std::string, double> weights = ComponentWeights(config.reward());
  const std::set<std::string> logged = LoggedNames(config.reward());
  std::vector<std::unique_ptr<Scorer>> scorers;
  for (const Known& known : kKnown) {
    if (!weights.contains(known.name) && !logged.contains(known.name)) continue;
    LoadedScorer scorer = known.load(config, *device, metrics);
    if (!scorer.ok()) return scorer.status();
    scorers.push_back(*std::move(scorer));
  }
  for (const v1::ExternalScorerConfig& external : config.reward().external()) {
    absl::StatusOr<std::unique_ptr<ExternalScorer>> scorer = ExternalScorer::Create(external, Links(config));
    if (!scorer.ok()) return scorer.status();
    scorers.push_back(*std::move(scorer));
  }
  return std::make_unique<ScorerSet>(std::move(scorers), weights, logged);
}

}  // namespace lvrpo
