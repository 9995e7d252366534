#include <algorithm>
#include <filesystem>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/choice.h"
#include "common/files/file.h"
#include "data/image/image_file.h"
#include "data/image/resize.h"
#include "data/transforms/bagel_transform.h"
#include "data/transforms/siglip_transform.h"
#include "tests/parity/parity.h"

namespace lvrpo::parity {
namespace {

std::string Stem(const std::string& file) { return std::filesystem::path(file).stem().string(); }

torch::Tensor ToTensor(const std::vector<uint8_t>& pixels, int height, int width, int channels) {
  return torch::tensor(pixels, torch::kUInt8).view({height, width, channels});
}
torch::Tensor ToTensor(const RgbImage& image) { return ToTensor(image.pixels, image.height, image.width, 3); }
torch::Tensor ToTensor(const PixelPlanes& planes) {
  return torch::tensor(planes.values).view({3, planes.height, planes.width});
}

absl::StatusOr<RgbImage> Read(const Case& c, const std::string& file, AlphaPolicy alpha) {
  return ReadImage(c.path("inputs/" + file), {.alpha = alpha, .limits = {}, .upright = false});
}

constexpr Choice<ResizeFilter> kFilters[] = {{"nearest", ResizeFilter::kNearest},
                                             {"bilinear", ResizeFilter::kBilinear},
                                             {"bicubic", ResizeFilter::kBicubic},
                                             {"lanczos", ResizeFilter::kLanczos}};

// Colours times alpha / 255, rounded.
void MultiplyAlpha(Raster& image) {
  const size_t channels = static_cast<size_t>(image.channels);
  for (size_t i = 0; i + channels <= image.pixels.size(); i += channels) {
    const int alpha = image.pixels[i + channels - 1];
    for (size_t c = 0; c + 1 < channels; ++c) {
      const int product = image.pixels[i + c] * alpha + 128;
      image.pixels[i + c] = static_cast<uint8_t>(((product >> 8) + product) >> 8);
    }
  }
}

// Colours times 255 / alpha, rounded down; unchanged where alpha is 0.
void DivideAlpha(Raster& image) {
  const size_t channels = static_cast<size_t>(image.channels);
  for (size_t i = 0; i + channels <= image.pixels.size(); i += channels) {
    const int alpha = image.pixels[i + channels - 1];
    if (alpha == 0 || alpha == 255) continue;
    for (size_t c = 0; c + 1 < channels; ++c) {
      image.pixels[i + c] = static_cast<uint8_t>(std::min(255 * image.pixels[i + c] / alpha, 255));
    }
  }
}

// What Pillow does with LA and RGBA: transparent pixels do not bleed into their neighbours.
absl::StatusOr<Raster> ResizeWithAlpha(const Raster& image, ImageSize size, ResizeFilter filter) {
  const bool has_alpha = image.channels == 2 || image.channels == 4;
  if (!has_alpha || filter == ResizeFilter::kNearest || size == ImageSize{image.width, image.height}) {
    return Resize(image, size, filter);
  }
  Raster premultiplied = image;
  MultiplyAlpha(premultiplied);
  absl::StatusOr<Raster> resized = Resize(premultiplied, size, filter);
  if (resized.ok()) DivideAlpha(*resized);
  return resized;
}

// Jobs keep the channels of the file.
absl::Status ResizeOp(const Case& c, Report& report) {
  for (const auto& job : c.params.at("jobs")) {
    const auto bytes = ReadFile(c.path("inputs/" + job.at("image").get<std::string>()));
    if (!bytes.ok()) return bytes.status();
    const auto image = DecodeRaster(*bytes);
    if (!image.ok()) return image.status();
    const auto filter = Choose(kFilters, "filter", job.at("filter").get<std::string>());
    if (!filter.ok()) return filter.status();
    const auto resized = ResizeWithAlpha(*image, {job.at("width"), job.at("height")}, *filter);
    if (!resized.ok()) return resized.status();
    report.Compare(job.at("out"),
                   ToTensor(resized->pixels, resized->height, resized->width, resized->channels));
  }
  return absl::OkStatus();
}

absl::Status DecodeRgbOp(const Case& c, Report& report) {
  for (const std::string file : c.params.at("images")) {
    for (const auto& [name, alpha] :
         {std::pair(".drop_alpha", AlphaPolicy::kDrop), std::pair(".on_white", AlphaPolicy::kOnWhite)}) {
      const auto image = Read(c, file, alpha);
      if (!image.ok()) return image.status();
      report.Compare(Stem(file) + name, ToTensor(*image));
    }
  }
  // What the reference does and we do not; the files carry it for the reader.
  for (const auto& [name, tensor] : c.expected) {
    if (absl::EndsWith(name, "do_not_copy")) report.Compare(name, tensor);
  }
  return absl::OkStatus();
}

absl::Status DecodeJpegOp(const Case& c, Report& report) {
  for (const std::string file : c.params.at("images")) {
    const auto image = Read(c, file, AlphaPolicy::kDrop);
    if (!image.ok()) return image.status();
    report.Compare(Stem(file), ToTensor(*image));
  }
  return absl::OkStatus();
}

absl::Status SiglipFixedOp(const Case& c, Report& report) {
  SiglipTransform transform;
  transform.size = {c.params.at("width"), c.params.at("height")};
  transform.norm = {c.params.at("mean"), c.params.at("std")};
  const auto filter = Choose(kFilters, "filter", c.params.at("filter").get<std::string>());
  if (!filter.ok()) return filter.status();
  transform.filter = *filter;
  std::vector<torch::Tensor> batch;
  for (const std::string file : c.params.at("images")) {
    const auto image = Read(c, file, AlphaPolicy::kDrop);
    if (!image.ok()) return image.status();
    const auto pixels = TransformForSiglip(*image, transform);
    if (!pixels.ok()) return pixels.status();
    batch.push_back(ToTensor(*pixels));
  }
  report.Compare("pixel_values", torch::stack(batch));
  return absl::OkStatus();
}

absl::Status NaflexOp(const Case& c, Report& report) {
  NaflexTransform transform;
  transform.patch_size = c.params.at("patch_size");
  transform.max_patches = c.params.at("max_num_patches");
  std::vector<torch::Tensor> values, masks, shapes;
  for (const std::string file : c.params.at("images")) {
    const auto image = Read(c, file, AlphaPolicy::kDrop);
    if (!image.ok()) return image.status();
    const auto patches = TransformForNaflex(*image, transform);
    if (!patches.ok()) return patches.status();
    values.push_back(torch::tensor(patches->values).view({transform.max_patches, -1}));
    masks.push_back(torch::tensor(patches->mask, torch::kInt32));
    shapes.push_back(torch::tensor({patches->rows, patches->columns}, torch::kInt64));
  }
  report.Compare("pixel_values", torch::stack(values));
  report.Compare("pixel_attention_mask", torch::stack(masks));
  report.Compare("spatial_shapes", torch::stack(shapes));
  return absl::OkStatus();
}

BagelImageRules RulesOf(const Case& c) {
  return {c.params.at("max_size"), c.params.at("min_size"), c.params.at("stride"), c.params.at("max_pixels")};
}

absl::Status BagelTransformOp(const Case& c, Report& report) {
  for (const std::string file : c.params.at("images")) {
    const auto image = Read(c, file, AlphaPolicy::kOnWhite);
    if (!image.ok()) return image.status();
    const auto pixels = TransformForBagel(*image, RulesOf(c));
    if (!pixels.ok()) return pixels.status();
    report.Compare(Stem(file), ToTensor(*pixels));
  }
  return absl::OkStatus();
}

// The bagel family's form of it, one image and every step.
absl::Status ImageTransformOp(const Case& c, Report& report) {
  const auto image = ReadImage(c.path(c.params.at("input")), {.upright = false});
  if (!image.ok()) return image.status();
  const auto resized = ResizeForBagel(*image, RulesOf(c));
  if (!resized.ok()) return resized.status();
  PixelNorm norm;
  norm.mean.fill(c.params.value("mean", 0.5f));
  norm.stddev.fill(c.params.value("std", 0.5f));
  const auto pixels = TransformForBagel(*image, RulesOf(c), norm);
  if (!pixels.ok()) return pixels.status();
  report.Compare("rgb", ToTensor(*image));
  report.Compare("resized", ToTensor(*resized));
  report.Compare("pixels", ToTensor(*pixels));
  report.Compare("size_hw", torch::tensor({resized->height, resized->width}, torch::kInt64));
  return absl::OkStatus();
}

// Rows of numbers that begin with height and width; the answer is the row followed by the target's.
absl::Status SizeOp(
    const Case& c, Report& report,
    const std::function<absl::StatusOr<ImageSize>(ImageSize, const nlohmann::json&)>& size_of) {
  nlohmann::json rows = nlohmann::json::array();
  for (nlohmann::json row : c.params.at("queries")) {
    const auto size = size_of({.width = row.at(1), .height = row.at(0)}, row);
    if (!size.ok()) return size.status();
    row.push_back(size->height);
    row.push_back(size->width);
    rows.push_back(row);
  }
  report.CompareJson("*", rows);
  return absl::OkStatus();
}

absl::Status NaflexSizeOp(const Case& c, Report& report) {
  return SizeOp(c, report, [](ImageSize image, const nlohmann::json& row) {
    return NaflexSize(image, row.at(2), row.at(3));
  });
}

absl::Status BagelSizeOp(const Case& c, Report& report) {
  return SizeOp(c, report, [](ImageSize image, const nlohmann::json& row) {
    return BagelSize(image, {row.at(2), row.at(3), row.at(4), row.at(5)});
  });
}

}  // namespace

void RegisterImageOps(Registry& registry) {
  registry["image_processing/resize"] = ResizeOp;
  registry["image_processing/decode_rgb"] = DecodeRgbOp;
  registry["image_processing/decode_jpeg"] = DecodeJpegOp;
  registry["image_processing/siglip_fixed"] = SiglipFixedOp;
  registry["image_processing/siglip2_naflex"] = NaflexOp;
  registry["image_processing/bagel_transform"] = BagelTransformOp;
  registry["image_processing/naflex_size"] = NaflexSizeOp;
  registry["image_processing/bagel_size"] = BagelSizeOp;
  registry["bagel/image_transform"] = ImageTransformOp;
}

}  // namespace lvrpo::parity
