#include "learner/step/objective.h"

#include "common/config/choices.h"
#include "learner/step/image_objective.h"
#include "learner/step/text_objective.h"

namespace lvrpo {

absl::StatusOr<ObjectiveSettings> ObjectiveSettingsOf(const v1::RunConfig& config) {
  const v1::TrainConfig& train = config.train();
  ObjectiveSettings settings;
  settings.group_size = config.rollout().group_size();
  settings.window_size = config.rollout().window_size();
  settings.guidance.text_scale = config.rollout().cfg_scale();
  settings.temperature = config.rollout().temperature();
  settings.micro_batch = train.micro_batch();
  const absl::StatusOr<ImageLossForm> form = Choose(kImageLossForms, "train.image_loss", train.image_loss());
  if (!form.ok()) return form.status();
  const absl::StatusOr<ImageKlForm> kl_form =
      Choose(kImageKlForms, "train.image_kl_form", train.image_kl_form());
  if (!kl_form.ok()) return kl_form.status();
  settings.image.form = *form;
  settings.image.clip_low = settings.image.clip_high = train.image_clip();
  settings.image.advantage_clamp = train.advantage_clamp();
  settings.image.kl_beta = train.image_kl_beta();
  settings.image.kl_form = *kl_form;
  settings.text.eps_low = train.text_clip_low();
  settings.text.eps_high = train.text_clip_high();
  settings.text.beta = train.text_kl_beta();
  settings.text.kl = train.text_kl_beta() > 0 ? TextKlForm::kK3 : TextKlForm::kNone;
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
