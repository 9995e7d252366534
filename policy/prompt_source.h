#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "data/image/image.h"
#include "data/prompts/prompt_order.h"
#include "data/tokenizer/tokenizer.h"
#include "model/bagel_config.h"
#include "model/latent_grid.h"
#include "proto/lvrpo/v1/config.pb.h"
#include "proto/lvrpo/v1/prompt.pb.h"

namespace lvrpo {

// The prompts of a run by group ordinal: files read and checked once, source images with them. Immutable.
class PromptSource {
 public:
  struct Prompt {
    v1::PromptRecord record;
    std::vector<int32_t> ids;  // of record.text
    RgbImage source_image;     // TEXT
    LatentGrid grid;           // IMAGE: of the images that are sampled
  };
  // Errors name the file and every line of it that is wrong: a bad record, one that the run's rewards can
  // never score, a word that the tokenizer lacks, a source image that cannot be read or whose size the model
  // cannot take, an image size that it cannot paint.
  static absl::StatusOr<PromptSource> Load(const v1::RunConfig& config, const Tokenizer& tokenizer,
                                           const BagelConfig& model);

  const Prompt& At(int64_t ordinal) const;
  // SHA-256 of every record and source image, in order.
  std::string Digest() const;
  const std::vector<Prompt>& images() const { return images_; }
  const std::vector<Prompt>& texts() const { return texts_; }
  // Latent tokens of the largest image that is sampled; 0 without image prompts.
  int64_t MostLatentTokens() const;

 private:
  PromptSource(std::vector<Prompt> images, std::vector<Prompt> texts, PromptOrder order)
      : images_(std::move(images)), texts_(std::move(texts)), order_(order) {}
  std::vector<Prompt> images_, texts_;
  PromptOrder order_;
};

}  // namespace lvrpo
