#include "pretraining/referee_task.h"

#include <cmath>
#include <cstdio>

#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "common/files/file.h"
#include "common/json/json_text.h"
#include "model/autoencoder.h"
#include "pretraining/settings.h"
#include "pretraining/text_batch.h"
#include "pretraining/trainer.h"
#include "shapes_world/captions.h"
#include "shapes_world/words.h"

namespace lvrpo {
namespace {

using shapes::kColorCount;
using shapes::kShapeCount;

constexpr int64_t kBackground = -1, kIgnored = -2;

// Every phrase a region can be asked about: shape and colour, shape alone, colour alone.
std::vector<std::string> AllPhrases() {
  std::vector<std::string> phrases;
  for (int shape = 0; shape < kShapeCount; ++shape) {
    for (int color = 0; color < kColorCount; ++color) phrases.push_back(shapes::Phrase(shape, color));
  }
  for (int shape = 0; shape < kShapeCount; ++shape) phrases.push_back(shapes::Phrase(shape, -1));
  for (int color = 0; color < kColorCount; ++color) phrases.push_back(shapes::Phrase(-1, color));
  return phrases;
}

// labels[object class] = which phrases are true of it; one more row of zeros for the background.
torch::Tensor PhraseLabels(int64_t phrases) {
  torch::Tensor labels = torch::zeros({kShapeCount * kColorCount + 1, phrases});
  for (int shape = 0; shape < kShapeCount; ++shape) {
    for (int color = 0; color < kColorCount; ++color) {
      const int64_t object = shape * kColorCount + color;
      labels[object][object] = 1;
      labels[object][kShapeCount * kColorCount + shape] = 1;
      labels[object][kShapeCount * kColorCount + kShapeCount + color] = 1;
    }
  }
  return labels;
}

// Object class of each patch, kBackground, or kIgnored on the rim.
void LabelPatches(const shapes::Scene& scene, int64_t patch, int64_t* labels) {
  const int64_t side = shapes::kImageSize / patch;
  for (int64_t i = 0; i < side * side; ++i) {
    const double x = (static_cast<double>(i % side) + 0.5) * static_cast<double>(patch);
    const double y = (static_cast<double>(i / side) + 0.5) * static_cast<double>(patch);
    labels[i] = kBackground;
    for (const shapes::Object& object : scene.objects) {
      const double distance = std::hypot(x - object.x, y - object.y);
      if (distance < object.radius * 0.9) {
        labels[i] = object.shape * kColorCount + object.color;
      } else if (distance < object.radius + static_cast<double>(patch) * 0.5) {
        labels[i] = kIgnored;
      }
    }
  }
}

std::string FullCaption(const shapes::Scene& scene) {
  std::vector<std::string> phrases;
  for (const shapes::Object& object : scene.objects)
    phrases.push_back(shapes::Phrase(object.shape, object.color));
  return absl::StrJoin(phrases, " and ");
}

// Area under the ROC curve by ranks.
double Auc(const torch::Tensor& positive, const torch::Tensor& negative) {
  const torch::Tensor wins = (positive.unsqueeze(1) > negative.unsqueeze(0)).to(torch::kFloat32) +
                             0.5 * (positive.unsqueeze(1) == negative.unsqueeze(0)).to(torch::kFloat32);
  return wins.mean().item<double>();
}

// How well the best patch of an image tells a true phrase from one with another shape or colour.
std::string ScoreRegions(const Siglip& model, const torch::Tensor& phrase_ids, uint64_t seed) {
  torch::NoGradGuard no_grad;
  const torch::Tensor phrases = UnitLength(model.Text(phrase_ids));
  Random random(seed);
  std::vector<RgbImage> images;
  std::vector<int64_t> truth, wrong_shape, wrong_color;
  while (images.size() < 256) {
    const shapes::Scene scene = shapes::RandomScene(random);
    const shapes::Object& object = scene.objects[0];
    const int shape = (object.shape + 1 + random.Below(kShapeCount - 1)) % kShapeCount;
    const int color = (object.color + 1 + random.Below(kColorCount - 1)) % kColorCount;
    bool clash = false;
    for (const shapes::Object& other : scene.objects) {
      clash |= (other.shape == shape && other.color == object.color) ||
               (other.shape == object.shape && other.color == color);
    }
    if (clash) continue;
    images.push_back(Render(scene));
    truth.push_back(object.shape * kColorCount + object.color);
    wrong_shape.push_back(shape * kColorCount + object.color);
    wrong_color.push_back(object.shape * kColorCount + color);
  }
  const torch::Tensor dense = UnitLength(model.DenseTokens(model.VisionTokens(FromRgbImages(images))));
  const torch::Tensor best = torch::matmul(dense, phrases.t()).amax(1);  // [B, K]
  const auto pick = [&](const std::vector<int64_t>& which) {
    return best.gather(1, torch::tensor(which).unsqueeze(1)).squeeze(1);
  };
  return absl::StrFormat("AUC of the best patch: shape %.3f, colour %.3f",
                         Auc(pick(truth), pick(wrong_shape)), Auc(pick(truth), pick(wrong_color)));
}

}  // namespace

SiglipConfig ShapesRefereeConfig(int64_t vocabulary) {
  SiglipConfig config;
  config.vision = {.width = 64, .layers = 3, .heads = 4, .mlp = 256};
  config.text = {.width = 64, .layers = 2, .heads = 4, .mlp = 128};
  config.image_size = shapes::kImageSize;
  config.patch_size = 8;
  config.vocabulary = vocabulary;
  config.text_length = 20;
  config.projection = 64;
  return config;
}

absl::Status TrainReferee(const v1::PretrainReferee& task, bool resume) {
  if (absl::Status status = MakeFolder(task.out()); !status.ok()) return status;
  const auto tokenizer = MakeWordTokenizer(shapes::AllWords());
  const SiglipConfig config = ShapesRefereeConfig(tokenizer->vocabulary_size());
  const TensorMap tensors = Siglip::RandomInit(config, task.seed());
  auto trainer = Trainer::Create("referee", tensors, TrainerOptionsFor(task, resume));
  if (!trainer.ok()) return trainer.status();
  auto model = Siglip::Create(config, tensors, "fresh referee");
  if (!model.ok()) return model.status();
  const torch::Tensor phrase_ids = RefereeText(*tokenizer, AllPhrases(), config.text_length);
  const torch::Tensor phrase_labels = PhraseLabels(phrase_ids.size(0));
  const int64_t patches = config.grid() * config.grid();

  const auto loss = [&](int64_t iteration, std::string* line) {
    std::vector<RgbImage> images;
    std::vector<std::string> captions;
    torch::Tensor labels = torch::empty({task.batch(), patches}, torch::kInt64);
    for (int64_t i = 0; i < task.batch(); ++i) {
      Random random(StreamSeed(task.seed(), static_cast<uint64_t>(iteration * task.batch() + i)));
      const shapes::Scene scene = shapes::RandomScene(random);
      images.push_back(Render(scene));
      captions.push_back(FullCaption(scene));
      LabelPatches(scene, config.patch_size, labels.data_ptr<int64_t>() + i * patches);
    }
    const torch::Tensor tokens = model->VisionTokens(FromRgbImages(images));
    const torch::Tensor scale = model->logit_scale(), bias = model->logit_bias();

    // Whole images against captions: -log sigmoid(z * logit), z = 1 on the diagonal, -1 elsewhere.
    const torch::Tensor image_vectors = UnitLength(model->Pool(tokens));
    const torch::Tensor text_vectors =
        UnitLength(model->Text(RefereeText(*tokenizer, captions, config.text_length)));
    const torch::Tensor logits = torch::matmul(image_vectors, text_vectors.t()) * scale + bias;
    const torch::Tensor sign = 2 * torch::eye(task.batch()) - 1;
    const torch::Tensor global = -torch::nn::functional::logsigmoid(sign * logits).sum(1).mean();

    // Patches against phrases.
    const torch::Tensor dense = UnitLength(model->DenseTokens(tokens)).flatten(0, 1);
    const torch::Tensor phrases = UnitLength(model->Text(phrase_ids));
    const torch::Tensor flat = labels.flatten();
    const torch::Tensor used = flat.ne(kIgnored).nonzero().squeeze(1);
    const torch::Tensor region_logits =
        torch::matmul(dense.index_select(0, used), phrases.t()) * scale + bias;
    const torch::Tensor known = flat.index_select(0, used);
    const torch::Tensor rows =
        torch::where(known.eq(kBackground), torch::full_like(known, kShapeCount * kColorCount), known);
    const torch::Tensor target = phrase_labels.index_select(0, rows);
    const torch::Tensor region = torch::binary_cross_entropy_with_logits(region_logits, target)
                                     .mul(static_cast<double>(phrase_ids.size(0)));
    if ((iteration + 1) % task.train().report_every() == 0) {
      *line = absl::StrFormat("image %.3f region %.3f", global.item<double>(), region.item<double>());
    }
    return 0.2 * global + region;
  };
  const auto report = [&](int64_t) {
    std::printf("  %s\n", ScoreRegions(*model, phrase_ids, task.seed() ^ 0x5c0e).c_str());
  };
  if (absl::Status status = trainer->Run(loss, report); !status.ok()) return status;
  auto averaged = Siglip::Create(config, CloneTensors(trainer->averaged()), "averaged referee");
  if (!averaged.ok()) return averaged.status();
  std::printf("referee: %s\n", ScoreRegions(*averaged, phrase_ids, task.seed() ^ 0xf17a1).c_str());
  if (absl::Status status =
          SaveTensors(JoinPath(task.out(), "model.safetensors"), averaged->tensors(), torch::kBFloat16);
      !status.ok()) {
    return status;
  }
  if (absl::Status status =
          WriteFileAtomic(JoinPath(task.out(), "config.json"), JsonText(config.ToJson(), 1) + "\n");
      !status.ok()) {
    return status;
  }
  return WriteWordTokenizer(JoinPath(task.out(), "tokenizer.json"), shapes::AllWords());
}

}  // namespace lvrpo
