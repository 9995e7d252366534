#include <cmath>
#include <string>

#include "common/http/excerpt.h"
#include "reward_server/remote/external_scorer.h"
#include "reward_server/remote/http/error_object.h"
#include "reward_server/remote/http/http_client.h"
#include "reward_server/remote/http/mend_json.h"
#include "reward_server/remote/http/url.h"
#include "reward_server/remote/http_detector.h"
#include "reward_server/remote/json_scorer.h"
#include "reward_server/remote/vqa_form.h"
#include "tests/fuzz/fuzz.h"

namespace {

constexpr char kKey[] = "sk-secret-0123456789";

void Check(bool promise) {
  if (!promise) __builtin_trap();
}

void ReadVqa(absl::string_view bytes, const std::vector<std::string>& labels) {
  const lvrpo::VqaReply reply = lvrpo::ReadVqaReply(bytes, labels);
  Check(reply.input_tokens >= 0 && reply.output_tokens >= 0);
  if (!reply.answer.ok()) {
    Check(!reply.answer.status().message().empty());
    return;
  }
  double sum = 0;
  for (const double probability : reply.answer->probabilities) {
    Check(probability >= 0 && probability <= 1);
    sum += probability;
  }
  Check(reply.answer->probabilities.size() == labels.size() && std::abs(sum - 1) < 1e-9);
  Check(reply.answer->floored.size() < labels.size());
  Check(reply.answer->coverage >= 0 && reply.answer->coverage <= reply.answer->total + 1e-9);
}

// Any bytes as what a scorer, a detector or an endpoint for questions answers.
void ReadAnswers(absl::string_view bytes) {
  const auto response = lvrpo::ReadScoresJson(bytes, 2);
  if (response.ok()) {
    const auto scores = lvrpo::ReadExternalScores(*response, 2, "d");
    if (scores.ok()) {
      for (const lvrpo::SampleScore& score : *scores) Check(score.value >= 0 && score.value <= 1);
      Check(scores->size() == 2);
    }
  }
  const auto description = lvrpo::ReadDescription(bytes);
  Check(!description.ok() || !description->digest.empty());
  const auto found = lvrpo::ReadDetectionsJson(bytes, {{4, 3}}, {"bench"}, "d");
  if (found.ok()) {
    for (const lvrpo::Detection& object : (*found)[0]) {
      Check(object.class_name == "bench" && object.score >= 0 && object.score <= 1);
      Check(object.x0 <= object.x1 && object.y0 <= object.y1);
    }
  }
  ReadVqa(bytes, {"yes", "no"});
  ReadVqa(bytes, {"a", "b", "c"});
}

// What messages show of them: one line, never the key.
void Show(absl::string_view bytes) {
  const std::string body = std::string(bytes) + kKey + std::string(bytes);
  const std::string excerpt = lvrpo::Excerpt(body, {kKey});
  Check(excerpt.find('\n') == std::string::npos && excerpt.size() <= 204);
  Check(excerpt.find("secret-0123") == std::string::npos);
  for (const int code : {200, 401, 500}) {
    const auto failure = lvrpo::ReadHttpAnswer("http://a", {.code = code, .body = body}, {kKey});
    Check(failure.ok() == (code == 200 && !lvrpo::ReadErrorObject(body).has_value()));
    Check(failure.status().message().find('\n') == absl::string_view::npos);
    Check(failure.status().message().find("secret-0123") == absl::string_view::npos);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view bytes = lvrpo::fuzz::Bytes(data, size);
  ReadAnswers(bytes);
  const std::string mended = lvrpo::MendJson(bytes);
  Check(lvrpo::MendJson(mended) == mended);
  ReadAnswers(mended);
  (void)lvrpo::ReadErrorObject(bytes);
  Show(bytes);
  const std::string url(bytes), joined = lvrpo::JoinUrl(url, "/score");
  Check(lvrpo::JoinUrl(joined, "/score") == joined);
  Check(lvrpo::PrintableUrl(url).find('?') == std::string::npos);
  (void)lvrpo::SecretsOf(url);
  return 0;
}
