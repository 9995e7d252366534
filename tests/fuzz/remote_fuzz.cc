#include <cmath>
#include <string>

#include "reward_server/remote/external_scorer.h"
#include "reward_server/remote/http_client.h"
#include "reward_server/remote/http_detector.h"
#include "reward_server/remote/json_scorer.h"
#include "reward_server/remote/vqa_form.h"
#include "tests/fuzz/fuzz.h"

namespace {

void Check(bool promise) {
  if (!promise) __builtin_trap();
}

void ReadVqa(absl::string_view bytes, const std::vector<std::string>& labels) {
  const lvrpo::VqaReply reply = lvrpo::ReadVqaReply(bytes, labels);
  Check(reply.input_tokens >= 0 && reply.output_tokens >= 0);
  if (!reply.answer.ok()) return;
  double sum = 0;
  for (const double probability : reply.answer->probabilities) {
    Check(probability >= 0 && probability <= 1);
    sum += probability;
  }
  Check(reply.answer->probabilities.size() == labels.size() && std::abs(sum - 1) < 1e-9);
  Check(reply.answer->floored.size() < labels.size());
}

}  // namespace

// Any bytes as what a scorer, a detector or an endpoint for questions answers.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view bytes = lvrpo::fuzz::Bytes(data, size);
  const auto response = lvrpo::ReadScoresJson(bytes);
  if (response.ok()) {
    const auto scores = lvrpo::ReadExternalScores(*response, 2, "d");
    if (scores.ok()) {
      for (const lvrpo::Score& score : *scores) Check(score.value >= 0 && score.value <= 1);
      Check(scores->size() == 2);
    }
  }
  const auto description = lvrpo::ReadDescription(bytes);
  Check(!description.ok() || !description->digest.empty());
  const auto found = lvrpo::ReadDetectionsJson(bytes, {{4, 3}}, {"bench"}, "d");
  if (found.ok()) {
    for (const lvrpo::Detection& object : (*found)[0]) Check(object.class_name == "bench");
  }
  ReadVqa(bytes, {"yes", "no"});
  ReadVqa(bytes, {"a", "b", "c"});
  (void)lvrpo::PrintableUrl(std::string(bytes));
  const auto failure = lvrpo::ReadHttpAnswer("http://a", {.code = 500, .body = std::string(bytes)});
  Check(failure.status().message().find('\n') == absl::string_view::npos);
  return 0;
}
