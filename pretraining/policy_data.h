#pragma once

#include <string>
#include <vector>

#include "common/random.h"
#include "data/tokenizer/tokenizer.h"
#include "model/autoencoder.h"
#include "pretraining/text_batch.h"
#include "shapes_world/captions.h"

namespace lvrpo {

// Training pairs with their latents encoded once: encoding is most of the cost of a text-to-image sample.
class LatentCache {
 public:
  // Encodes pairs 0 .. count - 1, with a progress line.
  LatentCache(const shapes::TrainingPairs& pairs, int64_t count, const Autoencoder& autoencoder,
              const Tokenizer& tokenizer, int64_t latent_patch);

  int64_t size() const { return tokens_.size(0); }
  const torch::Tensor& tokens() const { return tokens_; }  // [count, N, D], normalised mean latents
  // Caption of pair i with bos and eos: the prompt's wording, or the full caption.
  const std::vector<int64_t>& caption(int64_t i, bool full) const {
    return full ? full_[static_cast<size_t>(i)] : prompts_[static_cast<size_t>(i)];
  }

 private:
  torch::Tensor tokens_;
  std::vector<std::vector<int64_t>> prompts_, full_;
};

// The caption of a text-to-image sample.
struct CaptionChoice {
  int64_t pair = -1;  // the pair whose caption it is; -1: none
  bool full = false;  // its full caption instead of the prompt's wording
};
// For pair `pick` of `pairs`: no caption with probability `dropout`; otherwise the caption of any pair with
// probability `wrong`, as images of the web have captions of something else, and its own otherwise. A base
// trained on such captions follows them less strictly than it could, which reinforcement learning brings out.
CaptionChoice ChooseCaption(Random& random, int64_t pick, int64_t pairs, double dropout, double wrong);

// Data of the und expert.
struct UnderstandingData {
  int64_t batch = 24;           // images per iteration
  int questions_per_image = 3;  // asked one after another, where the image is not captioned
  double caption_share = 0.3;   // images with a dense caption instead of questions
  double habitual_answers = 0;  // share of answers replaced by HabitualAnswer
};

// One batch of understanding samples: images, text after the image, and which tokens are to be predicted.
struct UnderstandingBatch {
  torch::Tensor pixels;   // [B, 3, shapes::kImageSize, shapes::kImageSize]
  torch::Tensor text;     // int64 [B, L]: bos question eos bos answer eos ..., or bos caption eos
  torch::Tensor targets;  // int64 [B, L]: the next token where it counts, -100 elsewhere
};
UnderstandingBatch MakeUnderstandingBatch(uint64_t seed, int64_t iteration, const UnderstandingData& data,
                                          const Tokenizer& tokenizer);

// The answer that careless annotators give to a question of this kind: "yes", "two", "blue", "circle".
// Pre-training answers are noisy on purpose: the base then knows more than it says, which is what
// reinforcement learning on exact matches can bring out.
std::string HabitualAnswer(const shapes::QuestionAnswer& question);

}  // namespace lvrpo
