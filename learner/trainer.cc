#include "learner/trainer.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace lvrpo {
namespace {

AdamWOptions OptimizerOptions(const v1::OptimizerConfig& config, const v1::TrainConfig& train) {
  return {.learning_rate = config.learning_rate(),
          .weight_decay = config.weight_decay(),
          .beta1 = config.beta1(),
          .beta2 = config.beta2(),
          .eps = config.eps(),
          .warmup_steps = config.warmup_steps(),
          .total_steps = int64_t{train.steps()} * train.updates_per_step(),
          .cosine_floor = config.cosine_floor(),
          .gradient_clip = train.gradient_clip()};
}

}  // namespace

GrpoTrainer::GrpoTrainer(v1::RunConfig config, Bagel reference, Bagel policy, TensorMap trained)
    : config_(std::move(config)),
      reference_(std::move(reference)),
      policy_(std::move(policy)),
      trained_(std::move(trained)) {}

absl::StatusOr<std::unique_ptr<GrpoTrainer>> GrpoTrainer::Create(const v1::RunConfig& config, Bagel base) {
  const absl::StatusOr<TrainedTensors> selected = SelectTrainedTensors(config, base);
  if (!selected.ok()) return selected.status();
  for (const auto& [name, tensor] : selected->image) {
    if (selected->text.contains(name)) {
      return absl::FailedPreconditionError(absl::StrCat(
          "train.image.trainable and train.text.trainable both match ", name, ": give it to one of them"));
    }
  }
  TensorMap trained = CloneTensors(selected->All());
  absl::StatusOr<Bagel> policy = base.WithTensors(trained, "the policy");
  if (!policy.ok()) return policy.status();
  absl::StatusOr<Bagel> reference =
      Bagel::Create(base.config(), WithoutLora(base.tensors()), "the reference");
  if (!reference.ok()) return reference.status();
  std::unique_ptr<GrpoTrainer> trainer(
      new GrpoTrainer(config, *std::move(reference), *std::move(policy), std::move(trained)));

  const v1::TrainConfig& train = config.train();
  TensorMap image, text;
  for (const auto& [name, tensor] : trainer->trained_)
    (selected->image.contains(name) ? image : text)[name] = tensor;
  if (!image.empty())
    trainer->image_ = std::make_unique<AdamW>(image, OptimizerOptions(train.image(), train));
  if (!text.empty()) trainer->text_ = std::make_unique<AdamW>(text, OptimizerOptions(train.text(), train));

  const absl::StatusOr<ImageLossForm> form = ParseImageLossForm(train.image_loss());
  if (!form.ok()) return form.status();
  trainer->image_loss_.form = *form;
  trainer->image_loss_.clip_low = trainer->image_loss_.clip_high = train.image_clip();
  trainer->image_loss_.advantage_clamp = train.advantage_clamp();
  trainer->image_loss_.kl_beta = train.image_kl_beta();
  const absl::StatusOr<ImageKlForm> kl_form = ParseImageKlForm(train.image_kl_form());
  if (!kl_form.ok()) return kl_form.status();
  trainer->image_loss_.kl_form = *kl_form;
  trainer->text_loss_.eps_low = train.text_clip_low();
  trainer->text_loss_.eps_high = train.text_clip_high();
  trainer->text_loss_.beta = train.text_kl_beta();
  trainer->text_loss_.kl = train.text_kl_beta() > 0 ? TextKlForm::kK3 : TextKlForm::kNone;
  trainer->advantage_options_.eps = train.advantage_eps();
  trainer->advantage_options_.clamp = train.advantage_clamp();
  const absl::StatusOr<RewardAggregation> aggregation = ParseRewardAggregation(train.advantage_aggregation());
  if (!aggregation.ok()) return aggregation.status();
  trainer->advantage_options_.aggregation = *aggregation;
  return trainer;
}

TensorMap GrpoTrainer::OptimizerState() const {
  TensorMap state;
  for (const auto& [task, optimizer] :
       {std::pair<std::string, const AdamW*>{"image", image_.get()}, {"text", text_.get()}}) {
    if (optimizer == nullptr) continue;
    for (const auto& [name, tensor] : optimizer->State()) state[absl::StrCat(task, "/", name)] = tensor;
  }
  return state;
}

absl::Status GrpoTrainer::RestoreOptimizers(const TensorMap& state) {
  for (const auto& [task, optimizer] :
       {std::pair<std::string, AdamW*>{"image/", image_.get()}, {"text/", text_.get()}}) {
    if (optimizer == nullptr) continue;
    TensorMap own;
    for (const auto& [name, tensor] : state) {
      if (name.rfind(task, 0) == 0) own[name.substr(task.size())] = tensor;
    }
    if (absl::Status status = optimizer->Restore(own); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status GrpoTrainer::RestoreWeights(const TensorMap& weights) {
  ShapeMap shapes;
  for (const auto& [name, tensor] : trained_) shapes[name] = tensor.sizes().vec();
  if (absl::Status status = CheckTensors(shapes, weights, "the checkpoint"); !status.ok()) return status;
  torch::NoGradGuard no_grad;
  for (auto& [name, tensor] : trained_) tensor.copy_(weights.at(name));
  return absl::OkStatus();
}

int64_t GrpoTrainer::nonfinite_in_a_row() const {
  return std::max(image_ ? image_->nonfinite_in_a_row() : 0, text_ ? text_->nonfinite_in_a_row() : 0);
}

}  // namespace lvrpo
