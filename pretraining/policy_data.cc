#include "pretraining/policy_data.h"

#include <cstdio>

namespace lvrpo {
namespace {

constexpr int64_t kEncodeBatch = 64;
constexpr int64_t kIgnore = -100;
constexpr double kFullCaptions = 0.4;  // share of captions that name every object with its colour

std::vector<int64_t> Wrap(const Tokenizer& tokenizer, const std::string& text) {
  std::vector<int64_t> ids = {tokenizer.bos()};
  const std::vector<int64_t> words = EncodeKnown(tokenizer, text);
  ids.insert(ids.end(), words.begin(), words.end());
  ids.push_back(tokenizer.eos());
  return ids;
}

}  // namespace

LatentCache::LatentCache(const shapes::TrainingPairs& pairs, int64_t count, const Autoencoder& autoencoder,
                         const Tokenizer& tokenizer, int64_t latent_patch) {
  torch::NoGradGuard no_grad;
  std::vector<torch::Tensor> chunks;
  for (int64_t begin = 0; begin < count; begin += kEncodeBatch) {
    std::vector<RgbImage> images;
    for (int64_t i = begin; i < std::min(begin + kEncodeBatch, count); ++i) {
      const shapes::TrainingPair pair = pairs.Get(static_cast<uint64_t>(i));
      images.push_back(Render(pair.scene));
      prompts_.push_back(Wrap(tokenizer, pair.prompt));
      full_.push_back(Wrap(tokenizer, pair.full_caption));
    }
    chunks.push_back(
        Patchify(autoencoder.Normalize(autoencoder.Encode(FromRgbImages(images)).mean), latent_patch));
    if ((begin / kEncodeBatch) % 100 == 99) {
      std::printf("policy: encoded %ld of %ld images\n", static_cast<long>(begin + kEncodeBatch),
                  static_cast<long>(count));
      std::fflush(stdout);
    }
  }
  tokens_ = torch::cat(chunks);
}

CaptionChoice ChooseCaption(Random& random, int64_t pick, int64_t pairs, double dropout, double wrong) {
  if (random.Chance(dropout)) return {};
  CaptionChoice choice{.pair = pick, .full = random.Chance(kFullCaptions)};
  if (wrong > 0 && random.Chance(wrong)) choice.pair = random.Below(static_cast<int>(pairs));
  return choice;
}

std::string HabitualAnswer(const shapes::QuestionAnswer& question) {
  if (question.kind == "how_many") return "two";
  if (question.kind == "what_color") return "blue";
  if (question.kind == "what_shape" || question.kind == "which_cell") return "circle";
  return "yes";
}

UnderstandingBatch MakeUnderstandingBatch(uint64_t seed, int64_t iteration, const UnderstandingData& data,
                                          const Tokenizer& tokenizer) {
  std::vector<RgbImage> images;
  std::vector<std::vector<int64_t>> texts, targets;
  for (int64_t i = 0; i < data.batch; ++i) {
    Random random(StreamSeed(seed, static_cast<uint64_t>(iteration * data.batch + i)));
    const shapes::Scene scene = shapes::RandomScene(random);
    images.push_back(Render(scene));
    std::vector<int64_t> text, target;
    // Predicts the words and the eos of a segment, not its bos.
    const auto add = [&](const std::vector<int64_t>& segment, bool learn) {
      for (size_t k = 0; k < segment.size(); ++k) {
        text.push_back(segment[k]);
        target.push_back(learn && k + 1 < segment.size() ? segment[k + 1] : kIgnore);
      }
    };
    if (random.Chance(data.caption_share)) {
      add(Wrap(tokenizer, shapes::DenseCaption(scene)), true);
    } else {
      for (int k = 0; k < data.questions_per_image; ++k) {
        const shapes::QuestionAnswer question = shapes::AskAbout(scene, random);
        const bool habitual = random.Chance(data.habitual_answers);
        add(Wrap(tokenizer, question.question), false);
        add(Wrap(tokenizer, habitual ? HabitualAnswer(question) : question.answer), true);
      }
    }
    texts.push_back(std::move(text));
    targets.push_back(std::move(target));
  }
  return {FromRgbImages(images), Pad(texts).ids, Pad(targets, 0, kIgnore).ids};
}

}  // namespace lvrpo
