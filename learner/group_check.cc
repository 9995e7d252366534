#include "learner/group_check.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "google/protobuf/util/message_differencer.h"
#include "policy/contract.h"
#include "policy/sample_settings.h"

namespace lvrpo {
namespace {

// Names of logged figures become names of metrics.
constexpr int kMostLoggedScores = 64;
constexpr size_t kLongestName = 64;

absl::Status Bad(const v1::TrajectoryGroup& group, const std::string& what) {
  return absl::InvalidArgumentError(absl::StrCat("trajectories of ordinal ", group.ordinal(), ": ", what));
}

bool IsPlainName(const std::string& name) {
  return !name.empty() && name.size() <= kLongestName && std::all_of(name.begin(), name.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '-' || c == '.' || c == ' ';
  });
}

absl::Status CheckScores(const v1::TrajectoryGroup& group, const v1::Sample& sample) {
  if (!std::isfinite(sample.reward())) return Bad(group, "a reward is not finite");
  for (const v1::ComponentScore& score : sample.scores()) {
    if (!std::isfinite(score.score())) return Bad(group, "a score is not finite");
  }
  if (sample.logged_size() > kMostLoggedScores) {
    return Bad(group, absl::StrCat("a sample comes with ", sample.logged_size(), " logged scores"));
  }
  for (const v1::ComponentScore& score : sample.logged()) {
    if (!IsPlainName(score.name())) return Bad(group, "a logged score has no plain name");
    if (!std::isfinite(score.score())) return Bad(group, "a logged score is not finite");
  }
  return absl::OkStatus();
}

absl::Status CheckLogProbs(const v1::TrajectoryGroup& group, const v1::Sample& sample) {
  for (const double log_prob : sample.log_probs()) {
    if (!(std::abs(log_prob) <= kLargestLogProb)) {
      return Bad(group, "a log-prob is not finite, or larger than any honest one");
    }
  }
  return absl::OkStatus();
}

absl::Status CheckLength(const v1::TrajectoryGroup& group, const BagelConfig& model, int64_t context) {
  if (context <= model.max_positions) return absl::OkStatus();
  return Bad(group,
             absl::StrCat("a prompt of ", group.prompt_ids_size(),
                          " tokens does not fit the model's longest context of ", model.max_positions));
}

absl::Status CheckImages(const v1::TrajectoryGroup& group, const v1::RunConfig& config,
                         const BagelConfig& model) {
  if (!UsesImages(config)) return Bad(group, "an image group, but the run trains no image tensors");
  const v1::ImageSettings& settings = group.image();
  const v1::RolloutConfig& rollout = config.rollout();
  const std::vector<float> timesteps = Timesteps(rollout.timesteps(), rollout.shift());
  if (settings.kernel() != rollout.kernel() || settings.noise_level() != rollout.noise_level() ||
      !std::equal(timesteps.begin(), timesteps.end(), settings.timesteps().begin(),
                  settings.timesteps().end())) {
    return Bad(group, "it was sampled with other settings than the run's");
  }
  const Window window = DrawWindow(config.seed(), static_cast<uint32_t>(group.ordinal()),
                                   rollout.window_size(), rollout.window_lo(), rollout.window_hi());
  if (settings.window_size() != window.size || settings.window_begin() != window.begin) {
    return Bad(group, "its window is not the one that the run draws for this ordinal");
  }
  const int64_t side = ImageGridSide(model);
  if (settings.token_dim() != model.token_dim() || settings.grid_height() != side ||
      settings.grid_width() != side || settings.tokens() != side * side) {
    return Bad(group, "the latents have another shape than the run's");
  }
  if (absl::Status status = CheckLength(group, model, ImageContextTokens(group.prompt_ids_size(), model));
      !status.ok())
    return status;
  const auto per_sample =
      static_cast<size_t>((int64_t{settings.window_size()} + 1) * settings.tokens() * settings.token_dim());
  for (const v1::Sample& sample : group.samples()) {
    if (sample.latents().size() != per_sample * sizeof(float) ||
        sample.log_probs_size() != settings.window_size()) {
      return Bad(group,
                 absl::StrCat("sample ", sample.slot(), " has a wrong number of latents or log-probs"));
    }
    for (size_t at = 0; at < sample.latents().size(); at += sizeof(float)) {
      float value;
      std::memcpy(&value, sample.latents().data() + at, sizeof(value));
      if (!(std::abs(value) <= kLargestLatent)) {
        return Bad(group, "a latent is not finite, or larger than any honest one");
      }
    }
  }
  return absl::OkStatus();
}

absl::Status CheckTexts(const v1::TrajectoryGroup& group, const v1::RunConfig& config,
                        const BagelConfig& model) {
  if (!UsesText(config)) return Bad(group, "a text group, but the run trains no text tensors");
  const int64_t patch = model.vit_patch, most = model.vit_max_side * patch, width = group.image_width(),
                height = group.image_height();
  if (width < 1 || width > most || width % patch != 0 || height < 1 || height > most || height % patch != 0 ||
      group.image_rgb().size() != static_cast<size_t>(width * height * 3)) {
    return Bad(group, absl::StrCat("a source image of ", width, "x", height, " pixels and ",
                                   group.image_rgb().size(), " bytes does not fit the model"));
  }
  const int64_t context = TextContextTokens(group.prompt_ids_size(), width, height, config.rollout(), model);
  if (absl::Status status = CheckLength(group, model, context); !status.ok()) return status;
  for (const v1::Sample& sample : group.samples()) {
    if (sample.response_ids_size() < 1 || sample.response_ids_size() != sample.log_probs_size() ||
        sample.response_ids_size() > config.rollout().max_text_tokens()) {
      return Bad(group, "a response is empty, too long or lacks log-probs");
    }
    for (const int32_t id : sample.response_ids()) {
      if (id < 0 || id >= model.vocabulary) return Bad(group, "a response token is not in the vocabulary");
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckGroup(const v1::TrajectoryGroup& group, const v1::RunConfig& config,
                        const BagelConfig& model) {
  if (group.samples_size() != config.rollout().group_size()) {
    return Bad(group, absl::StrCat("has ", group.samples_size(), " samples"));
  }
  for (int slot = 0; slot < group.samples_size(); ++slot) {
    const v1::Sample& sample = group.samples(slot);
    if (sample.slot() != slot) return Bad(group, "its samples are not in the order of their slots");
    if (absl::Status status = CheckScores(group, sample); !status.ok()) return status;
    if (absl::Status status = CheckLogProbs(group, sample); !status.ok()) return status;
  }
  for (const int32_t id : group.prompt_ids()) {
    if (id < 0 || id >= model.vocabulary) return Bad(group, "a prompt token is not in the vocabulary");
  }
  switch (group.prompt().task()) {
    case v1::TASK_KIND_IMAGE:
      return CheckImages(group, config, model);
    case v1::TASK_KIND_TEXT:
      return CheckTexts(group, config, model);
    default:
      return Bad(group, "its prompt names no task");
  }
}

absl::Status CheckPrompt(const v1::TrajectoryGroup& group, const PromptSource::Prompt& own) {
  const bool same_image =
      own.record.task() != v1::TASK_KIND_TEXT ||
      (group.image_width() == own.source_image.width && group.image_height() == own.source_image.height &&
       std::equal(group.image_rgb().begin(), group.image_rgb().end(), own.source_image.pixels.begin(),
                  own.source_image.pixels.end(),
                  [](char a, uint8_t b) { return static_cast<uint8_t>(a) == b; }));
  if (same_image && google::protobuf::util::MessageDifferencer::Equals(group.prompt(), own.record) &&
      std::equal(group.prompt_ids().begin(), group.prompt_ids().end(), own.ids.begin(), own.ids.end())) {
    return absl::OkStatus();
  }
  return Bad(group, absl::StrCat("they answer another prompt than the run's, which is ", own.record.id()));
}

int64_t LargestGroupBytes(const v1::RunConfig& config, const BagelConfig& model) {
  // Non-tensor parts: the prompt's record and the scores with their details.
  constexpr int64_t kWords = int64_t{16} << 20;
  const v1::RolloutConfig& rollout = config.rollout();
  int64_t numbers = 0;
  if (UsesImages(config)) {
    const int64_t side = ImageGridSide(model);
    numbers = (int64_t{rollout.window_size()} + 1) * side * side * model.token_dim() * 4;
  }
  if (UsesText(config)) numbers = std::max(numbers, int64_t{rollout.max_text_tokens()} * 16);
  const int64_t most = model.vit_max_side * model.vit_patch;
  return rollout.group_size() * numbers + (UsesText(config) ? most * most * 3 : 0) + kWords;
}

}  // namespace lvrpo
