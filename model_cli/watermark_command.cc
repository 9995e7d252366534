#include <cstdio>
#include <memory>

#include "common/exit_code.h"
#include "common/flags/role_flags.h"
#include "data/image/image_file.h"
#include "data/transforms/watermark.h"
#include "model_cli/commands.h"

namespace lvrpo {
namespace {

struct WatermarkFlags {
  std::vector<std::string> images;
};

// Prints one line per image. An unmarked image is a valid answer with its own exit code.
int Check(const WatermarkFlags& flags) {
  int code = kExitDone;
  for (const std::string& path : flags.images) {
    const absl::StatusOr<RgbImage> image = ReadImage(path);
    if (!image.ok()) {
      code = Explain(std::string(kModelProgram) + " watermark", image.status());
      continue;
    }
    if (const std::optional<Watermark> mark = ReadWatermark(*image)) {
      std::printf("%s: watermark %u, certainty %.2f\n", path.c_str(), mark->number, mark->certainty);
    } else {
      std::printf("%s: no watermark\n", path.c_str());
      if (code == kExitDone) code = kExitUnmarked;
    }
  }
  return code;
}

}  // namespace

Command AddWatermarkCommand(CLI::App& app) {
  const auto flags = std::make_shared<WatermarkFlags>();
  CLI::App* sub = app.add_subcommand("watermark", "read the invisible mark of images made with --watermark");
  CLI::App* check = sub->add_subcommand("check", "exit code 0: all are marked, 1: one is not");
  sub->require_subcommand(1);
  check->add_option("images", flags->images, "PNG, JPEG, WebP or GIF files")->required();
  return {sub, [flags] { return Check(*flags); }};
}

}  // namespace lvrpo
