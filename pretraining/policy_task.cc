#include "pretraining/policy_task.h"

#include <ATen/CPUGeneratorImpl.h>

#include <cmath>
#include <cstdio>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/files/file.h"
#include "common/files/filesystem.h"
#include "common/hash.h"
#include "common/json/json_text.h"
#include "data/prompts/prompts.h"
#include "model/expert_seed.h"
#include "model/siglip.h"
#include "pretraining/autoencoder_task.h"
#include "pretraining/policy_data.h"
#include "pretraining/policy_score.h"
#include "pretraining/representation_alignment.h"
#include "pretraining/settings.h"
#include "pretraining/trainer.h"
#include "shapes_world/words.h"

namespace lvrpo {
namespace {

constexpr int64_t kVitSide = 8;      // patches of 8 pixels on 64
constexpr size_t kShownDigest = 16;  // hex digits

// The referee's vision tower under the names of BAGEL's: convolution -> matrix on patches with channels last.
void CopyTower(const Siglip& referee, TensorMap* tensors) {
  const std::string from = "vision_model.", to = "vit_model.vision_model.";
  for (const auto& [name, tensor] : referee.tensors()) {
    const auto target = tensors->find(to + name.substr(std::min(name.size(), from.size())));
    if (name.rfind(from, 0) != 0 || target == tensors->end()) continue;
    torch::Tensor value = tensor.detach();
    if (value.dim() == 4) value = value.permute({0, 2, 3, 1}).reshape({value.size(0), -1});
    target->second = value.contiguous().clone();
  }
}

torch::Generator GeneratorFor(uint64_t seed, int64_t iteration) {
  return torch::make_generator<torch::CPUGeneratorImpl>(StreamSeed(seed, static_cast<uint64_t>(iteration)));
}

// Everything but the frozen tower and the constant position tables.
TensorMap Trainable(const TensorMap& tensors) {
  TensorMap trainable;
  for (const auto& [name, tensor] : tensors) {
    if (!MatchesPatterns(name, {"vit_model.", "pos_embed.pos_embed"})) trainable[name] = tensor;
  }
  return trainable;
}

absl::Status WriteFolder(const v1::PretrainPolicy& task, const BagelConfig& config, TensorMap tensors,
                         const TensorMap& averaged) {
  for (const auto& [name, tensor] : averaged) tensors[name] = tensor;
  if (absl::Status status = SaveTensors(JoinPath(task.out(), "ema.safetensors"), tensors, torch::kBFloat16);
      !status.ok()) {
    return status;
  }
  if (absl::Status status = SaveBagelConfig(config, task.out()); !status.ok()) return status;
  if (absl::Status status =
          CopyFile(JoinPath(task.autoencoder(), "ae.safetensors"), JoinPath(task.out(), "ae.safetensors"));
      !status.ok()) {
    return status;
  }
  return WriteWordTokenizer(JoinPath(task.out(), "tokenizer.json"), shapes::AllWords());
}

}  // namespace

torch::Tensor DrawTimes(uint64_t seed, int64_t iteration, int64_t batch) {
  torch::Generator generator = GeneratorFor(seed ^ 0x71e5, iteration);
  const torch::Tensor choice = torch::rand({batch}, generator);
  const torch::Tensor uniform = torch::rand({batch}, generator);
  const torch::Tensor normal = torch::sigmoid(torch::randn({batch}, generator));
  const torch::Tensor shift =
      torch::where(choice < 0.45, torch::full({batch}, 6.0), torch::full({batch}, 2.0));
  const torch::Tensor shifted = shift * normal / (1 + (shift - 1) * normal);
  return torch::where((choice >= 0.45).logical_and(choice < 0.57), uniform, shifted);
}

BagelConfig ShapesPolicyConfig(const Tokenizer& tokenizer, const AutoencoderConfig& autoencoder) {
  BagelConfig config;
  config.hidden = 128;
  config.mlp = 384;
  config.layers = 4;
  config.heads = 4;
  config.kv_heads = 2;
  config.vocabulary = tokenizer.vocabulary_size();
  config.rope_theta = 10000;
  config.vit_hidden = 64;
  config.vit_mlp = 256;
  config.vit_layers = 3;
  config.vit_heads = 4;
  config.vit_patch = 8;
  config.vit_max_side = kVitSide;
  config.latent_patch = 2;
  config.max_latent_side = 4;
  config.autoencoder = autoencoder;
  config.bos = tokenizer.bos();
  config.eos = tokenizer.eos();
  config.start_of_image = tokenizer.start_of_image();
  config.end_of_image = tokenizer.end_of_image();
  return config;
}

absl::Status TrainPolicy(const v1::PretrainPolicy& task, bool resume) {
  if (absl::Status status = MakeFolder(task.out()); !status.ok()) return status;
  const auto tokenizer = MakeWordTokenizer(shapes::AllWords());
  auto autoencoder = LoadShapesAutoencoder(task.autoencoder());
  if (!autoencoder.ok()) return autoencoder.status();
  auto referee = Siglip::Load(task.referee());
  if (!referee.ok()) return referee.status();
  std::vector<v1::PromptRecord> heldout;
  if (task.score_prompts_per_kind() > 0) {
    auto records = ReadPromptFile(JoinPath(task.prompts(), "heldout_image.jsonl"));
    if (!records.ok()) return records.status();
    heldout = *std::move(records);
  }
  BagelConfig config = ShapesPolicyConfig(*tokenizer, autoencoder->config());
  const v1::RepresentationAlignment& alignment = task.representation_alignment();
  if (alignment.weight() > 0 && alignment.after_layers() > config.layers) {
    return absl::InvalidArgumentError(absl::StrCat("representation_alignment.after_layers is ",
                                                   alignment.after_layers(), "; the policy has ",
                                                   config.layers, " layers"));
  }
  TensorMap tensors = Bagel::RandomInit(config, task.seed());
  config.router = RouterOf(task);
  tensors["llm2vae.weight"].normal_(0, 0.02, torch::make_generator<torch::CPUGeneratorImpl>(task.seed()));
  CopyTower(*referee, &tensors);
  if (!task.start().empty()) {
    auto loaded = LoadTensors(task.start());
    if (!loaded.ok()) return loaded.status();
    tensors = *std::move(loaded);
  }
  if (config.router.top_k && !tensors.contains("language_model.model.layers.0.mlp.gate.weight"))
    tensors = SeedExperts(config, std::move(tensors), task.seed());
  auto model = Bagel::Create(config, tensors, "the policy");
  if (!model.ok()) return model.status();
  TrainerOptions options = TrainerOptionsFor(task, resume);
  // Earlier results decide the numbers too: the initial weights contain the referee's tower and `start`.
  options.settings["first weights"] = DigestOf(tensors).substr(0, kShownDigest);
  options.settings["autoencoder"] =
      Sha256Hex(DigestOf(autoencoder->tensors()) + JsonText(autoencoder->config().ToJson()))
          .substr(0, kShownDigest);
  TensorMap trainable = Trainable(tensors), head;
  if (alignment.weight() > 0) {
    head = InitAlignmentHead(config.hidden, referee->config().vision.width, task.seed());
    trainable.insert(head.begin(), head.end());
  }
  auto trainer = Trainer::Create("policy", std::move(trainable), std::move(options));
  if (!trainer.ok()) return trainer.status();

  const v1::PretrainKindWeights& kinds = task.kind_weights();
  const shapes::TrainingPairs pairs(task.seed(), {kinds.single(), kinds.two(), kinds.counting(),
                                                  kinds.colors(), kinds.position(), kinds.attribution()});
  const LatentCache cache(pairs, task.cached_pairs(), *autoencoder, *tokenizer, config.latent_patch);
  const UnderstandingData understanding = {.batch = task.understanding().batch(),
                                           .questions_per_image = task.understanding().questions_per_image(),
                                           .caption_share = task.understanding().caption_share(),
                                           .habitual_answers = task.understanding().habitual_answers()};
  const int64_t side = shapes::kImageSize / config.latent_stride();

  // The flow loss, and the alignment's where it is asked for.
  struct ImageLosses {
    torch::Tensor flow, alignment;
  };
  const auto image_losses = [&](int64_t iteration) -> ImageLosses {
    Random random(StreamSeed(task.seed() ^ 0xf10, static_cast<uint64_t>(iteration)));
    torch::Generator generator = GeneratorFor(task.seed() ^ 0x4015e, iteration);
    std::vector<std::vector<int64_t>> captions;
    torch::Tensor chosen = torch::empty({task.batch()}, torch::kInt64);
    std::vector<RgbImage> images;
    for (int64_t i = 0; i < task.batch(); ++i) {
      const int64_t pick = random.Below(static_cast<int>(cache.size()));
      chosen[i] = pick;
      if (alignment.weight() > 0) images.push_back(Render(pairs.Get(static_cast<uint64_t>(pick)).scene));
      const CaptionChoice choice =
          ChooseCaption(random, pick, cache.size(), task.caption_dropout(), task.wrong_captions());
      captions.push_back(choice.pair < 0 ? std::vector<int64_t>() : cache.caption(choice.pair, choice.full));
    }
    const PaddedText text = Pad(captions);
    const torch::Tensor x0 = cache.tokens().index_select(0, chosen);
    const torch::Tensor noise = torch::randn(x0.sizes().vec(), generator);
    const torch::Tensor t = DrawTimes(task.seed(), iteration, task.batch());
    const torch::Tensor wide = t.view({-1, 1, 1});
    const torch::Tensor x_t = (1 - wide) * x0 + wide * noise;
    const Bagel::TextToImage out = model->ForwardTextToImage(
        text.ids, text.lengths, x_t, t, side, side, alignment.weight() > 0 ? alignment.after_layers() : 0);
    ImageLosses losses = {(out.velocity - (noise - x0)).square().mean(), {}};
    if (alignment.weight() > 0)
      losses.alignment = AlignmentLoss(head, out.tapped, AlignmentTargets(*referee, images, side, side));
    return losses;
  };
  const auto language_loss = [&](int64_t iteration) {
    const UnderstandingBatch batch =
        MakeUnderstandingBatch(task.seed() ^ 0x0de5, iteration, understanding, *tokenizer);
    const torch::Tensor hidden = model->ForwardUnderstanding(batch.pixels, batch.text);
    // Only the positions that count reach the output layer.
    const torch::Tensor flat = batch.targets.flatten();
    const torch::Tensor used = flat.ne(-100).nonzero().squeeze(1);
    const torch::Tensor logits = model->Logits(hidden.flatten(0, 1).index_select(0, used));
    return torch::nn::functional::cross_entropy(logits, flat.index_select(0, used));
  };
  // Means since the last progress line.
  std::map<std::string, std::pair<double, int>> figures;
  const auto note = [&](const char* name, double value) {
    figures[name].first += value;
    ++figures[name].second;
  };
  const auto loss = [&](int64_t iteration, std::string* line) {
    const ExpertLoad load;
    const ImageLosses images = image_losses(iteration);
    torch::Tensor total = task.flow_weight() * images.flow;
    note("flow", images.flow.item<double>());
    if (images.alignment.defined()) {
      total = total + alignment.weight() * images.alignment;
      note("alignment", images.alignment.item<double>());
    }
    if (understanding.batch > 0) {
      const torch::Tensor language = language_loss(iteration);
      note("text", language.item<double>());
      total = total + task.text_weight() * language;
    }
    if (config.router.top_k) {
      note("experts used by latents", load.EffectiveExperts(TokenKind::kLatent));
      note("by the rest", load.EffectiveExperts(TokenKind::kUnderstanding));
    }
    if ((iteration + 1) % task.train().report_every() == 0) {
      for (const auto& [name, sum] : figures)
        absl::StrAppendFormat(line, "%s%s %.4f", line->empty() ? "" : ", ", name, sum.first / sum.second);
      figures.clear();
    }
    return total;
  };
  // Without the alignment's projection, which only training needs.
  const auto policy_weights = [&]() {
    TensorMap weights = trainer->averaged();
    for (const auto& [name, tensor] : head) weights.erase(name);
    return weights;
  };
  const auto averaged_model = [&]() {
    TensorMap all = tensors;
    for (const auto& [name, tensor] : policy_weights()) all[name] = tensor.detach();
    return Bagel::Create(config, all, "the averaged policy");
  };
  const auto report = [&](int64_t iteration) {
    if (task.score_prompts_per_kind() == 0) return;
    const auto averaged = averaged_model();
    const std::string grid = JoinPath(task.out(), "samples.png");
    std::printf("  images: %s\n", FormatScores(ScorePolicy(*averaged, *autoencoder, *tokenizer, heldout,
                                                           task.score_prompts_per_kind(), 1.0, grid))
                                      .c_str());
    std::printf("  guided: %s\n", FormatScores(ScorePolicy(*averaged, *autoencoder, *tokenizer, heldout,
                                                           task.score_prompts_per_kind(), 2.5, ""))
                                      .c_str());
    std::printf("  answers: %s\n",
                FormatScores(ScoreAnswers(*averaged, *tokenizer, 200, task.seed() ^ 0xa45)).c_str());
    std::fflush(stdout);
    const absl::Status status = WriteFolder(task, config, tensors, policy_weights());
    if (!status.ok()) std::fprintf(stderr, "policy: %s\n", std::string(status.message()).c_str());
  };
  if (absl::Status status = trainer->Run(loss, report); !status.ok()) return status;
  return WriteFolder(task, config, tensors, policy_weights());
}

}  // namespace lvrpo
