#include "reward_server/remote/vqa_metrics.h"

namespace lvrpo {
namespace {

const char* OutcomeOf(const absl::Status& failure) {
  switch (failure.code()) {
    case absl::StatusCode::kDeadlineExceeded:
      return "timed_out";
    case absl::StatusCode::kUnavailable:
      return "unavailable";
    case absl::StatusCode::kResourceExhausted:
      return "exhausted";
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kFailedPrecondition:
      return "refused";
    default:
      return "failed";
  }
}

}  // namespace

VqaMetrics::VqaMetrics(Metrics& metrics, double input_price, double output_price)
    : cache_hits(metrics.Counter("lvrpo_reward_vqa_cache_hits_total")),
      floored(metrics.Counter("lvrpo_reward_vqa_floored_total")),
      input_price_(input_price),
      output_price_(output_price),
      input_tokens_(metrics.Counter("lvrpo_reward_vqa_tokens_total", {{"kind", "input"}})),
      output_tokens_(metrics.Counter("lvrpo_reward_vqa_tokens_total", {{"kind", "output"}})) {
  for (const char* outcome :
       {"ok", "timed_out", "unavailable", "exhausted", "refused", "failed", "bad_answer", "no_choice"}) {
    requests_[outcome] = &metrics.Counter("lvrpo_reward_vqa_requests_total", {{"outcome", outcome}});
  }
  if (input_price > 0 || output_price > 0) {
    cost_ = &metrics.Counter("lvrpo_reward_vqa_cost_total");
  }
}

void VqaMetrics::CountFailure(const absl::Status& failure) { requests_.at(OutcomeOf(failure))->Increment(); }

void VqaMetrics::CountReply(int64_t input_tokens, int64_t output_tokens, const absl::Status& answer) {
  requests_.at(answer.ok() ? "ok" : absl::IsNotFound(answer) ? "no_choice" : "bad_answer")->Increment();
  const auto input = static_cast<double>(input_tokens), output = static_cast<double>(output_tokens);
  input_tokens_.Increment(input);
  output_tokens_.Increment(output);
  if (cost_ != nullptr) cost_->Increment((input * input_price_ + output * output_price_) / 1e6);
}

}  // namespace lvrpo
