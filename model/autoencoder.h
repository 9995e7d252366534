#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "data/image/image.h"
#include "model/weights/weights.h"
#include "nlohmann/json.hpp"

namespace lvrpo {

// Parameters of a FLUX-style autoencoder (ByteDance-Seed/Bagel:modeling/autoencoder.py). Keys of the same
// names are read from a JSON object; `norm_groups` is ours (published autoencoders always have 32).
struct AutoencoderConfig {
  int64_t ch = 128;
  std::vector<int64_t> ch_mult = {1, 2, 4, 4};
  int64_t num_res_blocks = 2;
  int64_t z_channels = 16;
  double scale_factor = 0.3611;
  double shift_factor = 0.1159;
  int64_t norm_groups = 32;

  int64_t downsample() const { return int64_t{1} << (ch_mult.size() - 1); }
  static absl::StatusOr<AutoencoderConfig> FromJson(const nlohmann::json& json, const std::string& source);
  nlohmann::json ToJson() const;
};

// Functional over named tensors (names of the published ae.safetensors), so that gradients reach whichever of
// them require grad. Copies share the tensors. Thread-safe while nobody changes the tensors.
class Autoencoder {
 public:
  // DataLoss when the tensors do not fit the configuration.
  static absl::StatusOr<Autoencoder> Create(AutoencoderConfig config, TensorMap tensors,
                                            const std::string& source);
  static ShapeMap ExpectedTensors(const AutoencoderConfig& config);
  static TensorMap RandomInit(const AutoencoderConfig& config, uint64_t seed);

  struct Moments {
    torch::Tensor mean, logvar;  // [B, z, h, w], the two halves of the encoder's output
  };
  Moments Encode(
      const torch::Tensor& image) const;  // [B, 3, H, W] in [-1, 1]; H and W multiples of downsample
  // scale * (x - shift): the policy's latent.
  torch::Tensor Normalize(const torch::Tensor& raw) const;
  torch::Tensor Decode(
      const torch::Tensor& latent) const;  // normalised [B, z, h, w] -> [B, 3, H, W], may leave [-1, 1]

  const AutoencoderConfig& config() const { return config_; }
  const TensorMap& tensors() const { return tensors_; }

 private:
  Autoencoder(AutoencoderConfig config, TensorMap tensors)
      : config_(std::move(config)), tensors_(std::move(tensors)) {}
  const torch::Tensor& T(const std::string& name) const { return tensors_.at(name); }
  torch::Tensor Conv(const torch::Tensor& x, const std::string& name, int64_t padding,
                     int64_t stride = 1) const;
  torch::Tensor Norm(const torch::Tensor& x, const std::string& name) const;
  torch::Tensor ResBlock(const torch::Tensor& x, const std::string& name) const;
  torch::Tensor Attention(const torch::Tensor& x, const std::string& name) const;

  AutoencoderConfig config_;
  TensorMap tensors_;
};

// Latent [B, C, h*p, w*p] <-> tokens [B, h*w, p*p*C], in (row, column, channel) order inside a token.
torch::Tensor Patchify(const torch::Tensor& latent, int64_t p);
torch::Tensor Unpatchify(const torch::Tensor& tokens, int64_t p, int64_t grid_h, int64_t grid_w);

// [B, 3, H, W] -> [B, H, W, 3] uint8: trunc(clamp(x / 2 + 1/2, 0, 1) * 255), as the reference application
// does.
torch::Tensor ToUint8(const torch::Tensor& image);
std::vector<RgbImage> ToRgbImages(const torch::Tensor& image);
// [H, W, 3] uint8 images of one size, 1 or more -> [B, 3, H, W] in [-1, 1]; throws c10::Error for others.
torch::Tensor FromRgbImages(const std::vector<RgbImage>& images);

}  // namespace lvrpo
