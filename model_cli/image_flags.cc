#include "model_cli/image_flags.h"

#include <charconv>
#include <cstdio>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "algorithm/schedule.h"
#include "common/files/file.h"
#include "common/files/filesystem.h"
#include "common/flags/flag_checks.h"
#include "common/json/json_text.h"
#include "common/version.h"
#include "data/image/image_grid.h"
#include "data/image/png.h"
#include "data/image/png_text.h"
#include "data/transforms/watermark.h"
#include "model/latent_grid.h"
#include "model_cli/commands.h"
#include "model_cli/progress_line.h"
#include "nlohmann/json.hpp"

namespace lvrpo {
namespace {

absl::StatusOr<uint32_t> WatermarkNumber(const std::string& text) {
  uint32_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("--watermark ", text, " is not a whole number from 0 to 4294967295"));
  }
  return number;
}

}  // namespace

void ImageFlags::AddTo(CLI::App& app) {
  app.add_option("--model", model, "model folder in the published BAGEL layout")->required();
  app.add_option("--out", out, "folder for the images; made when it is not there")->required();
  app.add_option("-n,--n", count, "images of the prompt")->check(CLI::Range(1, 4096))->capture_default_str();
  app.add_option("--seed", seed, "the same seed, model and settings give the same images")
      ->capture_default_str();
  app.add_option("--dtype", dtype, "weights as fp32 or bf16")
      ->check(CLI::IsMember({"fp32", "bf16"}))
      ->capture_default_str();
  app.add_option("--device", device, "cpu, cuda or cuda:N")->capture_default_str();
  app.add_option("--steps", steps, "times of the schedule, both ends included; one less model calls")
      ->check(CLI::Range(2, 1000))
      ->capture_default_str();
  app.add_option("--shift", shift, "time shift of the schedule")->check(AboveZero())->capture_default_str();
  app.add_option("--cfg-text", text_scale, "guidance by the text; 1 switches all guidance off")
      ->check(CLI::Range(1., 100.))
      ->capture_default_str();
  app.add_option("--cfg-image", image_scale, "guidance by the source image")
      ->check(CLI::Range(1., 100.))
      ->capture_default_str();
  app.add_option("--cfg-low", interval_low, "guidance acts at times above this")
      ->check(CLI::Range(0., 1.))
      ->capture_default_str();
  app.add_option("--cfg-high", interval_high, "and up to this")
      ->check(CLI::Range(0., 1.))
      ->capture_default_str();
  app.add_option("--cfg-renorm", renorm, "what guidance may not enlarge: a sample, or each of its tokens")
      ->check(CLI::IsMember({"global", "channel", "text_channel"}))
      ->capture_default_str();
  app.add_option("--cfg-renorm-min", renorm_min, "how far guidance may be shrunk for that")
      ->check(CLI::Range(0., 1.))
      ->capture_default_str();
  app.add_option("--watermark", watermark,
                 "mark the images invisibly with this number (see lvrpo watermark)");
  app.add_option("--activation-mib", activation_mib, "memory for denoising; more samples in one batch")
      ->check(CLI::Range(1, kMostMib))
      ->capture_default_str();
}

absl::StatusOr<ImageEngineOptions> ImageFlags::Options(const UnifiedModel& unified, int64_t height,
                                                       int64_t width) const {
  const absl::StatusOr<LatentGrid> grid = LatentGridOf(width, height, unified.bagel.config());
  if (!grid.ok()) return grid.status();
  ImageEngineOptions options;
  options.grid = *grid;
  options.timesteps = Timesteps(static_cast<int>(steps), shift);
  options.guidance = {.text_scale = text_scale,
                      .image_scale = image_scale,
                      .interval_low = interval_low,
                      .interval_high = interval_high,
                      .renorm = renorm == "global"    ? GuidanceOptions::Renorm::kGlobal
                                : renorm == "channel" ? GuidanceOptions::Renorm::kChannel
                                                      : GuidanceOptions::Renorm::kTextChannel,
                      .renorm_min = renorm_min};
  options.seed = seed;
  options.activation_bytes = activation_mib << 20;
  return options;
}

absl::Status PrepareOutput(const ImageFlags& flags) {
  if (!flags.watermark.empty()) {
    if (auto number = WatermarkNumber(flags.watermark); !number.ok()) return number.status();
  }
  return MakeFolder(flags.out);
}

absl::Status PaintAndWrite(const UnifiedModel& model, std::span<const ImageRequest> requests,
                           const ImageEngineOptions& options, const ImageFlags& flags,
                           const std::map<std::string, std::string>& about,
                           const std::vector<std::string>& texts) {
  std::optional<uint32_t> number;
  if (!flags.watermark.empty()) number = *WatermarkNumber(flags.watermark);
  torch::NoGradGuard no_grad;
  torch::Tensor latents;
  {
    ProgressLine line("denoising");
    latents = GenerateLatents(model.bagel, requests, options,
                              [&](int64_t done, int64_t all) { line.Update(done, all); });
  }
  std::vector<RgbImage> images;
  ProgressLine line("decoding");
  for (int64_t i = 0; i < latents.size(0); ++i) {
    const torch::Tensor pixels = model.autoencoder->Decode(Unpatchify(
        latents.narrow(0, i, 1), model.bagel.config().latent_patch, options.grid.height, options.grid.width));
    if (!pixels.isfinite().all().item<bool>())
      return absl::DataLossError(absl::StrCat("image ", i, " is not finite: are the weights damaged?"));
    RgbImage image = ToRgbImages(pixels)[0];
    nlohmann::json settings = {{"program", absl::StrCat("lvrpo ", kVersion)},
                               {"seed", flags.seed},
                               {"image", i},
                               {"steps", flags.steps},
                               {"shift", flags.shift},
                               {"cfg_text", flags.text_scale},
                               {"cfg_image", flags.image_scale},
                               {"cfg_interval", {flags.interval_low, flags.interval_high}},
                               {"cfg_renorm", flags.renorm},
                               {"cfg_renorm_min", flags.renorm_min},
                               {"dtype", flags.dtype}};
    for (const auto& [key, value] : about) settings[key] = value;
    if (!texts.empty()) settings["text"] = texts[static_cast<size_t>(i)];
    if (number) {
      absl::StatusOr<RgbImage> marked = EmbedWatermark(image, *number);
      if (!marked.ok()) return marked.status();
      image = *std::move(marked);
      settings["watermark"] = *number;
    }
    const absl::StatusOr<std::string> png = EncodePng(image);
    if (!png.ok()) return png.status();
    const absl::StatusOr<std::string> described = AddPngText(*png, {{"lvrpo", JsonText(settings)}});
    if (!described.ok()) return described.status();
    const std::string path = JoinPath(flags.out, absl::StrFormat("%04d.png", static_cast<int>(i)));
    if (absl::Status status = WriteFileAtomic(path, *described); !status.ok()) return status;
    std::printf("%s\n", path.c_str());
    images.push_back(std::move(image));
    line.Update(i + 1, latents.size(0));
  }
  if (images.size() < 2) return absl::OkStatus();
  int columns = 1;
  while (static_cast<size_t>(columns * columns) < images.size()) ++columns;
  const std::string path = JoinPath(flags.out, "grid.png");
  if (absl::Status status = WritePng(path, MakeGrid(images, columns, 4, 1)); !status.ok()) return status;
  std::printf("%s\n", path.c_str());
  return absl::OkStatus();
}

}  // namespace lvrpo
