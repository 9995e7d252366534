#include "reward_server/grounding.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "absl/strings/str_cat.h"
#include "model/autoencoder.h"

namespace lvrpo {
namespace {

constexpr size_t kMostPhrases = 8;  // assignments are searched over subsets of them

// Patches whose centre lies in the region's circle; the nearest one when there is none.
std::vector<int64_t> PatchesOf(const FoundObject& object, int64_t rows, int64_t columns, double patch) {
  std::vector<int64_t> patches;
  int64_t nearest = 0;
  double nearest_distance = 1e30;
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t column = 0; column < columns; ++column) {
      const double distance = std::hypot((static_cast<double>(column) + 0.5) * patch - object.x,
                                         (static_cast<double>(row) + 0.5) * patch - object.y);
      if (distance <= object.radius) patches.push_back(row * columns + column);
      if (distance < nearest_distance) {
        nearest_distance = distance;
        nearest = row * columns + column;
      }
    }
  }
  if (patches.empty()) patches.push_back(nearest);
  return patches;
}

}  // namespace

double CountAwareScore(const std::vector<std::vector<double>>& similarity, size_t regions) {
  const size_t phrases = similarity.size();
  if (phrases == 0 || regions == 0) return 0;
  // best[s] = most that the phrases of set s gain from the regions so far.
  std::vector<double> best(size_t{1} << phrases, -1);
  best[0] = 0;
  for (size_t region = 0; region < regions; ++region) {
    for (size_t set = best.size(); set-- > 0;) {
      if (best[set] < 0) continue;
      for (size_t phrase = 0; phrase < phrases; ++phrase) {
        const size_t bit = size_t{1} << phrase;
        if ((set & bit) == 0)
          best[set | bit] = std::max(best[set | bit], best[set] + similarity[phrase][region]);
      }
    }
  }
  return *std::max_element(best.begin(), best.end()) / static_cast<double>(std::max(phrases, regions));
}

GroundingScorer::GroundingScorer(Siglip referee, std::unique_ptr<Tokenizer> tokenizer, Form form)
    : referee_(std::move(referee)),
      tokenizer_(std::move(tokenizer)),
      form_(form),
      digest_(absl::StrCat("grounding/", form == Form::kCountAware ? "count_aware" : "max_patch", "/2/",
                           DigestOf(referee_.tensors()))) {}

absl::StatusOr<torch::Tensor> GroundingScorer::Embed(const std::string& phrase) {
  const auto cached = cache_.find(phrase);
  if (cached != cache_.end()) return cached->second;
  absl::StatusOr<std::vector<int32_t>> ids = tokenizer_->Encode(phrase);
  if (!ids.ok())
    return absl::InvalidArgumentError(absl::StrCat("key phrase \"", phrase, "\": ", ids.status().message()));
  // As the referee was trained: cut or padded.
  std::vector<int64_t> padded(ids->begin(), ids->end());
  padded.resize(static_cast<size_t>(referee_.config().text_length), tokenizer_->pad());
  torch::Tensor vector =
      UnitLength(referee_.Text(torch::tensor(padded, torch::kInt64).unsqueeze(0))).squeeze(0);
  cache_[phrase] = vector;
  return vector;
}

absl::StatusOr<std::vector<Score>> GroundingScorer::ScoreBatch(const ScoringBatch& batch) {
  torch::NoGradGuard no_grad;
  const auto phrases = static_cast<size_t>(batch.prompt.key_phrases_size());
  if (phrases > kMostPhrases) {
    return absl::InvalidArgumentError(absl::StrCat("prompt ", batch.prompt.id(), " has ", phrases,
                                                   " key phrases; at most ", kMostPhrases,
                                                   " can be grounded"));
  }
  for (const RgbImage& image : batch.images) {
    if (image.width != referee_.config().image_size || image.height != referee_.config().image_size) {
      return absl::InvalidArgumentError(
          absl::StrCat("an image of ", image.width, "x", image.height, " pixels; the referee looks at ",
                       referee_.config().image_size, "x", referee_.config().image_size));
    }
  }
  std::vector<torch::Tensor> vectors;
  for (const std::string& phrase : batch.prompt.key_phrases()) {
    absl::StatusOr<torch::Tensor> vector = Embed(phrase);
    if (!vector.ok()) return vector.status();
    vectors.push_back(*vector);
  }
  const torch::Tensor dense =
      UnitLength(referee_.DenseTokens(referee_.VisionTokens(FromRgbImages(batch.images))));
  const torch::Tensor probability =
      torch::sigmoid(torch::matmul(dense, torch::stack(vectors).t()) * referee_.logit_scale() +
                     referee_.logit_bias());  // [B, N, K]
  const auto values = probability.accessor<float, 3>();
  const int64_t side = referee_.config().grid();
  std::vector<Score> scores;
  for (size_t i = 0; i < batch.images.size(); ++i) {
    const auto b = static_cast<int64_t>(i);
    Score score;
    if (form_ == Form::kMaxPatch) {
      score.value = probability[b].amax(0).mean().item<float>();
    } else {
      const std::vector<FoundObject> regions = finder_.Find(batch.images[i]);
      std::vector<std::vector<double>> similarity(phrases, std::vector<double>(regions.size(), 0));
      for (size_t r = 0; r < regions.size(); ++r) {
        for (const int64_t patch :
             PatchesOf(regions[r], side, side, static_cast<double>(referee_.config().patch_size))) {
          for (size_t k = 0; k < phrases; ++k) {
            similarity[k][r] =
                std::max(similarity[k][r], static_cast<double>(values[b][patch][static_cast<int64_t>(k)]));
          }
        }
      }
      score.value = static_cast<float>(CountAwareScore(similarity, regions.size()));
      score.detail = absl::StrCat(regions.size(), " regions for ", phrases, " phrases");
    }
    if (batch.want_evidence) {
      for (size_t k = 0; k < phrases; ++k) {
        v1::GroundingMap map;
        map.set_phrase(batch.prompt.key_phrases(static_cast<int>(k)));
        map.set_rows(static_cast<int32_t>(side));
        map.set_columns(static_cast<int32_t>(side));
        for (int64_t patch = 0; patch < side * side; ++patch)
          map.add_values(values[b][patch][static_cast<int64_t>(k)]);
        score.maps.push_back(std::move(map));
      }
    }
    scores.push_back(std::move(score));
  }
  return scores;
}

}  // namespace lvrpo
