#include "learner/step/objective.h"

#include "common/config/choices.h"
#include "learner/step/image_objective.h"
#include "learner/step/text_objective.h"

namespace lvrpo {

namespace {

// Reads a word into `value`; keeps the first error.
template <class Value, size_t size>
void Read(const Choice<Value> (&table)[size], const char* setting, const std::string& word, Value& value,
          absl::Status& status) {
  const absl::StatusOr<Value> chosen = Choose(table, setting, word);
  status.Update(chosen.status());
  if (chosen.ok()) value = *chosen;
}

absl::Status ReadImageLoss(const v1::TrainConfig& train, ImageLossOptions& image) {
  absl::Status status;
  Read(kImageLossForms, "train.image_loss", train.image_loss(), image.form, status);
  Read(kImageKlForms, "train.image_kl_form", train.image_kl_form(), image.kl_form, status);
  image.clip_low = train.image_clip();
  image.clip_high = train.image_clip_high() > 0 ? train.image_clip_high() : train.image_clip();
  image.advantage_clamp = train.advantage_clamp();
  image.kl_beta = train.image_kl_beta();
  image.dppo_threshold = train.image_divergence_limit();
  return status;
}

absl::Status ReadTextLoss(const v1::RunConfig& config, ObjectiveSettings& settings) {
  const v1::TrainConfig& train = config.train();
  TextLossOptions& text = settings.text;
  absl::Status status;
  Read(kRatioLevels, "train.text_ratio", train.text_ratio(), text.level, status);
  Read(kAggregations, "train.text_aggregation", train.text_aggregation(), text.aggregation, status);
  Read(kTextKlForms, "train.text_kl_form", train.text_kl_form(), text.kl, status);
  text.eps_low = train.text_clip_low();
  text.eps_high = train.text_clip_high();
  text.dual_clip = std::nullopt;
  if (train.text_dual_clip() > 0) text.dual_clip = train.text_dual_clip();
  text.beta = train.text_kl_beta();
  if (text.beta <= 0) text.kl = TextKlForm::kNone;
  text.max_length = config.rollout().max_text_tokens();
  const v1::TextCorrectionConfig& correction = train.text_correction();
  Read(kCorrectionModes, "train.text_correction.mode", correction.mode(), settings.correction.mode, status);
  settings.correction.clip_min = correction.low();
  settings.correction.clip_max = correction.high();
  settings.correct_current = correction.always();
  return status;
}

}  // namespace

absl::StatusOr<ObjectiveSettings> ObjectiveSettingsOf(const v1::RunConfig& config) {
  ObjectiveSettings settings;
  settings.group_size = config.rollout().group_size();
  settings.window_size = config.rollout().window_size();
  settings.guidance.text_scale = config.rollout().cfg_scale();
  settings.temperature = config.rollout().temperature();
  settings.micro_batch = config.train().micro_batch();
  settings.mini_batches = config.train().mini_batches();
  absl::Status status = ReadImageLoss(config.train(), settings.image);
  status.Update(ReadTextLoss(config, settings));
  if (!status.ok()) return status;
  return settings;
}

std::unique_ptr<GroupObjective> MakeObjective(const SampledGroup& group, const Policies& models,
                                              const ObjectiveSettings& settings, bool current) {
  if (const ImageGroup* images = std::get_if<ImageGroup>(&group.samples))
    return std::make_unique<ImageObjective>(*images, group.prompt_ids, models, settings, current);
  return std::make_unique<TextObjective>(std::get<TextGroup>(group.samples), group.prompt_ids, models,
                                         settings, current);
}

}  // namespace lvrpo
