#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "data/image/image.h"
#include "data/tokenizer/tokenizer.h"
#include "model/siglip.h"
#include "reward_server/scorers/image_processor.h"

namespace lvrpo {

// Patches of one image, row by row.
struct ImageGrid {
  int rows = 0, columns = 0;
  int64_t patches() const { return int64_t{rows} * columns; }
};

// Preprocessed images for a SigLIP 2.
struct RefereeInput {
  torch::Tensor pixels;          // fixed resolution: [B, 3, S, S]; NaFlex: patches [B, N, 3 p p]
  torch::Tensor mask, shapes;    // NaFlex: [B, N], [B, 2]
  std::vector<ImageGrid> grids;  // of each image

  // Concatenates the images of several prompts along the batch dimension.
  static RefereeInput Concat(const std::vector<RefereeInput>& inputs);
};

// A frozen SigLIP 2 with its preprocessing for images of any size: a fixed-resolution model resizes as its
// processor does; NaFlex nearly keeps the aspect ratio, with at most `max_patches` patches. Immutable;
// thread-safe.
class RefereeView {
 public:
  RefereeView(Siglip model, const ImageProcessor& processor, int max_patches)
      : model_(std::move(model)), processor_(processor), max_patches_(max_patches) {}
  // From a published folder, with its image processor's settings when they are there.
  static absl::StatusOr<RefereeView> Load(const std::string& folder, int max_patches,
                                          torch::Device device = torch::kCPU);

  absl::StatusOr<RefereeInput> Read(const std::vector<RgbImage>& images) const;
  // Tokens after post_layernorm, [B, N, D]; for NaFlex, tokens beyond an image's grid are padding.
  torch::Tensor Tokens(const RefereeInput& input) const;
  // The pooled unit vectors of whole images, [B, P].
  torch::Tensor Pooled(const RefereeInput& input) const;

  const Siglip& model() const { return model_; }
  // Covers weights, settings and preprocessing.
  std::string Digest() const;

 private:
  Siglip model_;
  ImageProcessor processor_;
  int max_patches_;
};

// Unit text vectors of a SigLIP 2, cached. Called by one thread at a time.
class TextVectors {
 public:
  TextVectors(Siglip model, std::unique_ptr<Tokenizer> tokenizer)
      : model_(std::move(model)), tokenizer_(std::move(tokenizer)) {}

  // [P]. Truncated or padded to the model's length. InvalidArgument for text that the tokenizer cannot
  // encode.
  absl::StatusOr<torch::Tensor> Of(const std::string& text);

 private:
  const Siglip model_;
  const std::unique_ptr<Tokenizer> tokenizer_;
  absl::flat_hash_map<std::string, torch::Tensor> known_;
};

}  // namespace lvrpo
