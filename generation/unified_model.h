#pragma once

#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "data/image/image.h"
#include "data/tokenizer/tokenizer.h"
#include "model/autoencoder.h"
#include "model/bagel.h"

namespace lvrpo {

// A loaded model folder: model, tokenizer and image encoders. Immutable; thread-safe.
struct UnifiedModel {
  Bagel bagel;
  std::optional<Autoencoder> autoencoder;  // none when not asked for: images are input only
  std::unique_ptr<Tokenizer> tokenizer;

  // Pixels per latent token and side.
  int64_t stride() const { return bagel.config().latent_stride(); }
  // Pixels of the largest image it can generate, per side.
  int64_t max_side() const { return bagel.config().longest_image_side(); }

  // Each appends a segment to a context of batch 1. InvalidArgument when the context would become longer than
  // the model's positions, or the text cannot be encoded.
  absl::Status AppendText(KvCache& context, absl::string_view text) const;
  absl::Status AppendTokens(KvCache& context, const std::vector<int32_t>& ids) const;  // without bos and eos
  // Through the ViT, resized by BAGEL's rules within the model's position table.
  absl::Status AppendImage(KvCache& context, const RgbImage& image) const;
  // Needs the autoencoder. As clean latents (t = 0) of its mean; `size` gets the size in pixels after
  // resizing.
  absl::Status AppendLatents(KvCache& context, const RgbImage& image, ImageSize& size) const;
  // Room for `tokens` more in a context.
  absl::Status CheckRoom(const KvCache& context, int64_t tokens) const;
};

// Weights as `dtype` on `device`; the autoencoder's are fp32. Errors name the file.
absl::StatusOr<UnifiedModel> LoadUnifiedModel(const std::string& folder, torch::Dtype dtype,
                                              torch::Device device, bool with_autoencoder);

}  // namespace lvrpo
