#include "model/autoencoder.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "model/config/config_reader.h"
#include "model/weights/random_init.h"

namespace lvrpo {
namespace {

constexpr auto kLayout = torch::MemoryFormat::ChannelsLast;

void AddConv(ShapeMap& shapes, const std::string& name, int64_t in, int64_t out, int64_t kernel) {
  shapes[name + ".weight"] = {out, in, kernel, kernel};
  shapes[name + ".bias"] = {out};
}

void AddNorm(ShapeMap& shapes, const std::string& name, int64_t channels) {
  shapes[name + ".weight"] = {channels};
  shapes[name + ".bias"] = {channels};
}

void AddResBlock(ShapeMap& shapes, const std::string& name, int64_t in, int64_t out) {
  AddNorm(shapes, name + ".norm1", in);
  AddConv(shapes, name + ".conv1", in, out, 3);
  AddNorm(shapes, name + ".norm2", out);
  AddConv(shapes, name + ".conv2", out, out, 3);
  if (in != out) AddConv(shapes, name + ".nin_shortcut", in, out, 1);
}

void AddMid(ShapeMap& shapes, const std::string& name, int64_t channels) {
  AddResBlock(shapes, name + ".block_1", channels, channels);
  AddNorm(shapes, name + ".attn_1.norm", channels);
  for (const char* part : {"q", "k", "v", "proj_out"}) {
    AddConv(shapes, absl::StrCat(name, ".attn_1.", part), channels, channels, 1);
  }
  AddResBlock(shapes, name + ".block_2", channels, channels);
}

}  // namespace

absl::StatusOr<AutoencoderConfig> AutoencoderConfig::FromJson(const nlohmann::json& json,
                                                              const std::string& source) {
  const std::string where = source + ": autoencoder settings";
  if (!json.is_object()) return absl::InvalidArgumentError(where + " are not an object");
  AutoencoderConfig config;
  ConfigReader reader(json, where);
  reader.Integer("ch", config.ch);
  reader.Integer("num_res_blocks", config.num_res_blocks);
  reader.Integer("z_channels", config.z_channels);
  reader.Number("scale_factor", config.scale_factor);
  reader.Number("shift_factor", config.shift_factor);
  reader.Integer("norm_groups", config.norm_groups);
  reader.Exactly("in_channels", 3);
  reader.Exactly("out_ch", 3);
  reader.Harmless({"resolution"});  // the training images' size; nothing depends on it
  if (reader.Has("ch_mult")) {
    const nlohmann::json& factors = json["ch_mult"];
    config.ch_mult.clear();
    for (const nlohmann::json& factor : factors) {
      const bool sane = factors.is_array() && factors.size() <= 8 && factor.is_number_integer() &&
                        factor >= 1 && factor <= 64;
      if (!sane) {
        reader.Problem("ch_mult", "is not a list of 1 to 8 whole numbers from 1 to 64");
        break;
      }
      config.ch_mult.push_back(factor.get<int64_t>());
    }
  }
  reader.Harmless({"downsample"});  // read below
  reader.RefuseUnknown();
  if (absl::Status status = reader.status(); !status.ok()) return status;
  const bool sane = config.ch >= 1 && config.ch <= 4096 && config.norm_groups >= 1 &&
                    config.ch % config.norm_groups == 0 && !config.ch_mult.empty() &&
                    config.num_res_blocks >= 1 && config.num_res_blocks <= 64 && config.z_channels >= 1 &&
                    config.z_channels <= 4096 && config.scale_factor != 0;
  if (!sane) return absl::InvalidArgumentError(where + " out of range");
  // Published next to z_channels only; the other settings must agree with it.
  int64_t downsample = config.downsample();
  reader.Integer("downsample", downsample);
  if (downsample != config.downsample()) {
    reader.Problem("downsample", absl::StrCat("is ", downsample, ", but ch_mult has ", config.ch_mult.size(),
                                              " levels, which make ", config.downsample()));
  }
  if (absl::Status status = reader.status(); !status.ok()) return status;
  return config;
}

nlohmann::json AutoencoderConfig::ToJson() const {
  return {{"in_channels", 3},
          {"out_ch", 3},
          {"downsample", downsample()},
          {"ch", ch},
          {"ch_mult", ch_mult},
          {"num_res_blocks", num_res_blocks},
          {"z_channels", z_channels},
          {"scale_factor", scale_factor},
          {"shift_factor", shift_factor},
          {"norm_groups", norm_groups}};
}

ShapeMap Autoencoder::ExpectedTensors(const AutoencoderConfig& c) {
  ShapeMap shapes;
  const size_t levels = c.ch_mult.size();
  AddConv(shapes, "encoder.conv_in", 3, c.ch, 3);
  int64_t in = c.ch;
  for (size_t level = 0; level < levels; ++level) {
    const int64_t out = c.ch * c.ch_mult[level];
    for (int64_t block = 0; block < c.num_res_blocks; ++block) {
      AddResBlock(shapes, absl::StrCat("encoder.down.", level, ".block.", block), in, out);
      in = out;
    }
    if (level + 1 < levels)
      AddConv(shapes, absl::StrCat("encoder.down.", level, ".downsample.conv"), in, in, 3);
  }
  AddMid(shapes, "encoder.mid", in);
  AddNorm(shapes, "encoder.norm_out", in);
  AddConv(shapes, "encoder.conv_out", in, 2 * c.z_channels, 3);

  in = c.ch * c.ch_mult.back();
  AddConv(shapes, "decoder.conv_in", c.z_channels, in, 3);
  AddMid(shapes, "decoder.mid", in);
  for (size_t level = levels; level-- > 0;) {
    const int64_t out = c.ch * c.ch_mult[level];
    for (int64_t block = 0; block <= c.num_res_blocks; ++block) {
      AddResBlock(shapes, absl::StrCat("decoder.up.", level, ".block.", block), in, out);
      in = out;
    }
    if (level > 0) AddConv(shapes, absl::StrCat("decoder.up.", level, ".upsample.conv"), in, in, 3);
  }
  AddNorm(shapes, "decoder.norm_out", in);
  AddConv(shapes, "decoder.conv_out", in, 3, 3);
  return shapes;
}

TensorMap Autoencoder::RandomInit(const AutoencoderConfig& config, uint64_t seed) {
  return InitByFanIn(ExpectedTensors(config), seed);
}

absl::StatusOr<Autoencoder> Autoencoder::Create(AutoencoderConfig config, TensorMap tensors,
                                                const std::string& source) {
  if (absl::Status status = CheckWeights(ExpectedTensors(config), tensors, source); !status.ok())
    return status;
  return Autoencoder(std::move(config), std::move(tensors));
}

torch::Tensor Autoencoder::Conv(const torch::Tensor& x, const std::string& name, int64_t padding,
                                int64_t stride) const {
  return torch::conv2d(x, T(name + ".weight"), T(name + ".bias"), stride, padding);
}

torch::Tensor Autoencoder::Norm(const torch::Tensor& x, const std::string& name) const {
  return torch::group_norm(x, config_.norm_groups, T(name + ".weight"), T(name + ".bias"), 1e-6);
}

torch::Tensor Autoencoder::ResBlock(const torch::Tensor& x, const std::string& name) const {
  torch::Tensor h = Conv(torch::silu(Norm(x, name + ".norm1")), name + ".conv1", 1);
  h = Conv(torch::silu(Norm(h, name + ".norm2")), name + ".conv2", 1);
  return (tensors_.contains(name + ".nin_shortcut.weight") ? Conv(x, name + ".nin_shortcut", 0) : x) + h;
}

torch::Tensor Autoencoder::Attention(const torch::Tensor& x, const std::string& name) const {
  const torch::Tensor normed = Norm(x, name + ".norm");
  const auto tokens = [&](const char* part) {  // [B, 1, h*w, C]
    return Conv(normed, absl::StrCat(name, ".", part), 0).flatten(2).transpose(1, 2).unsqueeze(1);
  };
  const torch::Tensor attended = at::scaled_dot_product_attention(tokens("q"), tokens("k"), tokens("v"));
  return x + Conv(attended.squeeze(1).transpose(1, 2).reshape(x.sizes()), name + ".proj_out", 0);
}

Autoencoder::Moments Autoencoder::Encode(const torch::Tensor& image) const {
  const size_t levels = config_.ch_mult.size();
  torch::Tensor h = Conv(image.to(tensors_.begin()->second.device()), "encoder.conv_in", 1);
  for (size_t level = 0; level < levels; ++level) {
    for (int64_t block = 0; block < config_.num_res_blocks; ++block) {
      h = ResBlock(h, absl::StrCat("encoder.down.", level, ".block.", block));
    }
    if (level + 1 < levels) {
      // One zero on the right and at the bottom, then stride 2 without padding.
      h = Conv(torch::constant_pad_nd(h, {0, 1, 0, 1}),
               absl::StrCat("encoder.down.", level, ".downsample.conv"), 0, 2);
    }
  }
  h = ResBlock(h, "encoder.mid.block_1");
  h = Attention(h, "encoder.mid.attn_1");
  h = ResBlock(h, "encoder.mid.block_2");
  h = Conv(torch::silu(Norm(h, "encoder.norm_out")), "encoder.conv_out", 1);
  const std::vector<torch::Tensor> halves = h.chunk(2, 1);
  return {halves[0], halves[1]};
}

torch::Tensor Autoencoder::Normalize(const torch::Tensor& raw) const {
  return config_.scale_factor * (raw - config_.shift_factor);
}

torch::Tensor Autoencoder::Decode(const torch::Tensor& latent) const {
  // channels_last through all layers: the upper levels' convolutions have few channels and many pixels, and
  // run much faster on a CPU in that layout.
  torch::Tensor h =
      Conv((latent / config_.scale_factor + config_.shift_factor).contiguous(kLayout), "decoder.conv_in", 1);
  h = ResBlock(h, "decoder.mid.block_1");
  h = Attention(h, "decoder.mid.attn_1");
  h = ResBlock(h, "decoder.mid.block_2");
  for (size_t level = config_.ch_mult.size(); level-- > 0;) {
    for (int64_t block = 0; block <= config_.num_res_blocks; ++block) {
      h = ResBlock(h, absl::StrCat("decoder.up.", level, ".block.", block));
    }
    if (level > 0) {
      h = torch::upsample_nearest2d(h, {2 * h.size(2), 2 * h.size(3)});
      h = Conv(h, absl::StrCat("decoder.up.", level, ".upsample.conv"), 1);
    }
  }
  return Conv(torch::silu(Norm(h, "decoder.norm_out")), "decoder.conv_out", 1);
}

torch::Tensor Patchify(const torch::Tensor& latent, int64_t p) {
  const int64_t b = latent.size(0), c = latent.size(1), h = latent.size(2) / p, w = latent.size(3) / p;
  // [B, C, h, p, w, p] -> [B, h, w, p, p, C]
  return latent.reshape({b, c, h, p, w, p}).permute({0, 2, 4, 3, 5, 1}).reshape({b, h * w, p * p * c});
}

torch::Tensor Unpatchify(const torch::Tensor& tokens, int64_t p, int64_t grid_h, int64_t grid_w) {
  const int64_t b = tokens.size(0), c = tokens.size(2) / (p * p);
  return tokens.reshape({b, grid_h, grid_w, p, p, c})
      .permute({0, 5, 1, 3, 2, 4})
      .reshape({b, c, grid_h * p, grid_w * p});
}

torch::Tensor ToUint8(const torch::Tensor& image) {
  return ((image * 0.5 + 0.5).clamp(0, 1) * 255).to(torch::kUInt8).permute({0, 2, 3, 1}).contiguous();
}

std::vector<RgbImage> ToRgbImages(const torch::Tensor& image) {
  const torch::Tensor bytes = ToUint8(image.detach()).cpu();
  std::vector<RgbImage> images(static_cast<size_t>(bytes.size(0)));
  const size_t size = static_cast<size_t>(bytes[0].numel());
  for (size_t i = 0; i < images.size(); ++i) {
    images[i].height = static_cast<int>(bytes.size(1));
    images[i].width = static_cast<int>(bytes.size(2));
    const uint8_t* begin = bytes.data_ptr<uint8_t>() + i * size;
    images[i].pixels.assign(begin, begin + size);
  }
  return images;
}

torch::Tensor FromRgbImages(const std::vector<RgbImage>& images) {
  TORCH_CHECK(!images.empty(), "no images to make a batch of");
  const int64_t height = images[0].height, width = images[0].width;
  TORCH_CHECK(height > 0 && width > 0, "an image of ", width, "x", height, " pixels");
  for (size_t i = 0; i < images.size(); ++i) {
    const RgbImage& image = images[i];
    TORCH_CHECK(image.height == height && image.width == width, "image ", i, " has ", image.width, "x",
                image.height, " pixels next to others of ", width, "x", height, " in one batch");
    TORCH_CHECK(static_cast<int64_t>(image.pixels.size()) == height * width * 3, "image ", i, " has ",
                image.pixels.size(), " bytes of pixels for ", width, "x", height);
  }
  torch::Tensor bytes = torch::empty({static_cast<int64_t>(images.size()), height, width, 3}, torch::kUInt8);
  uint8_t* out = bytes.data_ptr<uint8_t>();
  for (const RgbImage& image : images) out = std::copy(image.pixels.begin(), image.pixels.end(), out);
  return bytes.permute({0, 3, 1, 2}).to(torch::kFloat32).contiguous() / 127.5 - 1.0;
}

}  // namespace lvrpo
