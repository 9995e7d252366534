#include "pretraining/representation_alignment.h"

#include "model/autoencoder.h"
#include "model/weights/linear_layer.h"
#include "model/weights/random_init.h"

namespace lvrpo {
namespace {

constexpr char kIn[] = "representation_alignment.in", kOut[] = "representation_alignment.out";

}  // namespace

torch::Tensor AlignmentTargets(const Siglip& referee, const std::vector<RgbImage>& images, int64_t grid_h,
                               int64_t grid_w) {
  const torch::NoGradGuard no_grad;
  const int64_t side = referee.config().grid();
  const torch::Tensor tokens = referee.VisionTokens(FromRgbImages(images));  // [B, side * side, D]
  const torch::Tensor grid = tokens.transpose(1, 2).reshape({tokens.size(0), tokens.size(2), side, side});
  return torch::adaptive_avg_pool2d(grid, {grid_h, grid_w}).flatten(2).transpose(1, 2).contiguous();
}

TensorMap InitAlignmentHead(int64_t from, int64_t to, uint64_t seed) {
  const std::string in = kIn, out = kOut;
  return InitByFanIn({{in + ".weight", {from, from}},
                      {in + ".bias", {from}},
                      {out + ".weight", {to, from}},
                      {out + ".bias", {to}}},
                     seed);
}

torch::Tensor AlignmentLoss(const TensorMap& tensors, const torch::Tensor& hidden,
                            const torch::Tensor& targets) {
  const torch::Tensor projected =
      LinearLayer(tensors, {kOut})(torch::silu(LinearLayer(tensors, {kIn})(hidden)));
  return torch::mse_loss(projected, targets);
}

}  // namespace lvrpo
