#include "pretraining/settings.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <google/protobuf/text_format.h>

#include "absl/strings/str_cat.h"
#include "common/config/config_problems.h"
#include "common/files/file.h"
#include "pretraining/policy_data.h"
#include "shapes_world/prompt_files.h"

namespace lvrpo {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

constexpr const char* kUndeciding[] = {"out",
                                       "autoencoder",
                                       "referee",
                                       "prompts",
                                       "start",
                                       "score_prompts_per_kind",
                                       "train.checkpoint",
                                       "train.checkpoint_every",
                                       "train.report_every"};

void Flatten(const Message& message, const std::string& prefix, std::map<std::string, std::string>& flat) {
  for (int i = 0; i < message.GetDescriptor()->field_count(); ++i) {
    const FieldDescriptor* field = message.GetDescriptor()->field(i);
    const std::string path = prefix + field->name();
    if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      Flatten(message.GetReflection()->GetMessage(message, field), path + ".", flat);
    } else {
      google::protobuf::TextFormat::PrintFieldValueToString(message, field, -1, &flat[path]);
    }
  }
}

// Errors of the values, "field: ..." each.
class Problems : public ConfigProblems {
 public:
  void Out(const std::string& out) {
    if (out.empty()) Add("out", "is empty: name a folder");
  }
  void Loop(const v1::PretrainLoop& loop) {
    Range("train.steps", loop.steps(), 1, 1e9);
    Range("train.ema_decay", loop.ema_decay(), 0, 0.9999999);
    Positive("train.learning_rate", loop.learning_rate());
    Range("train.weight_decay", loop.weight_decay(), 0, 1);
    Range("train.warmup_steps", loop.warmup_steps(), 0, 1e9);
    Range("train.cosine_floor", loop.cosine_floor(), 0, 1);
    Range("train.gradient_clip", loop.gradient_clip(), 0, 1e9);
    Range("train.checkpoint_every", loop.checkpoint_every(), 1, 1e9);
    Range("train.report_every", loop.report_every(), 1, 1e9);
  }
  // Checks shared by the three training commands.
  template <typename Settings>
  void Training(const Settings& settings) {
    Out(settings.out());
    Range("threads", settings.threads(), 1, 1024);
    Range("batch", settings.batch(), 1, 1e5);
    Loop(settings.train());
  }
};

std::vector<std::string> Validate(const v1::PretrainAutoencoder& settings) {
  Problems p;
  p.Training(settings);
  p.Range("kl_weight", settings.kl_weight(), 0, 1e6);
  p.Positive("object_weight", settings.object_weight());
  return std::move(p.found);
}

std::vector<std::string> Validate(const v1::PretrainReferee& settings) {
  Problems p;
  p.Training(settings);
  return std::move(p.found);
}

std::vector<std::string> Validate(const v1::PretrainPolicy& settings) {
  Problems p;
  p.Training(settings);
  p.Exists("autoencoder", settings.autoencoder());
  p.Exists("referee", settings.referee());
  p.Range("score_prompts_per_kind", settings.score_prompts_per_kind(), 0, 1e6);
  if (settings.score_prompts_per_kind() > 0) p.Exists("prompts", settings.prompts());
  if (!settings.start().empty()) p.Exists("start", settings.start());
  p.Range("cached_pairs", settings.cached_pairs(), 1, 1e8);
  p.Range("caption_dropout", settings.caption_dropout(), 0, 1);
  p.Range("wrong_captions", settings.wrong_captions(), 0, 1);
  p.Range("flow_weight", settings.flow_weight(), 0, 1e6);
  p.Range("text_weight", settings.text_weight(), 0, 1e6);

  const v1::PretrainKindWeights& kinds = settings.kind_weights();
  double total = 0;
  for (const auto& [kind, weight] : {std::pair{"single", kinds.single()},
                                     {"two", kinds.two()},
                                     {"counting", kinds.counting()},
                                     {"colors", kinds.colors()},
                                     {"position", kinds.position()},
                                     {"attribution", kinds.attribution()}}) {
    p.Range(absl::StrCat("kind_weights.", kind), weight, 0, 1e6);
    total += weight;
  }
  if (!(total > 0)) p.Add("kind_weights", "all are 0: there would be no pairs to draw");

  const v1::PretrainUnderstanding& understanding = settings.understanding();
  p.Range("router.experts", settings.router().experts(), 0, 256);
  if (const RouterConfig router = RouterOf(settings); !router.Problem().empty())
    p.Add("router", router.Problem());
  p.Range("representation_alignment.weight", settings.representation_alignment().weight(), 0, 1e6);
  p.Range("representation_alignment.after_layers", settings.representation_alignment().after_layers(), 1,
          1e6);
  p.Range("understanding.batch", understanding.batch(), 0, 1e5);
  p.Range("understanding.questions_per_image", understanding.questions_per_image(), 1, 32);
  p.Range("understanding.caption_share", understanding.caption_share(), 0, 1);
  p.Range("understanding.habitual_answers", understanding.habitual_answers(), 0, 1);
  return std::move(p.found);
}

std::vector<std::string> Validate(const v1::PretrainPrompts& settings) {
  Problems p;
  p.Out(settings.out());
  p.Range("train_images_per_kind", settings.train_images_per_kind(), 1, 1e6);
  p.Range("heldout_images_per_kind", settings.heldout_images_per_kind(), 1, 1e6);
  p.Range("train_questions", settings.train_questions(), 1, 1e6);
  p.Range("heldout_questions", settings.heldout_questions(), 1, 1e6);
  return std::move(p.found);
}

v1::PretrainLoop DefaultLoop(int steps, double ema_decay, double learning_rate, double weight_decay,
                             int warmup_steps) {
  v1::PretrainLoop loop;
  loop.set_steps(steps);
  loop.set_ema_decay(ema_decay);
  loop.set_learning_rate(learning_rate);
  loop.set_weight_decay(weight_decay);
  loop.set_warmup_steps(warmup_steps);
  loop.set_cosine_floor(0.02);
  loop.set_gradient_clip(1);
  loop.set_checkpoint_every(500);
  loop.set_report_every(50);
  return loop;
}

}  // namespace

RouterConfig RouterOf(const v1::PretrainPolicy& settings) {
  if (settings.router().experts() == 0) return {};
  return {.top_k = true,
          .experts = settings.router().experts(),
          .experts_per_token = settings.router().experts_per_token()};
}

template <>
v1::PretrainAutoencoder DefaultSettings() {
  v1::PretrainAutoencoder settings;
  settings.set_seed(1);
  settings.set_threads(1);
  settings.set_batch(24);
  settings.set_kl_weight(1e-2);
  settings.set_object_weight(4);
  *settings.mutable_train() = DefaultLoop(1800, 0.995, 2e-3, 1e-4, 100);
  return settings;
}

template <>
v1::PretrainReferee DefaultSettings() {
  v1::PretrainReferee settings;
  settings.set_seed(1);
  settings.set_threads(1);
  settings.set_batch(32);
  *settings.mutable_train() = DefaultLoop(5000, 0.998, 2e-3, 1e-4, 100);
  return settings;
}

template <>
v1::PretrainPolicy DefaultSettings() {
  v1::PretrainPolicy settings;
  settings.set_seed(1);
  settings.set_threads(1);
  settings.set_batch(128);
  settings.set_cached_pairs(30000);
  settings.set_caption_dropout(0.1);
  settings.set_flow_weight(1);
  settings.set_text_weight(0.5);
  v1::PretrainKindWeights& kinds = *settings.mutable_kind_weights();
  kinds.set_single(0.6);
  kinds.set_two(1.2);
  kinds.set_counting(1.0);
  kinds.set_colors(0.9);
  kinds.set_position(1.4);
  kinds.set_attribution(1.6);
  const UnderstandingData defaults;
  v1::PretrainUnderstanding& understanding = *settings.mutable_understanding();
  understanding.set_batch(static_cast<int32_t>(defaults.batch));
  understanding.set_questions_per_image(defaults.questions_per_image);
  understanding.set_caption_share(defaults.caption_share);
  understanding.set_habitual_answers(defaults.habitual_answers);
  settings.mutable_router()->set_experts_per_token(2);
  settings.mutable_representation_alignment()->set_after_layers(2);
  settings.set_score_prompts_per_kind(20);
  *settings.mutable_train() = DefaultLoop(4200, 0.999, 1.5e-3, 1e-2, 200);
  return settings;
}

template <>
v1::PretrainPrompts DefaultSettings() {
  const shapes::PromptFileOptions defaults;
  v1::PretrainPrompts settings;
  settings.set_seed(defaults.seed);
  settings.set_train_images_per_kind(defaults.train_images_per_kind);
  settings.set_heldout_images_per_kind(defaults.heldout_images_per_kind);
  settings.set_train_questions(defaults.train_questions);
  settings.set_heldout_questions(defaults.heldout_questions);
  return settings;
}

template <typename Settings>
absl::StatusOr<Settings> LoadSettings(const std::string& path, const std::vector<ConfigOverride>& overrides) {
  absl::StatusOr<std::string> text = std::string();
  if (!path.empty()) text = ReadFile(path);
  if (!text.ok()) {
    return absl::InvalidArgumentError(absl::StrCat("no configuration: ", text.status().message()));
  }
  Settings settings = DefaultSettings<Settings>();
  const auto origins = FillConfig(
      *text, path.empty() ? "settings" : path, overrides, [&] { return Validate(settings); }, settings);
  if (!origins.ok()) return origins.status();
  return settings;
}

template absl::StatusOr<v1::PretrainAutoencoder> LoadSettings(const std::string&,
                                                              const std::vector<ConfigOverride>&);
template absl::StatusOr<v1::PretrainReferee> LoadSettings(const std::string&,
                                                          const std::vector<ConfigOverride>&);
template absl::StatusOr<v1::PretrainPolicy> LoadSettings(const std::string&,
                                                         const std::vector<ConfigOverride>&);
template absl::StatusOr<v1::PretrainPrompts> LoadSettings(const std::string&,
                                                          const std::vector<ConfigOverride>&);

std::map<std::string, std::string> FlatSettings(const Message& settings) {
  std::map<std::string, std::string> flat;
  Flatten(settings, "", flat);
  return flat;
}

std::map<std::string, std::string> DecidingSettings(const Message& settings) {
  std::map<std::string, std::string> deciding = FlatSettings(settings);
  for (const char* path : kUndeciding) deciding.erase(path);
  return deciding;
}

}  // namespace lvrpo
