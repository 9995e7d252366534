#include "reward_server/scorers/grounding.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "data/prompts/key_phrases.h"
#include "reward_server/scorers/guard_scorers.h"

namespace lvrpo {
namespace {

constexpr size_t kMostPhrases = 8;  // assignments are searched over subsets of them

std::vector<std::vector<double>> Rows(const torch::Tensor& matrix) {
  const torch::Tensor values = matrix.to(torch::kCPU, torch::kFloat64).contiguous();
  std::vector<std::vector<double>> rows;
  for (int64_t i = 0; i < values.size(0); ++i) {
    const double* row = values.const_data_ptr<double>() + i * values.size(1);
    rows.emplace_back(row, row + values.size(1));
  }
  return rows;
}

v1::GroundingMap ToMessage(const std::string& phrase, const ImageGrid& grid,
                           const std::vector<float>& values) {
  v1::GroundingMap map;
  map.set_phrase(phrase);
  map.set_rows(grid.rows);
  map.set_columns(grid.columns);
  *map.mutable_values() = {values.begin(), values.end()};
  return map;
}

// All options, for digests.
std::string Describe(const GroundingOptions& options) {
  using Options = GroundingOptions;
  const bool counts = options.form == Options::Form::kCountAware;
  return absl::StrCat(
      counts ? "count_aware"
             : (options.form == Options::Form::kMaxPatch ? "max_patch" : absl::StrCat("top_", options.top_k)),
      counts ? (options.regions == Options::Regions::kPeaks ? "/peaks" : "/segments") : "",
      options.dense == Options::Dense::kMapHead
          ? "/map_head"
          : (options.dense == Options::Dense::kBox ? "/box" : "/tokens"),
      options.calibration == Options::Calibration::kCheckpoint ? "" : "/cosine");
}

}  // namespace

GroundingOptions ToGroundingOptions(const v1::RewardConfig& config) {
  return {.form = *Choose(kGroundingForms, "reward.grounding_form", config.grounding_form()),
          .regions = *Choose(kGroundingRegions, "reward.grounding_regions", config.grounding_regions()),
          .dense = *Choose(kGroundingDense, "reward.grounding_dense", config.grounding_dense()),
          .calibration =
              *Choose(kGroundingCalibrations, "reward.grounding_calibration", config.grounding_calibration()),
          .top_k = config.grounding_top_k()};
}

absl::StatusOr<std::unique_ptr<GroundingScorer>> GroundingScorer::Create(RefereeView referee,
                                                                         std::unique_ptr<Tokenizer> tokenizer,
                                                                         const GroundingOptions& options) {
  const SiglipConfig& config = referee.model().config();
  if (options.dense == GroundingOptions::Dense::kTokens) {
    if (config.vision.width != config.projection) {
      return absl::InvalidArgumentError(absl::StrCat("the referee's tokens are ", config.vision.width,
                                                     " wide and its texts ", config.projection,
                                                     ": set reward.grounding_dense to map_head"));
    }
  } else if (!config.use_head) {
    return absl::InvalidArgumentError(
        "the referee was saved without its pooling head: set reward.grounding_dense to tokens, or use "
        "another one");
  }
  if (!config.calibrated && options.calibration == GroundingOptions::Calibration::kCheckpoint) {
    return absl::InvalidArgumentError(
        "the referee was saved without logit_scale and logit_bias: set reward.grounding_calibration to "
        "cosine");
  }
  return std::unique_ptr<GroundingScorer>(
      new GroundingScorer(std::move(referee), std::move(tokenizer), options));
}

GroundingScorer::GroundingScorer(RefereeView referee, std::unique_ptr<Tokenizer> tokenizer,
                                 const GroundingOptions& options)
    : referee_(std::move(referee)),
      texts_(referee_.model(), std::move(tokenizer)),
      options_(options),
      digest_(ComputeDigest()) {}

std::string GroundingScorer::ComputeDigest() const {
  return absl::StrCat("grounding/4/", Describe(options_), "/", referee_.Digest());
}

absl::StatusOr<std::vector<SampleScore>> GroundingScorer::ScoreGroup(const ScoringGroup& group) {
  const ScoringGroup* const only = &group;
  return std::move(ScoreGroups({&only, 1})[0]);
}

absl::StatusOr<GroundingScorer::Wanted> GroundingScorer::Read(const ScoringGroup& group) {
  Wanted wanted;
  wanted.phrases.assign(group.prompt.key_phrases().begin(), group.prompt.key_phrases().end());
  if (wanted.phrases.empty()) {
    wanted.phrases = ExtractKeyPhrases(group.prompt.text());
    if (wanted.phrases.size() > kMostPhrases) wanted.phrases.resize(kMostPhrases);
    if (wanted.phrases.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat("prompt ", group.prompt.id(), " has neither key phrases nor a text to find them in"));
    }
  }
  if (wanted.phrases.size() > kMostPhrases) {
    return absl::InvalidArgumentError(absl::StrCat("prompt ", group.prompt.id(), " has ",
                                                   wanted.phrases.size(), " key phrases; at most ",
                                                   kMostPhrases, " can be grounded"));
  }
  std::vector<torch::Tensor> vectors;
  for (const std::string& phrase : wanted.phrases) {
    absl::StatusOr<torch::Tensor> vector = texts_.Of(phrase);
    if (!vector.ok())
      return absl::InvalidArgumentError(absl::StrCat("key phrase ", vector.status().message()));
    vectors.push_back(*vector);
  }
  wanted.vectors = torch::stack(vectors);
  absl::StatusOr<RefereeInput> input = referee_.Read(group.images);
  if (!input.ok()) return input.status();
  wanted.input = *std::move(input);
  return wanted;
}

std::vector<absl::StatusOr<std::vector<SampleScore>>> GroundingScorer::ScoreGroups(
    std::span<const ScoringGroup* const> groups) {
  const torch::NoGradGuard no_grad;
  std::vector<absl::StatusOr<Wanted>> all;
  std::vector<RefereeInput> inputs;
  for (const ScoringGroup* group : groups) {
    all.push_back(Read(*group));
    if (all.back().ok()) inputs.push_back(all.back()->input);
  }
  // The images of all prompts go through the tower together.
  torch::Tensor tokens, dense;  // [B, N, D], [B, N, P]
  if (!inputs.empty()) {
    tokens = referee_.Tokens(RefereeInput::Concat(inputs));
    dense = UnitLength(
        options_.dense == GroundingOptions::Dense::kTokens ? tokens : referee_.model().DenseTokens(tokens));
  }
  std::vector<absl::StatusOr<std::vector<SampleScore>>> answers;
  int64_t row = 0;
  for (size_t i = 0; i < groups.size(); ++i) {
    if (!all[i].ok()) {
      answers.push_back(all[i].status());
      continue;
    }
    std::vector<SampleScore> scores;
    for (size_t k = 0; k < groups[i]->images.size(); ++k, ++row) {
      const ImageGrid& grid = all[i]->input.grids[k];
      scores.push_back(ScoreImage(groups[i]->images[k], *all[i], grid,
                                  tokens[row].narrow(0, 0, grid.patches()),
                                  dense[row].narrow(0, 0, grid.patches()), groups[i]->want_evidence));
    }
    answers.push_back(std::move(scores));
  }
  return answers;
}

torch::Tensor GroundingScorer::Similarity(const torch::Tensor& vectors, const torch::Tensor& phrases) const {
  const torch::Tensor cosine = torch::matmul(phrases, vectors.t());  // [K, N]
  if (options_.calibration == GroundingOptions::Calibration::kCosine) return cosine.clamp_min(0);
  return torch::sigmoid(cosine * referee_.model().logit_scale() + referee_.model().logit_bias());
}

std::vector<std::vector<double>> GroundingScorer::BoxSimilarity(const torch::Tensor& tokens,
                                                                const torch::Tensor& vectors,
                                                                const std::vector<Region>& regions) const {
  if (regions.empty()) return std::vector<std::vector<double>>(static_cast<size_t>(vectors.size(0)));
  const auto count = static_cast<int64_t>(regions.size());
  torch::Tensor keys = torch::zeros({count, tokens.size(0)}, torch::kBool);
  for (int64_t r = 0; r < count; ++r) {
    for (const int patch : regions[static_cast<size_t>(r)]) keys[r][patch] = true;
  }
  const torch::Tensor pooled = referee_.model().Pool(tokens.unsqueeze(0).expand({count, -1, -1}), keys);
  return Rows(Similarity(UnitLength(pooled), vectors));
}

SampleScore GroundingScorer::ScoreImage(const RgbImage& image, const Wanted& wanted, const ImageGrid& grid,
                                        const torch::Tensor& tokens, const torch::Tensor& dense,
                                        bool want_evidence) const {
  GroundingMaps maps = {grid.rows, grid.columns, {}};
  const torch::Tensor similarity = Similarity(dense, wanted.vectors).cpu().contiguous();  // [K, N]
  for (int64_t k = 0; k < similarity.size(0); ++k) {
    const float* map = similarity.const_data_ptr<float>() + k * grid.patches();
    maps.values.emplace_back(map, map + grid.patches());
  }
  SampleScore score;
  if (options_.form == GroundingOptions::Form::kCountAware) {
    const std::vector<Region> regions =
        options_.regions == GroundingOptions::Regions::kPeaks
            ? PeakRegions(maps)
            : RegionsOfObjects(finder_.Find(image), image, grid.rows, grid.columns);
    const bool box = options_.dense == GroundingOptions::Dense::kBox;
    score.value = static_cast<float>(CountAwareScore(
        box ? BoxSimilarity(tokens, wanted.vectors, regions) : RegionSimilarity(maps, regions),
        regions.size()));
    score.detail = absl::StrCat(regions.size(), " regions for ", maps.phrases(), " phrases");
  } else {
    score.value = static_cast<float>(
        TopPatches(maps, options_.form == GroundingOptions::Form::kTopKMean ? options_.top_k : 1));
  }
  score.guards["one_patch"] = static_cast<float>(OnePatchShare(maps.values));
  for (size_t k = 0; want_evidence && k < maps.phrases(); ++k)
    score.maps.push_back(ToMessage(wanted.phrases[k], grid, maps.values[k]));
  return score;
}

}  // namespace lvrpo
