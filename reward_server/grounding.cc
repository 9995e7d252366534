#include "reward_server/grounding.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "absl/strings/str_cat.h"
#include "data/key_phrases.h"
#include "data/siglip_transform.h"
#include "model/autoencoder.h"

namespace lvrpo {
namespace {

constexpr size_t kMostPhrases = 8;  // assignments are searched over subsets of them

// What the referee sees of images of any sizes, [B, 3, S, S].
absl::StatusOr<torch::Tensor> PixelsFor(const std::vector<RgbImage>& images, int64_t side) {
  const bool fit = std::all_of(images.begin(), images.end(), [&](const RgbImage& image) {
    return image.width == side && image.height == side;
  });
  if (fit) return FromRgbImages(images);
  const SiglipTransform transform = {.size = {static_cast<int>(side), static_cast<int>(side)},
                                     .filter = ResizeFilter::kBilinear,
                                     .norm = {}};
  std::vector<torch::Tensor> all;
  for (const RgbImage& image : images) {
    const absl::StatusOr<PixelPlanes> planes = TransformForSiglip(image, transform);
    if (!planes.ok()) return planes.status();
    all.push_back(torch::tensor(planes->values).view({3, side, side}));
  }
  return torch::stack(all);
}

// Patches of the referee's side x side whose centre lies in the region's circle; the nearest one when there
// is none.
std::vector<int64_t> PatchesOf(const FoundObject& object, const RgbImage& image, int64_t side) {
  const double wide = static_cast<double>(image.width) / static_cast<double>(side),
               high = static_cast<double>(image.height) / static_cast<double>(side);
  std::vector<int64_t> patches;
  int64_t nearest = 0;
  double nearest_distance = 1e30;
  for (int64_t row = 0; row < side; ++row) {
    for (int64_t column = 0; column < side; ++column) {
      const double distance = std::hypot((static_cast<double>(column) + 0.5) * wide - object.x,
                                         (static_cast<double>(row) + 0.5) * high - object.y);
      if (distance <= object.radius) patches.push_back(row * side + column);
      if (distance < nearest_distance) {
        nearest_distance = distance;
        nearest = row * side + column;
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
    : referee_(std::move(referee)), tokenizer_(std::move(tokenizer)), form_(form), digest_(ComputeDigest()) {}

std::string GroundingScorer::ComputeDigest() const {
  return absl::StrCat("grounding/", form_ == Form::kCountAware ? "count_aware" : "max_patch", "/3/",
                      DigestOf(referee_.tensors()));
}

absl::StatusOr<torch::Tensor> GroundingScorer::Embed(const std::string& phrase) {
  const auto cached = cache_.find(phrase);
  if (cached != cache_.end()) return cached->second;
  // As the referee was trained: cut or padded.
  absl::StatusOr<std::vector<int32_t>> ids =
      tokenizer_->EncodeFixed(phrase, static_cast<int32_t>(referee_.config().text_length));
  if (!ids.ok())
    return absl::InvalidArgumentError(absl::StrCat("key phrase \"", phrase, "\": ", ids.status().message()));
  const torch::Tensor tokens = torch::tensor(std::vector<int64_t>(ids->begin(), ids->end()), torch::kInt64);
  torch::Tensor vector = UnitLength(referee_.Text(tokens.unsqueeze(0))).squeeze(0);
  cache_[phrase] = vector;
  return vector;
}

absl::StatusOr<std::vector<Score>> GroundingScorer::ScoreBatch(const ScoringBatch& batch) {
  const ScoringBatch* const only = &batch;
  return std::move(ScoreBatches({&only, 1})[0]);
}

absl::StatusOr<GroundingScorer::Wanted> GroundingScorer::Read(const ScoringBatch& batch) {
  Wanted wanted;
  wanted.phrases.assign(batch.prompt.key_phrases().begin(), batch.prompt.key_phrases().end());
  if (wanted.phrases.empty()) {
    wanted.phrases = ExtractKeyPhrases(batch.prompt.text());
    if (wanted.phrases.size() > kMostPhrases) wanted.phrases.resize(kMostPhrases);
    if (wanted.phrases.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat("prompt ", batch.prompt.id(), " has neither key phrases nor a text to find them in"));
    }
  }
  if (wanted.phrases.size() > kMostPhrases) {
    return absl::InvalidArgumentError(absl::StrCat("prompt ", batch.prompt.id(), " has ",
                                                   wanted.phrases.size(), " key phrases; at most ",
                                                   kMostPhrases, " can be grounded"));
  }
  std::vector<torch::Tensor> vectors;
  for (const std::string& phrase : wanted.phrases) {
    absl::StatusOr<torch::Tensor> vector = Embed(phrase);
    if (!vector.ok()) return vector.status();
    vectors.push_back(*vector);
  }
  wanted.vectors = torch::stack(vectors);
  absl::StatusOr<torch::Tensor> pixels = PixelsFor(batch.images, referee_.config().image_size);
  if (!pixels.ok()) return pixels.status();
  wanted.pixels = *std::move(pixels);
  return wanted;
}

std::vector<absl::StatusOr<std::vector<Score>>> GroundingScorer::ScoreBatches(
    std::span<const ScoringBatch* const> batches) {
  const torch::NoGradGuard no_grad;
  std::vector<absl::StatusOr<Wanted>> all;
  std::vector<torch::Tensor> pixels;
  for (const ScoringBatch* batch : batches) {
    all.push_back(Read(*batch));
    if (all.back().ok()) pixels.push_back(all.back()->pixels);
  }
  // The images of all prompts go through the tower together.
  torch::Tensor dense;
  if (!pixels.empty())
    dense = UnitLength(referee_.DenseTokens(referee_.VisionTokens(torch::cat(pixels))));  // [B, N, P]
  std::vector<absl::StatusOr<std::vector<Score>>> answers;
  int64_t begin = 0;
  for (size_t i = 0; i < batches.size(); ++i) {
    if (!all[i].ok()) {
      answers.push_back(all[i].status());
      continue;
    }
    const auto count = static_cast<int64_t>(batches[i]->images.size());
    answers.push_back(ScoreImages(*batches[i], *all[i], dense.narrow(0, begin, count)));
    begin += count;
  }
  return answers;
}

std::vector<Score> GroundingScorer::ScoreImages(const ScoringBatch& batch, const Wanted& wanted,
                                                const torch::Tensor& dense) const {
  const torch::Tensor probability =
      torch::sigmoid(torch::matmul(dense, wanted.vectors.t()) * referee_.logit_scale() +
                     referee_.logit_bias());  // [B, N, K]
  const auto values = probability.accessor<float, 3>();
  const int64_t side = referee_.config().grid();
  const size_t phrases = wanted.phrases.size();
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
        for (const int64_t patch : PatchesOf(regions[r], batch.images[i], side)) {
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
        map.set_phrase(wanted.phrases[k]);
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
