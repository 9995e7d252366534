#include "model/qwen2.h"
#include "tests/parity/parity.h"

namespace lvrpo::parity {
namespace {

torch::Tensor Integers(const Case& c, const std::string& name) { return c.inputs.at(name).to(torch::kInt64); }

absl::Status LogitsOp(const Case& c, Report& report) {
  torch::NoGradGuard no_grad;
  const auto model = Qwen2::Load(c.model_dir);
  if (!model.ok()) return model.status();
  torch::Tensor real;
  if (c.inputs.contains("attention_mask")) real = Integers(c, "attention_mask");
  KvCache cache;
  torch::Tensor hidden = model->Append(cache, Integers(c, "input_ids"), real);
  torch::Tensor logits = model->Logits(hidden);
  if (real.defined()) {  // rows of padding are stored as zeros
    hidden = hidden * real.unsqueeze(2);
    logits = logits * real.unsqueeze(2);
  }
  report.Compare("last_hidden_state", hidden);
  report.Compare("logits", logits);
  return absl::OkStatus();
}

absl::Status TokenLogProbsOp(const Case& c, Report& report) {
  torch::NoGradGuard no_grad;
  const auto model = Qwen2::Load(c.model_dir);
  if (!model.ok()) return model.status();
  const Qwen2::TokenScores scores =
      model->ScoreCompletions(Integers(c, "input_ids"), Integers(c, "prompt_lengths"),
                              Integers(c, "completion_lengths"), c.params.value("temperature", 1.0));
  report.Compare("logprobs", scores.log_probs);
  report.Compare("entropy", scores.entropy);
  return absl::OkStatus();
}

absl::Status GreedyOp(const Case& c, Report& report) {
  const auto model = Qwen2::Load(c.model_dir);
  if (!model.ok()) return model.status();
  const torch::Tensor ids = Integers(c, "input_ids"), prompt_lengths = Integers(c, "prompt_lengths");
  std::vector<std::vector<int64_t>> rows;
  int64_t longest = 0;
  for (int64_t row = 0; row < ids.size(0); ++row) {
    const torch::Tensor prompt = ids[row].narrow(0, 0, prompt_lengths[row].item<int64_t>()).contiguous();
    const int64_t* begin = prompt.data_ptr<int64_t>();
    rows.push_back(model->Greedy({begin, begin + prompt.numel()}, c.params.at("max_new_tokens"),
                                 c.params.at("eos_token_id")));
    longest = std::max(longest, static_cast<int64_t>(rows.back().size()));
  }
  torch::Tensor generated = torch::full({ids.size(0), longest}, -1, torch::kInt64);
  torch::Tensor lengths = torch::zeros({ids.size(0)}, torch::kInt64);
  for (size_t row = 0; row < rows.size(); ++row) {
    const int64_t length = static_cast<int64_t>(rows[row].size());
    generated[static_cast<int64_t>(row)].narrow(0, 0, length).copy_(torch::tensor(rows[row], torch::kInt64));
    lengths[static_cast<int64_t>(row)] = length;
  }
  report.Compare("generated", generated);
  report.Compare("lengths", lengths);
  return absl::OkStatus();
}

}  // namespace

void RegisterQwen2Ops(Registry& registry) {
  registry["qwen2/logits"] = LogitsOp;
  registry["qwen2/token_logprobs"] = TokenLogProbsOp;
  registry["qwen2/greedy"] = GreedyOp;
}

}  // namespace lvrpo::parity
