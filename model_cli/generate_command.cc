#include <memory>

#include "common/flags/role_flags.h"
#include "model/weights/device.h"
#include "model/weights/tensor_dtypes.h"
#include "model_cli/commands.h"
#include "model_cli/image_flags.h"
#include "model_cli/text_flags.h"

namespace lvrpo {
namespace {

// The released model's (ByteDance-Seed/Bagel:inferencer.py, GEN_THINK_SYSTEM_PROMPT): what it was trained
// with.
constexpr char kThinkPrompt[] =
    "You should first think about the planning process in the mind and then generate the image. \n"
    "The planning process is enclosed within <think> </think> tags, i.e. <think> planning process here "
    "</think> "
    "image here";

struct GenerateFlags {
  ImageFlags image;
  TextFlags text;
  std::string prompt;
  bool think = false;
  int64_t width = 0, height = 0;
};

// The contexts of the images, and the thinking text of each.
absl::StatusOr<std::vector<ImageRequest>> MakeRequests(const UnifiedModel& model, const GenerateFlags& flags,
                                                       std::vector<std::string>& thoughts) {
  KvCache system;
  if (flags.think) {
    if (absl::Status status = model.AppendText(system, kThinkPrompt); !status.ok()) return status;
  }
  KvCache texts = system;
  if (absl::Status status = model.AppendText(texts, flags.prompt); !status.ok()) return status;
  if (!flags.think) {
    return std::vector<ImageRequest>{
        {.full = texts, .text_free = system, .image_free = std::nullopt, .samples = flags.image.count}};
  }
  const absl::StatusOr<TextSamples> thought = flags.text.Answer(model, texts);
  if (!thought.ok()) return thought.status();
  std::vector<ImageRequest> requests;
  for (size_t i = 0; i < thought->ids.size(); ++i) {
    std::vector<int32_t> ids = thought->ids[i];
    if (ids.back() == model.bagel.config().eos) ids.pop_back();
    ImageRequest request = {.full = texts, .text_free = system, .image_free = texts};
    request.first_slot = static_cast<uint32_t>(i);
    if (absl::Status status = model.AppendTokens(request.full, ids); !status.ok()) return status;
    requests.push_back(std::move(request));
    thoughts.push_back(flags.text.TextOf(model, ids));
  }
  return requests;
}

absl::Status Generate(GenerateFlags& flags) {
  if (absl::Status status = PrepareOutput(flags.image); !status.ok()) return status;
  flags.text.seed = flags.image.seed;
  flags.text.samples = flags.image.count;
  const absl::StatusOr<torch::Device> device = FindDevice(flags.image.device);
  if (!device.ok()) return device.status();
  const absl::StatusOr<UnifiedModel> model =
      LoadUnifiedModel(flags.image.model, **ParseWeightDtype(flags.image.dtype), *device, true);
  if (!model.ok()) return model.status();
  const int64_t side = std::min<int64_t>(1024, model->max_side());
  const int64_t width = flags.width == 0 ? side : flags.width;
  const int64_t height = flags.height == 0 ? side : flags.height;
  const absl::StatusOr<ImageEngineOptions> options = flags.image.Options(*model, height, width);
  if (!options.ok()) return options.status();
  std::vector<std::string> thoughts;
  const absl::StatusOr<std::vector<ImageRequest>> requests = MakeRequests(*model, flags, thoughts);
  if (!requests.ok()) return requests.status();
  for (size_t i = 0; i < thoughts.size(); ++i) std::printf("thought %zu: %s\n", i, thoughts[i].c_str());
  for (const ImageRequest& request : *requests) {
    if (absl::Status status = model->CheckRoom(request.full, options->grid.tokens() + 2); !status.ok())
      return status;
  }
  return PaintAndWrite(*model, *requests, *options, flags.image,
                       {{"prompt", flags.prompt}, {"model", flags.image.model}}, thoughts);
}

}  // namespace

Command AddGenerateCommand(CLI::App& app) {
  const auto flags = std::make_shared<GenerateFlags>();
  CLI::App* sub = app.add_subcommand("generate", "paint images of a prompt, as PNG files");
  flags->image.interval_low = .4;  // the released application's
  sub->add_option("--prompt", flags->prompt, "what to paint")->required();
  sub->add_flag("--think", flags->think, "plan in words first; each image has its own plan");
  sub->add_option("--width", flags->width, "pixels; 0: 1024, or the model's largest")
      ->check(CLI::Range(0, 1 << 20))
      ->capture_default_str();
  sub->add_option("--height", flags->height, "pixels; 0: 1024, or the model's largest")
      ->check(CLI::Range(0, 1 << 20))
      ->capture_default_str();
  flags->image.AddTo(*sub);
  flags->text.AddTo(*sub);
  return {sub, [flags] { return Explain(std::string(kModelProgram) + " generate", Generate(*flags)); }};
}

}  // namespace lvrpo
