#include "reward_server/scorers/knowledge.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/autoencoder.h"

namespace lvrpo {
namespace {

constexpr int64_t kMostTokens = 1 << 17;  // of all rows of one batch of a model

// The images of each size, by index, in order.
std::vector<std::vector<size_t>> BySize(const std::vector<RgbImage>& images) {
  std::map<std::pair<int, int>, std::vector<size_t>> groups;
  for (size_t i = 0; i < images.size(); ++i) groups[{images[i].width, images[i].height}].push_back(i);
  std::vector<std::vector<size_t>> all;
  for (auto& [size, samples] : groups) all.push_back(std::move(samples));
  return all;
}

}  // namespace

KnowledgeScorer::KnowledgeScorer(Bagel model, std::unique_ptr<Tokenizer> tokenizer)
    : model_(std::move(model)), tokenizer_(std::move(tokenizer)), digest_(ComputeDigest()) {}

std::string KnowledgeScorer::ComputeDigest() const {
  return absl::StrCat("knowledge/2/", DigestOf(model_.tensors()));
}

bool KnowledgeScorer::Fits(int side) const {
  const int64_t patch = model_.config().vit_patch;
  return side % patch == 0 && side / patch <= model_.config().vit_max_side;
}

torch::Tensor KnowledgeScorer::ChoiceLogProbs(const KvCache& context, const Choices& choices) const {
  const auto count = static_cast<int64_t>(choices.ids.size()), images = context.batch();
  if (choices.longest == 1) {  // one token each: one forward scores all choices
    KvCache asked = context;
    const torch::Tensor hidden =
        model_.AppendTokens(asked, torch::full({images, 1}, int64_t{tokenizer_->bos()}, torch::kInt64));
    torch::Tensor tokens = torch::empty({count}, torch::kInt64);
    for (int64_t c = 0; c < count; ++c) tokens[c] = choices.ids[static_cast<size_t>(c)][0];
    return model_.Logits(hidden.select(1, 0))
        .index_select(1, tokens.to(model_.device()))
        .cpu();  // a constant apart, which softmax ignores
  }
  // All choices of all images in one batch, image by image; each with its end token, so that a choice that is
  // a prefix of another is not favoured.
  const auto length = static_cast<int64_t>(choices.longest) + 1;
  torch::Tensor responses = torch::full({count, length}, int64_t{tokenizer_->eos()}, torch::kInt64);
  torch::Tensor counts = torch::zeros({count, length});
  for (int64_t c = 0; c < count; ++c) {
    const std::vector<int64_t>& ids = choices.ids[static_cast<size_t>(c)];
    const auto tokens = static_cast<int64_t>(ids.size());
    responses[c].narrow(0, 0, tokens).copy_(torch::tensor(ids, torch::kInt64));
    counts[c].narrow(0, 0, tokens + 1).fill_(1);
  }
  const torch::Tensor log_probs =
      model_.ResponseLogProbs(context.Repeat(count), responses.repeat({images, 1}), 1).cpu() *
      counts.repeat({images, 1});
  return log_probs.sum(1).view({images, count});
}

absl::StatusOr<std::vector<KnowledgeScorer::Asked>> KnowledgeScorer::Read(
    const v1::PromptRecord& prompt) const {
  std::vector<Asked> read;
  for (const v1::Question& question : prompt.questions()) {
    const auto bad = [&](const absl::Status& status) {
      return absl::InvalidArgumentError(
          absl::StrCat("prompt ", prompt.id(), ", question \"", question.text(), "\": ", status.message()));
    };
    absl::StatusOr<std::vector<int32_t>> ids = tokenizer_->Encode(question.text());
    if (!ids.ok()) return bad(ids.status());
    absl::StatusOr<Choices> choices = ReadChoices(*tokenizer_, question);
    if (!choices.ok()) return bad(choices.status());
    read.push_back({*std::move(ids), *std::move(choices)});
  }
  return read;
}

int64_t KnowledgeScorer::RowTokens(const RgbImage& image, const std::vector<Asked>& questions) const {
  const int64_t patch = model_.config().vit_patch;
  const int64_t seen = 2 + image.width / patch * (image.height / patch);
  int64_t most = 1;
  for (const Asked& question : questions) {
    const auto asked = seen + static_cast<int64_t>(question.ids.size() + question.choices.longest) + 3;
    most = std::max(most, asked * static_cast<int64_t>(question.choices.ids.size()));
  }
  return most;
}

torch::Tensor KnowledgeScorer::ScoreImages(const std::vector<RgbImage>& images,
                                           const std::vector<Asked>& questions) const {
  KvCache seen;  // each image once; every question continues from this cache
  model_.AppendImage(seen, FromRgbImages(images));
  torch::Tensor sum = torch::zeros({static_cast<int64_t>(images.size())});
  for (const Asked& question : questions) {
    KvCache context = seen;
    model_.AppendPrompt(context, question.ids);
    sum += torch::softmax(ChoiceLogProbs(context, question.choices), 1).select(1, question.choices.right);
  }
  return sum / static_cast<int64_t>(questions.size());
}

absl::StatusOr<std::vector<SampleScore>> KnowledgeScorer::ScoreGroup(const ScoringGroup& group) {
  const torch::NoGradGuard no_grad;
  const absl::StatusOr<std::vector<Asked>> questions = Read(group.prompt);
  if (!questions.ok()) return questions.status();
  std::vector<SampleScore> scores(group.images.size());
  for (const std::vector<size_t>& samples : BySize(group.images)) {
    std::vector<RgbImage> images;
    for (const size_t sample : samples) images.push_back(group.images[sample]);
    const RgbImage& first = images[0];
    if (const int64_t patch = model_.config().vit_patch; !Fits(first.width) || !Fits(first.height)) {
      return absl::InvalidArgumentError(
          absl::StrCat("sample ", samples[0], " is an image of ", first.width, "x", first.height,
                       " pixels; 'knowledge' looks at images whose sides are multiples of ", patch, " up to ",
                       patch * model_.config().vit_max_side));
    }
    // As many images per batch as the token limit allows, each with all choices of a question.
    const size_t at_once = static_cast<size_t>(std::clamp<int64_t>(kMostTokens / RowTokens(first, *questions),
                                                                   1, static_cast<int64_t>(images.size())));
    for (size_t begin = 0; begin < images.size(); begin += at_once) {
      const size_t end = std::min(images.size(), begin + at_once);
      const auto from = images.begin() + static_cast<std::ptrdiff_t>(begin);
      const torch::Tensor right =
          ScoreImages({from, from + static_cast<std::ptrdiff_t>(end - begin)}, *questions);
      for (size_t i = begin; i < end; ++i)
        scores[samples[i]].value = right[static_cast<int64_t>(i - begin)].item<float>();
    }
  }
  return scores;
}

}  // namespace lvrpo
