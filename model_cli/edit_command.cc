#include <memory>

#include "common/flags/role_flags.h"
#include "data/image/image_file.h"
#include "model/weights/device.h"
#include "model/weights/tensor_dtypes.h"
#include "model_cli/commands.h"
#include "model_cli/image_flags.h"

namespace lvrpo {
namespace {

struct EditFlags {
  ImageFlags image;
  std::string source, instruction;
  bool as_stored = false;
};

// The source as the model sees it: clean latents, then the ViT's tokens, then the instruction.
absl::Status Edit(const EditFlags& flags) {
  if (absl::Status status = PrepareOutput(flags.image); !status.ok()) return status;
  const absl::StatusOr<RgbImage> source = ReadImage(flags.source, {.upright = !flags.as_stored});
  if (!source.ok()) return source.status();
  const absl::StatusOr<torch::Device> device = FindDevice(flags.image.device);
  if (!device.ok()) return device.status();
  const absl::StatusOr<UnifiedModel> model =
      LoadUnifiedModel(flags.image.model, **ParseWeightDtype(flags.image.dtype), *device, true);
  if (!model.ok()) return model.status();
  ImageRequest request;
  ImageSize size;
  if (absl::Status status = model->AppendLatents(request.text_free, *source, size); !status.ok())
    return status;
  if (absl::Status status = model->AppendImage(request.text_free, *source); !status.ok()) return status;
  request.full = request.text_free;
  if (absl::Status status = model->AppendText(request.full, flags.instruction); !status.ok()) return status;
  request.image_free.emplace();
  if (absl::Status status = model->AppendText(*request.image_free, flags.instruction); !status.ok())
    return status;
  request.samples = flags.image.count;
  const absl::StatusOr<ImageEngineOptions> options = flags.image.Options(*model, size.height, size.width);
  if (!options.ok()) return options.status();
  if (absl::Status status = model->CheckRoom(request.full, options->grid.tokens() + 2); !status.ok())
    return status;
  return PaintAndWrite(
      *model, {&request, 1}, *options, flags.image,
      {{"instruction", flags.instruction}, {"source", flags.source}, {"model", flags.image.model}}, {});
}

}  // namespace

Command AddEditCommand(CLI::App& app) {
  const auto flags = std::make_shared<EditFlags>();
  CLI::App* sub = app.add_subcommand("edit", "change an image as an instruction says, as PNG files");
  flags->image.image_scale = 2;  // the released application's
  flags->image.renorm = "text_channel";
  sub->add_option("instruction", flags->instruction, "what to change")->required();
  sub->add_option("--image", flags->source, "PNG, JPEG, WebP or GIF; the result has its shape")->required();
  sub->add_flag("--as-stored", flags->as_stored, kAsStoredHelp);
  flags->image.AddTo(*sub);
  return {sub, [flags] { return Explain(std::string(kModelProgram) + " edit", Edit(*flags)); }};
}

}  // namespace lvrpo
