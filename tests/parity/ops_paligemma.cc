#include "model/paligemma.h"
#include "tests/parity/parity.h"

namespace lvrpo::parity {
namespace {

torch::Tensor Integers(const Case& c, const std::string& name) { return c.inputs.at(name).to(torch::kInt64); }

PaliGemma::Prefix ReadPrefix(const PaliGemma& model, const Case& c, const torch::Tensor& image) {
  return model.ReadPrefix(image, Integers(c, "prefix_ids"), Integers(c, "prefix_lengths"));
}

torch::Tensor LogSumOf(const torch::Tensor& logits, const std::vector<int64_t>& ids) {
  const torch::Tensor which = torch::tensor(ids, torch::kInt64).to(logits.device());
  return logits.index_select(-1, which).logsumexp(-1);
}

// A choice between two sets of first tokens: {"yes", "Yes"} and {"no", "No"}.
struct TokenChoice {
  torch::Tensor first;  // [B], P(first set) / (P(first set) + P(second set))
  torch::Tensor mass;   // [B], P(first set) + P(second set): low when the model would say something else
};
// logits [B, V]; ids of the vocabulary, at least one in each set, none twice.
TokenChoice ChooseBetween(const torch::Tensor& logits, const std::vector<int64_t>& first_ids,
                          const std::vector<int64_t>& second_ids) {
  const torch::Tensor log_probs = torch::log_softmax(logits.to(torch::kFloat32), -1);
  const torch::Tensor first = LogSumOf(log_probs, first_ids), second = LogSumOf(log_probs, second_ids);
  return {.first = torch::sigmoid(first - second), .mass = first.exp() + second.exp()};
}

absl::Status PrefixLogitsOp(const Case& c, Report& report) {
  torch::NoGradGuard no_grad;
  const auto model = LoadModelOf<PaliGemma>(c);
  if (!model.ok()) return model.status();
  const torch::Tensor image = model->ImageTokens(c.inputs.at("pixel_values"));
  const torch::Tensor logits = model->Logits(ReadPrefix(*model, c, image).hidden);
  const TokenChoice choice = ChooseBetween(logits, c.params.at("yes_ids").get<std::vector<int64_t>>(),
                                           c.params.at("no_ids").get<std::vector<int64_t>>());
  report.Compare("logits", logits);
  report.Compare("image_features", image);
  report.Compare("yes_probability", choice.first);
  report.Compare("yes_no_mass", choice.mass);
  return absl::OkStatus();
}

absl::Status SuffixLogprobsOp(const Case& c, Report& report) {
  torch::NoGradGuard no_grad;
  const auto model = LoadModelOf<PaliGemma>(c);
  if (!model.ok()) return model.status();
  const torch::Tensor image = model->ImageTokens(c.inputs.at("pixel_values"));
  report.Compare("logprobs", model->SuffixLogProbs(ReadPrefix(*model, c, image), Integers(c, "suffix_ids")));
  return absl::OkStatus();
}

}  // namespace

void RegisterPaliGemmaOps(Registry& registry) {
  registry["paligemma/prefix_logits"] = PrefixLogitsOp;
  registry["paligemma/suffix_logprobs"] = SuffixLogprobsOp;
}

}  // namespace lvrpo::parity
