#include "data/prompts/reward_words.h"

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/config/reward_config.h"
#include "common/files/file_kind.h"
#include "data/prompts/key_phrases.h"

namespace lvrpo {
namespace {

std::unique_ptr<const Tokenizer> LoadIfPossible(const std::string& folder,
                                                const TokenizerOptions& options = {}) {
  absl::StatusOr<std::unique_ptr<Tokenizer>> tokenizer = LoadTokenizer(folder, options);
  return tokenizer.ok() ? *std::move(tokenizer) : nullptr;
}

}  // namespace

RewardWords RewardWords::Load(const v1::RunConfig& config) {
  RewardWords words;
  const auto weights = ComponentWeights(config.reward());
  if (weights.contains("grounding"))
    words.referee_ =
        LoadIfPossible(config.model().referee(), {.lowercase = true, .add_control_tokens = false});
  if (weights.contains("knowledge") && config.reward().vqa_endpoint().url().empty())
    words.vqa_ =
        LoadIfPossible(config.model().vqa().empty() ? config.model().policy() : config.model().vqa());
  return words;
}

absl::Status RewardWords::CheckQuestion(const v1::Question& question) const {
  if (absl::Status status = vqa_->Encode(question.text()).status(); !status.ok()) return status;
  std::set<std::vector<int32_t>> seen;
  for (const std::string& choice : question.choices()) {
    absl::StatusOr<std::vector<int32_t>> ids = vqa_->Encode(choice);
    if (!ids.ok()) return ids.status();
    if (!seen.insert(*std::move(ids)).second) {
      return absl::InvalidArgumentError(
          absl::StrCat("its choice '", OneLine(choice), "' is the same as another to the model"));
    }
  }
  return absl::OkStatus();
}

absl::Status RewardWords::Check(const v1::PromptRecord& prompt) const {
  if (prompt.task() != v1::TASK_KIND_IMAGE) return absl::OkStatus();
  const auto refuse = [&](absl::string_view kind, const std::string& text, const absl::Status& status) {
    return absl::InvalidArgumentError(absl::StrCat("prompt '", OneLine(prompt.id()),
                                                   "' can never be scored: ", kind, " '", OneLine(text),
                                                   "': ", status.message()));
  };
  if (referee_ != nullptr) {
    std::vector<std::string> phrases(prompt.key_phrases().begin(), prompt.key_phrases().end());
    if (phrases.empty()) phrases = ExtractKeyPhrases(prompt.text());
    for (const std::string& phrase : phrases) {
      if (absl::Status status = referee_->Encode(phrase).status(); !status.ok())
        return refuse("its key phrase", phrase, status);
    }
  }
  for (int i = 0; vqa_ != nullptr && i < prompt.questions_size(); ++i) {
    if (absl::Status status = CheckQuestion(prompt.questions(i)); !status.ok())
      return refuse("its question", prompt.questions(i).text(), status);
  }
  return absl::OkStatus();
}

}  // namespace lvrpo
