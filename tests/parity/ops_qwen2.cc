#include "model/qwen2.h"
#include "tests/parity/parity.h"

namespace lvrpo::parity {
namespace {

torch::Tensor Integers(const Case& c, const std::string& name) { return c.inputs.at(name).to(torch::kInt64); }

// Of completions that follow prompts, both [B, C].
struct TokenScores {
  torch::Tensor log_probs;  // fp32, per completion token; 0 past a row's completion
  torch::Tensor entropy;    // fp32, in nats, of each token's distribution; 0 likewise
};

// ids int64 [B, T] padded at the end: prompt_lengths [B] tokens (at least one), then completion_lengths [B];
// C is the longest completion.
TokenScores ScoreCompletions(const Qwen2& model, const torch::Tensor& ids,
                             const torch::Tensor& prompt_lengths, const torch::Tensor& completion_lengths,
                             double temperature) {
  // Padding follows every row's tokens, where causality masks it.
  KvCache cache;
  const torch::Tensor hidden = model.Append(cache, ids);
  const int64_t longest = completion_lengths.max().item<int64_t>();
  const torch::Tensor offset = torch::arange(longest, ids.options()).unsqueeze(0);
  const torch::Tensor counts = offset < completion_lengths.unsqueeze(1);  // [B, C]
  // Token i is predicted from the one before it.
  const torch::Tensor places = (prompt_lengths.unsqueeze(1) + offset).clamp_max(ids.size(1) - 1);
  const torch::Tensor before =
      hidden.gather(1, (places - 1).unsqueeze(2).expand({-1, -1, model.config().hidden}));  // [B, C, H]
  const torch::Tensor log_probs = torch::log_softmax(model.Logits(before) / temperature, -1);
  const torch::Tensor of_tokens = log_probs.gather(2, ids.gather(1, places).unsqueeze(2)).squeeze(2);
  const torch::Tensor entropy = -(log_probs.exp() * log_probs).sum(-1);
  return {of_tokens.masked_fill(counts.logical_not(), 0), entropy.masked_fill(counts.logical_not(), 0)};
}

// Greedy decoding until `eos` (included) or `max_tokens`.
std::vector<int64_t> Greedy(const Qwen2& model, const std::vector<int64_t>& prompt, int64_t max_tokens,
                            int64_t eos) {
  const torch::NoGradGuard no_grad;
  KvCache cache;
  std::vector<int64_t> generated;
  torch::Tensor next = torch::tensor(prompt, torch::kInt64).unsqueeze(0);
  while (static_cast<int64_t>(generated.size()) < max_tokens) {
    const torch::Tensor hidden = model.Append(cache, next);
    const int64_t token = model.Logits(hidden.select(1, hidden.size(1) - 1)).argmax(-1).item<int64_t>();
    generated.push_back(token);
    if (token == eos) break;
    next = torch::full({1, 1}, token, torch::kInt64);
  }
  return generated;
}

absl::Status LogitsOp(const Case& c, Report& report) {
  torch::NoGradGuard no_grad;
  const auto model = LoadModelOf<Qwen2>(c);
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
  const auto model = LoadModelOf<Qwen2>(c);
  if (!model.ok()) return model.status();
  const TokenScores scores =
      ScoreCompletions(*model, Integers(c, "input_ids"), Integers(c, "prompt_lengths"),
                       Integers(c, "completion_lengths"), c.params.value("temperature", 1.0));
  report.Compare("logprobs", scores.log_probs);
  report.Compare("entropy", scores.entropy);
  return absl::OkStatus();
}

absl::Status GreedyOp(const Case& c, Report& report) {
  const auto model = LoadModelOf<Qwen2>(c);
  if (!model.ok()) return model.status();
  const torch::Tensor ids = Integers(c, "input_ids"), prompt_lengths = Integers(c, "prompt_lengths");
  std::vector<std::vector<int64_t>> rows;
  int64_t longest = 0;
  for (int64_t row = 0; row < ids.size(0); ++row) {
    const torch::Tensor prompt =
        ids[row].narrow(0, 0, prompt_lengths[row].item<int64_t>()).cpu().contiguous();
    const int64_t* begin = prompt.data_ptr<int64_t>();
    rows.push_back(Greedy(*model, {begin, begin + prompt.numel()}, c.params.at("max_new_tokens"),
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
