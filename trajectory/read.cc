#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>

#include "absl/strings/str_cat.h"
#include "google/protobuf/util/message_differencer.h"
#include "policy/contract.h"
#include "policy/sample_settings.h"
#include "trajectory/codec.h"

namespace lvrpo {
namespace {

absl::Status Bad(const std::string& what) { return absl::InvalidArgumentError(what); }

absl::Status CheckPrompt(const v1::TrajectoryGroup& group, const PromptSource::Prompt& own) {
  if (google::protobuf::util::MessageDifferencer::Equals(group.prompt(), own.record) &&
      std::equal(group.prompt_ids().begin(), group.prompt_ids().end(), own.ids.begin(), own.ids.end())) {
    return absl::OkStatus();
  }
  return Bad(absl::StrCat("they answer another prompt than the run's, which is ", own.record.id()));
}

absl::Status CheckTokens(const google::protobuf::RepeatedField<int32_t>& ids, const BagelConfig& model,
                         const char* what) {
  const auto known = [&](int32_t id) { return id >= 0 && id < model.vocabulary; };
  if (std::all_of(ids.begin(), ids.end(), known)) return absl::OkStatus();
  return Bad(absl::StrCat("a ", what, " token is not in the vocabulary"));
}

absl::Status CheckLength(const v1::TrajectoryGroup& group, const BagelConfig& model, int64_t context) {
  if (context <= model.max_positions) return absl::OkStatus();
  return Bad(absl::StrCat("a prompt of ", group.prompt_ids_size(),
                          " tokens does not fit the model's longest context of ", model.max_positions));
}

absl::Status CheckSlots(const v1::TrajectoryGroup& group, int group_size) {
  if (group.samples_size() != group_size) return Bad(absl::StrCat("has ", group.samples_size(), " samples"));
  for (int slot = 0; slot < group_size; ++slot) {
    if (group.samples(slot).slot() != slot) return Bad("its samples are not in the order of their slots");
  }
  return absl::OkStatus();
}

// Copies log-probs; false when one is not finite, or larger than any honest one.
template <typename Number>
bool CopyLogProbs(const v1::Sample& sample, Number* to) {
  return std::all_of(sample.log_probs().begin(), sample.log_probs().end(), [&](double log_prob) {
    if (!(std::abs(log_prob) <= kLargestLogProb)) return false;
    *to++ = static_cast<Number>(log_prob);
    return true;
  });
}
constexpr char kBadLogProb[] = "a log-prob is not finite, or larger than any honest one";

// The same of latents, whose number has been compared.
bool CopyLatents(const v1::Sample& sample, float* to) {
  const size_t count = sample.latents().size() / sizeof(float);
  std::memcpy(to, sample.latents().data(), count * sizeof(float));
  return std::all_of(to, to + count, [](float latent) { return std::abs(latent) <= kLargestLatent; });
}

absl::Status CheckSettings(const v1::ImageSettings& settings, const ImageSampleOptions& options,
                           const LatentGrid& grid, const TrajectoryRules& rules) {
  if (settings.kernel() != rules.config.rollout().kernel() || settings.noise_level() != options.noise_level ||
      !std::equal(options.timesteps.begin(), options.timesteps.end(), settings.timesteps().begin(),
                  settings.timesteps().end())) {
    return Bad("it was sampled with other settings than the run's");
  }
  if (settings.window_size() != options.window.size || settings.window_begin() != options.window.begin) {
    return Bad("its window is not the one that the run draws for this ordinal and version");
  }
  if (settings.token_dim() != rules.model.token_dim() || settings.grid_height() != grid.height ||
      settings.grid_width() != grid.width || settings.tokens() != grid.tokens()) {
    return Bad("the latents have another shape than the prompt's image");
  }
  return absl::OkStatus();
}

absl::StatusOr<ImageGroup> ReadImages(const v1::TrajectoryGroup& group, const PromptSource::Prompt& own,
                                      const TrajectoryRules& rules) {
  const v1::RolloutConfig& rollout = rules.config.rollout();
  if (!UsesImages(rules.config)) return Bad("an image group, but the run trains no image tensors");
  ImageGroup images;
  images.grid = own.grid;
  images.options =
      SampleOptions(rollout, GroupWindow(rules.config, group.ordinal(), group.version().number()));
  if (absl::Status status = CheckSettings(group.image(), images.options, own.grid, rules); !status.ok())
    return status;
  if (absl::Status status =
          CheckLength(group, rules.model, ImageContextTokens(group.prompt_ids_size(), own.grid));
      !status.ok())
    return status;
  const int64_t samples = group.samples_size(), window = images.options.window.size,
                each = (window + 1) * own.grid.tokens() * rules.model.token_dim();
  images.latents = torch::empty({samples, window + 1, own.grid.tokens(), rules.model.token_dim()});
  images.log_probs = torch::empty({samples, window}, torch::kFloat64);
  for (int64_t i = 0; i < samples; ++i) {
    const v1::Sample& sample = group.samples(static_cast<int>(i));
    if (sample.latents().size() != static_cast<size_t>(each) * sizeof(float) ||
        sample.log_probs_size() != window) {
      return Bad(absl::StrCat("sample ", i, " has a wrong number of latents or log-probs"));
    }
    if (!CopyLatents(sample, images.latents.data_ptr<float>() + i * each))
      return Bad("a latent is not finite, or larger than any honest one");
    if (!CopyLogProbs(sample, images.log_probs.data_ptr<double>() + i * window)) return Bad(kBadLogProb);
  }
  return images;
}

absl::StatusOr<TextGroup> ReadTexts(const v1::TrajectoryGroup& group, const PromptSource::Prompt& own,
                                    const TrajectoryRules& rules) {
  if (!UsesText(rules.config)) return Bad("a text group, but the run trains no text tensors");
  if (group.image_width() != own.source_image.width || group.image_height() != own.source_image.height ||
      !std::equal(group.image_rgb().begin(), group.image_rgb().end(), own.source_image.pixels.begin(),
                  own.source_image.pixels.end(),
                  [](char a, uint8_t b) { return static_cast<uint8_t>(a) == b; })) {
    return Bad("they look at another source image than the run's");
  }
  const v1::RolloutConfig& rollout = rules.config.rollout();
  const int64_t context = TextContextTokens(group.prompt_ids_size(), own.source_image.width,
                                            own.source_image.height, rollout, rules.model);
  if (absl::Status status = CheckLength(group, rules.model, context); !status.ok()) return status;
  TextGroup texts;
  texts.image = own.source_image;
  for (const v1::Sample& sample : group.samples()) {
    if (sample.response_ids_size() < 1 || sample.response_ids_size() != sample.log_probs_size() ||
        sample.response_ids_size() > rollout.max_text_tokens()) {
      return Bad("a response is empty, too long or lacks log-probs");
    }
    if (absl::Status status = CheckTokens(sample.response_ids(), rules.model, "response"); !status.ok())
      return status;
    texts.ids.emplace_back(sample.response_ids().begin(), sample.response_ids().end());
    std::vector<float> log_probs(static_cast<size_t>(sample.log_probs_size()));
    if (!CopyLogProbs(sample, log_probs.data())) return Bad(kBadLogProb);
    texts.log_probs.push_back(std::move(log_probs));
  }
  return texts;
}

absl::StatusOr<SampledGroup> Read(const v1::TrajectoryGroup& group, const PromptSource::Prompt& own,
                                  const TrajectoryRules& rules) {
  for (const absl::Status& status :
       {CheckPrompt(group, own), CheckTokens(group.prompt_ids(), rules.model, "prompt"),
        CheckSlots(group, rules.config.rollout().group_size())}) {
    if (!status.ok()) return status;
  }
  SampledGroup read = {.ordinal = group.ordinal(),
                       .attempt = group.attempt(),
                       .version = group.version(),
                       .prompt_ids = own.ids,
                       .samples = {}};
  if (own.record.task() == v1::TASK_KIND_TEXT) {
    absl::StatusOr<TextGroup> texts = ReadTexts(group, own, rules);
    if (!texts.ok()) return texts.status();
    read.samples = *std::move(texts);
  } else {
    absl::StatusOr<ImageGroup> images = ReadImages(group, own, rules);
    if (!images.ok()) return images.status();
    read.samples = *std::move(images);
  }
  return read;
}

}  // namespace

absl::StatusOr<SampledGroup> ReadGroup(const v1::TrajectoryGroup& group, const PromptSource::Prompt& own,
                                       const TrajectoryRules& rules) {
  absl::StatusOr<SampledGroup> read = Read(group, own, rules);
  if (read.ok()) return read;
  return absl::Status(read.status().code(), absl::StrCat("trajectories of ordinal ", group.ordinal(), ": ",
                                                         read.status().message()));
}

int64_t LargestGroupBytes(const TrajectoryRules& rules, const PromptSource& prompts) {
  // What comes with the numbers: the prompt's record and what its messages cost.
  constexpr int64_t kWords = int64_t{16} << 20;
  const v1::RolloutConfig& rollout = rules.config.rollout();
  int64_t numbers = 0, picture = 0;
  if (UsesImages(rules.config)) {
    numbers = (int64_t{rollout.window_size()} + 1) * prompts.MostLatentTokens() * rules.model.token_dim() * 4;
  }
  if (UsesText(rules.config)) {
    const int64_t most = rules.model.vit_max_side * rules.model.vit_patch;
    numbers = std::max(numbers, int64_t{rollout.max_text_tokens()} * 16);
    picture = most * most * 3;
  }
  return rollout.group_size() * numbers + picture + kWords;
}

}  // namespace lvrpo
