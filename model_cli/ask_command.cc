#include <memory>

#include "common/flags/role_flags.h"
#include "data/image/image_file.h"
#include "model/weights/device.h"
#include "model/weights/tensor_dtypes.h"
#include "model_cli/commands.h"
#include "model_cli/text_flags.h"

namespace lvrpo {
namespace {

struct AskFlags {
  TextFlags text;
  std::string model, dtype = "fp32", device = "cpu", question;
  std::vector<std::string> images;
  bool as_stored = false;
};

absl::Status Ask(const AskFlags& flags) {
  std::vector<RgbImage> images;
  for (const std::string& path : flags.images) {
    absl::StatusOr<RgbImage> image = ReadImage(path, {.upright = !flags.as_stored});
    if (!image.ok()) return image.status();
    images.push_back(*std::move(image));
  }
  const absl::StatusOr<torch::Device> device = FindDevice(flags.device);
  if (!device.ok()) return device.status();
  const absl::StatusOr<UnifiedModel> model =
      LoadUnifiedModel(flags.model, **ParseWeightDtype(flags.dtype), *device, false);
  if (!model.ok()) return model.status();
  KvCache context;
  for (const RgbImage& image : images) {
    if (absl::Status status = model->AppendImage(context, image); !status.ok()) return status;
  }
  if (absl::Status status = model->AppendText(context, flags.question); !status.ok()) return status;
  const absl::StatusOr<TextSamples> answers = flags.text.Answer(*model, context);
  if (!answers.ok()) return answers.status();
  for (const std::vector<int32_t>& ids : answers->ids)
    std::printf("%s\n", flags.text.TextOf(*model, ids).c_str());
  return absl::OkStatus();
}

}  // namespace

Command AddAskCommand(CLI::App& app) {
  const auto flags = std::make_shared<AskFlags>();
  CLI::App* sub = app.add_subcommand("ask", "answer a question about images, or about nothing but itself");
  sub->add_option("question", flags->question, "the question")->required();
  sub->add_option("--image", flags->images, "PNG, JPEG, WebP or GIF; may be repeated, seen in that order")
      ->take_all();
  sub->add_flag("--as-stored", flags->as_stored, kAsStoredHelp);
  sub->add_option("--model", flags->model, "model folder in the published BAGEL layout")->required();
  sub->add_option("--dtype", flags->dtype, "weights as fp32 or bf16")
      ->check(CLI::IsMember({"fp32", "bf16"}))
      ->capture_default_str();
  sub->add_option("--device", flags->device, "cpu, cuda or cuda:N")->capture_default_str();
  sub->add_option("-n,--n", flags->text.samples, "answers, one a line; more than one asks for a temperature")
      ->check(CLI::Range(1, 4096))
      ->capture_default_str();
  sub->add_option("--seed", flags->text.seed, "of the sampling")->capture_default_str();
  flags->text.AddTo(*sub);
  return {sub, [flags] { return Explain(std::string(kModelProgram) + " ask", Ask(*flags)); }};
}

}  // namespace lvrpo
