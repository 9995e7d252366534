// Bagel's batched forwards for training: no cache, masks made from each sample's own length.

#include "model/bagel.h"

namespace lvrpo {

Bagel::TextToImage Bagel::ForwardTextToImage(const torch::Tensor& captions, const torch::Tensor& lengths,
                                             const torch::Tensor& x_t, const torch::Tensor& t, int64_t grid_h,
                                             int64_t grid_w, int64_t tap_layer) const {
  const int64_t batch = captions.size(0), text = captions.size(1), image = x_t.size(1) + 2,
                all = text + image;
  // Order: text, start and end of image, latents. The image takes the position after the sample's own text.
  const torch::Tensor place = torch::arange(text, lengths.options()).unsqueeze(0);
  const torch::Tensor positions =
      torch::cat({place.expand({batch, text}), lengths.unsqueeze(1).expand({batch, image})}, 1);
  const torch::Tensor in_text = place < lengths.unsqueeze(1);  // [B, text]
  torch::Tensor mask = in_text.new_zeros({batch, all, all});
  // Text is causal. The diagonal keeps rows of padding, which are never read, from being masked entirely.
  mask.narrow(1, 0, text)
      .narrow(2, 0, text)
      .copy_(in_text.new_ones({text, text})
                 .tril()
                 .unsqueeze(0)
                 .logical_and(in_text.unsqueeze(1))
                 .logical_or(torch::eye(text, in_text.options())));
  mask.narrow(1, text, image).narrow(2, 0, text).copy_(in_text.unsqueeze(1).expand({batch, image, text}));
  mask.narrow(1, text, image).narrow(2, text, image).fill_(true);
  const Segment segment = {nullptr, batch, mask};
  Decoder::Tap tap = {.after_layers = tap_layer, .hidden = {}};
  const Streams out = decoder_.Run({.und = torch::cat({EmbedTokens(captions), StartAndEnd(batch)}, 1),
                                    .gen = EmbedLatents(x_t, t, LatentPositions(grid_h, grid_w))},
                                   positions, {&segment, 1}, nullptr, &tap);
  return {OutputVelocity(out.gen), out.und.narrow(1, 0, text), tap.hidden.gen};
}

torch::Tensor Bagel::ForwardUnderstanding(const torch::Tensor& pixels, const torch::Tensor& text) const {
  const int64_t batch = pixels.size(0), p = config_.vit_patch, length = text.size(1);
  const torch::Tensor places = VitPositions(pixels.size(2) / p, pixels.size(3) / p);
  const torch::Tensor ends = StartAndEnd(batch);
  const torch::Tensor und = torch::cat(
      {ends.narrow(1, 0, 1), EmbedImage(VitTokens(pixels), places), ends.narrow(1, 1, 1), EmbedTokens(text)},
      1);
  const int64_t image = und.size(1) - length, all = und.size(1);
  const torch::Tensor positions =
      torch::cat({places.new_zeros({image}), 1 + torch::arange(length, places.options())}).unsqueeze(0);
  torch::Tensor mask = torch::ones({all, all}, places.options().dtype(torch::kBool)).tril();
  mask.narrow(0, 0, image).narrow(1, 0, image).fill_(true);
  const Segment segment = {nullptr, batch, mask.unsqueeze(0)};
  const Streams out = decoder_.Run({.und = und, .gen = {}}, positions, {&segment, 1}, nullptr);
  return out.und.narrow(1, image, length);
}

torch::Tensor Bagel::ForwardPacked(const Packed& in) const {
  const int64_t total = in.positions.size(0);
  // Understanding tokens followed by latents: the two streams of Run.
  std::vector<torch::Tensor> embeddings, indexes;
  if (in.text_ids.defined()) {
    embeddings.push_back(EmbedTokens(in.text_ids));
    indexes.push_back(in.text_indexes);
  }
  if (in.vit_patches.defined()) {
    std::vector<torch::Tensor> images;
    int64_t begin = 0;
    for (const int64_t length : in.vit_lengths) {
      const torch::Tensor places = in.vit_positions.narrow(0, begin, length);
      images.push_back(
          EmbedImage(EncodePatches(in.vit_patches.narrow(0, begin, length).unsqueeze(0), places), places)
              .squeeze(0));
      begin += length;
    }
    embeddings.push_back(torch::cat(images));
    indexes.push_back(in.vit_indexes);
  }
  Streams x;
  if (!embeddings.empty()) x.und = torch::cat(embeddings).unsqueeze(0);
  if (in.latents.defined()) {
    x.gen = EmbedLatents(in.latents, in.latent_times, in.latent_positions).unsqueeze(0);
    indexes.push_back(in.latent_indexes);
  }
  const torch::Tensor order = torch::cat(indexes);
  const Segment segment = {nullptr, 1, in.allowed.index_select(0, order).index_select(1, order).unsqueeze(0)};
  const Streams out =
      decoder_.Run(x, in.positions.index_select(0, order).unsqueeze(0), {&segment, 1}, nullptr);
  std::vector<torch::Tensor> parts;
  for (const torch::Tensor& part : {out.und, out.gen}) {
    if (part.defined()) parts.push_back(part.squeeze(0));
  }
  const torch::Tensor hidden = torch::cat(parts);
  return hidden.new_zeros({total, config_.hidden}).index_copy(0, order, hidden);
}

}  // namespace lvrpo
