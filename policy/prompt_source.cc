#include "policy/prompt_source.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/hash.h"
#include "data/prompts/prompts.h"
#include "data/prompts/reward_words.h"
#include "model/source_image.h"
#include "policy/sample_settings.h"
#include "verifiers/rules/prompt_files.h"

namespace lvrpo {
namespace {

// Names the line of every record that is wrong for this run and this model.
absl::Status Append(const std::string& path, v1::TaskKind task, const Tokenizer& tokenizer,
                    const BagelConfig& model, const v1::RunConfig& config, const RewardWords& words,
                    std::vector<PromptSource::Prompt>* prompts) {
  const auto check = [&](const v1::PromptRecord& record) -> absl::Status {
    if (absl::Status status = CheckTrainingPrompt(record, task, config.reward()); !status.ok()) return status;
    if (absl::Status status = words.Check(record); !status.ok()) return status;
    PromptSource::Prompt prompt;
    absl::StatusOr<std::vector<int32_t>> ids = tokenizer.Encode(record.text());
    if (!ids.ok()) {
      return absl::InvalidArgumentError(absl::StrCat("prompt '", record.id(), "': ", ids.status().message()));
    }
    prompt.ids = *std::move(ids);
    if (task == v1::TASK_KIND_TEXT) {
      absl::StatusOr<RgbImage> image =
          ReadSourceImage(path, record, model, {.upright = config.data().exif_orientation()});
      if (!image.ok()) return image.status();
      prompt.source_image = *std::move(image);
    } else {
      const absl::StatusOr<LatentGrid> grid = ImageGrid(record, config.rollout(), model);
      if (!grid.ok()) return grid.status();
      prompt.grid = *grid;
    }
    const auto tokens = static_cast<int64_t>(prompt.ids.size());
    const int64_t context = task == v1::TASK_KIND_TEXT
                                ? TextContextTokens(tokens, prompt.source_image.width,
                                                    prompt.source_image.height, config.rollout(), model)
                                : ImageContextTokens(tokens, prompt.grid);
    if (context > model.max_positions) {
      return absl::InvalidArgumentError(absl::StrCat("prompt '", record.id(), "': its text has ", tokens,
                                                     " tokens, which makes a context of ", context,
                                                     "; the model's longest is ", model.max_positions));
    }
    prompt.record = record;
    prompts->push_back(std::move(prompt));
    return absl::OkStatus();
  };
  return ReadPromptFile(path, check).status();
}

}  // namespace

absl::StatusOr<PromptSource> PromptSource::Load(const v1::RunConfig& config, const Tokenizer& tokenizer,
                                                const BagelConfig& model) {
  if (!config.data().image_prompts().empty()) {
    if (absl::Status status = CheckImageSize(config.rollout(), model); !status.ok()) return status;
  }
  std::vector<Prompt> images, texts;
  const RewardWords words = RewardWords::Load(config);
  absl::Status problems;  // of all files, so that a user gets them at once
  const auto append = [&](const std::string& path, v1::TaskKind task, std::vector<Prompt>* prompts) {
    const absl::Status status = Append(path, task, tokenizer, model, config, words, prompts);
    if (status.ok()) return;
    problems = problems.ok()
                   ? status
                   : absl::Status(problems.code(), absl::StrCat(problems.message(), "\n", status.message()));
  };
  for (const std::string& path : config.data().image_prompts()) append(path, v1::TASK_KIND_IMAGE, &images);
  for (const std::string& path : config.data().text_prompts()) append(path, v1::TASK_KIND_TEXT, &texts);
  if (!problems.ok()) return problems;
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

int64_t PromptSource::MostLatentTokens() const {
  int64_t most = 0;
  for (const Prompt& prompt : images_) most = std::max(most, prompt.grid.tokens());
  return most;
}

const PromptSource::Prompt& PromptSource::At(int64_t ordinal) const {
  const PromptOrder::Choice choice = order_.At(ordinal);
  return choice.text ? texts_[choice.index] : images_[choice.index];
}

}  // namespace lvrpo
