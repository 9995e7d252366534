#include "algorithm/prompt_source.h"

#include "absl/strings/str_cat.h"
#include "algorithm/sample_settings.h"
#include "common/hash.h"
#include "data/image_file.h"
#include "data/prompts.h"
#include "verifiers/rules.h"

namespace lvrpo {
namespace {

absl::Status Append(const std::string& path, v1::TaskKind task, const Tokenizer& tokenizer,
                    const BagelConfig& model, const v1::RunConfig& config,
                    std::vector<PromptSource::Prompt>* prompts) {
  const auto fits = [&model](int side) {
    return side % model.vit_patch == 0 && side / model.vit_patch <= model.vit_max_side;
  };
  absl::StatusOr<std::vector<v1::PromptRecord>> records = ReadPromptFile(path);
  if (!records.ok()) return records.status();
  for (v1::PromptRecord& record : *records) {
    PromptSource::Prompt prompt;
    if (record.task() != task) {
      return absl::InvalidArgumentError(absl::StrCat(path, ": record ", record.id(), " is a ",
                                                     v1::TaskKind_Name(record.task()),
                                                     "; this file is listed for ", v1::TaskKind_Name(task)));
    }
    if (absl::Status status = CheckPromptRules(record); !status.ok())
      return absl::InvalidArgumentError(absl::StrCat(path, ": ", status.message()));
    absl::StatusOr<std::vector<int32_t>> ids = tokenizer.Encode(record.text());
    if (!ids.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, ": record ", record.id(), ": ", ids.status().message()));
    }
    prompt.ids = *std::move(ids);
    if (task == v1::TASK_KIND_TEXT) {
      absl::StatusOr<RgbImage> image =
          ReadImage(SourceImagePath(path, record), {.upright = config.data().exif_orientation()});
      if (!image.ok()) return image.status();
      if (!fits(image->width) || !fits(image->height)) {
        return absl::InvalidArgumentError(
            absl::StrCat(path, ": record ", record.id(), ": its image has ", image->width, "x", image->height,
                         " pixels; sides must be multiples of ", model.vit_patch, " up to ",
                         model.vit_patch * model.vit_max_side));
      }
      prompt.source_image = *std::move(image);
    }
    const auto tokens = static_cast<int64_t>(prompt.ids.size());
    const int64_t context = task == v1::TASK_KIND_TEXT
                                ? TextContextTokens(tokens, prompt.source_image.width,
                                                    prompt.source_image.height, config.rollout(), model)
                                : ImageContextTokens(tokens, model);
    if (context > model.max_positions) {
      return absl::InvalidArgumentError(absl::StrCat(path, ": record ", record.id(), ": its text has ",
                                                     tokens, " tokens, which makes a context of ", context,
                                                     "; the model's longest is ", model.max_positions));
    }
    prompt.record = std::move(record);
    prompts->push_back(std::move(prompt));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<PromptSource> PromptSource::Load(const v1::RunConfig& config, const Tokenizer& tokenizer,
                                                const BagelConfig& model) {
  std::vector<Prompt> images, texts;
  for (const std::string& path : config.data().image_prompts()) {
    if (absl::Status status = Append(path, v1::TASK_KIND_IMAGE, tokenizer, model, config, &images);
        !status.ok())
      return status;
  }
  for (const std::string& path : config.data().text_prompts()) {
    if (absl::Status status = Append(path, v1::TASK_KIND_TEXT, tokenizer, model, config, &texts);
        !status.ok())
      return status;
  }
  if (images.empty() && texts.empty())
    return absl::InvalidArgumentError("data: the prompt files hold no prompt");
  const PromptOrder order(images.size(), texts.size(), config.data().text_fraction(), config.seed());
  return PromptSource(std::move(images), std::move(texts), order);
}

std::string PromptSource::Digest() const {
  std::string digests;
  for (const std::vector<Prompt>* prompts : {&images_, &texts_}) {
    for (const Prompt& prompt : *prompts) {
      const auto& pixels = prompt.source_image.pixels;
      absl::StrAppend(&digests, Sha256Hex(prompt.record.SerializeAsString()),
                      Sha256Hex(std::string(pixels.begin(), pixels.end())));
    }
  }
  return Sha256Hex(digests);
}

const PromptSource::Prompt& PromptSource::At(int64_t ordinal) const {
  const PromptOrder::Choice choice = order_.At(ordinal);
  return choice.text ? texts_[choice.index] : images_[choice.index];
}

}  // namespace lvrpo
