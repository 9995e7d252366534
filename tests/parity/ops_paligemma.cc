#include "model/paligemma.h"
#include "tests/parity/parity.h"

namespace lvrpo::parity {
namespace {

torch::Tensor Integers(const Case& c, const std::string& name) { return c.inputs.at(name).to(torch::kInt64); }

PaliGemma::Prefix ReadPrefix(const PaliGemma& model, const Case& c, const torch::Tensor& image) {
  return model.ReadPrefix(image, Integers(c, "prefix_ids"), Integers(c, "prefix_lengths"));
}

absl::Status PrefixLogitsOp(const Case& c, Report& report) {
  torch::NoGradGuard no_grad;
  const auto model = PaliGemma::Load(c.model_dir);
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
  const auto model = PaliGemma::Load(c.model_dir);
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
