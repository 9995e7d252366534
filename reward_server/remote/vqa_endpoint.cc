#include "reward_server/remote/vqa_endpoint.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "common/hash.h"
#include "data/image/png.h"
#include "reward_server/remote/http/curl_transport.h"
#include "reward_server/remote/http/remote_status.h"
#include "reward_server/remote/http/url.h"
#include "reward_server/remote/remote_digest.h"

namespace lvrpo {
namespace {

constexpr size_t kMostAnswer = size_t{1} << 20;  // bytes
constexpr double kLowCoverage = .5;
constexpr double kMuchTotal = 1.01;

absl::StatusOr<std::string> ReadKey(const std::string& variable) {
  if (variable.empty()) return "";
  const char* value = std::getenv(variable.c_str());
  const std::string key(absl::StripAsciiWhitespace(value == nullptr ? "" : value));
  const bool plain = std::all_of(key.begin(), key.end(),
                                 [](char c) { return absl::ascii_isgraph(static_cast<unsigned char>(c)); });
  if (!key.empty() && plain) return key;
  return absl::FailedPreconditionError(
      absl::StrCat("reward.vqa_endpoint.api_key_variable names ", variable, ", which ",
                   value == nullptr ? "is not in the environment" : "holds no key: one line without blanks",
                   "; set it where the reward server starts"));
}

std::string HashOf(const std::vector<std::string>& parts) {
  Sha256 hash;
  for (const std::string& part : parts) {  // length-prefixed, so that different lists never hash the same
    hash.Update(absl::StrCat(part.size(), ":"));
    hash.Update(part);
  }
  return hash.FinishHex();
}

std::string HashOf(const RgbImage& image) {
  Sha256 hash;
  hash.Update(absl::StrCat(image.width, "x", image.height, ":"));
  hash.Update(image.pixels.data(), image.pixels.size());
  return hash.FinishHex();
}

// The detail of one answer; empty when there is nothing to report.
std::string Remark(const v1::Question& question, const VqaAnswer& answer) {
  std::vector<std::string> remarks;
  if (!answer.floored.empty()) {
    remarks.push_back("floored: " + absl::StrJoin(answer.floored, ", ", [&](std::string* out, size_t choice) {
                        absl::StrAppend(out, question.choices(static_cast<int>(choice)));
                      }));
  }
  if (answer.coverage < kLowCoverage)
    remarks.push_back(absl::StrFormat("the choices have only %.2g of the probability", answer.coverage));
  if (answer.total > kMuchTotal)
    remarks.push_back(absl::StrFormat("the probabilities returned add up to %.3g", answer.total));
  if (remarks.empty()) return "";
  return absl::StrCat("\"", question.text(), "\" ", absl::StrJoin(remarks, "; "));
}

}  // namespace

absl::StatusOr<std::unique_ptr<VqaEndpointScorer>> VqaEndpointScorer::Create(
    const v1::VqaEndpointConfig& config, const Options& options, Metrics& metrics,
    std::unique_ptr<HttpTransport> transport) {
  absl::StatusOr<std::string> key = ReadKey(config.api_key_variable());
  if (!key.ok()) return key.status();
  if (transport == nullptr) transport = std::make_unique<CurlTransport>();
  return std::unique_ptr<VqaEndpointScorer>(
      new VqaEndpointScorer(config, options, *std::move(key), metrics, std::move(transport)));
}

VqaEndpointScorer::VqaEndpointScorer(const v1::VqaEndpointConfig& config, const Options& options,
                                     std::string key, Metrics& metrics,
                                     std::unique_ptr<HttpTransport> transport)
    : config_(config),
      url_(JoinUrl(config.url(), "/chat/completions")),
      digest_("vqa_endpoint/" + HashOf({JoinUrl(config.url(), ""), config.model(),
                                        absl::StrCat(config.top_logprobs()), absl::StrCat(kVqaFormVersion)})),
      client_(std::move(transport),
              {.concurrency = config.concurrency(),
               .timeout = absl::Seconds(config.timeout_seconds()),
               .total = options.deadline,
               .most_bytes = kMostAnswer,
               .bearer = std::move(key)},
              options.waiting),
      cache_(static_cast<size_t>(std::max(0, config.cached_answers()))),
      metrics_(metrics, config.input_price(), config.output_price()) {}

absl::Status VqaEndpointScorer::Ask(const ScoringGroup& group, const std::vector<VqaQuestion>& questions,
                                    const std::vector<Asked>& asked,
                                    absl::flat_hash_map<std::string, VqaAnswer>* answers) {
  std::vector<std::string> pngs(group.images.size());
  std::vector<HttpRequest> requests;
  for (const Asked& one : asked) {
    if (pngs[one.image].empty()) {
      absl::StatusOr<std::string> png = EncodePng(group.images[one.image]);
      if (!png.ok()) return Named(absl::StrCat("sample ", one.image), png.status());
      pngs[one.image] = *std::move(png);
    }
    requests.push_back({.url = url_, .json = [this, &questions, &pngs, &one] {
                          return VqaRequestJson(config_.model(), questions[one.question], pngs[one.image],
                                                config_.top_logprobs());
                        }});
  }
  RetryPolicy retry;
  retry.retries = config_.retries();
  const std::vector<absl::StatusOr<std::string>> bodies = client_.Send(requests, retry);
  absl::Status first;
  size_t failed = 0;
  for (size_t i = 0; i < asked.size(); ++i) {
    absl::StatusOr<VqaAnswer> answer = Receive(bodies[i], questions[asked[i].question].labels);
    if (answer.ok()) {
      cache_.Keep(asked[i].key, *answer);
      answers->emplace(asked[i].key, *std::move(answer));
    } else if (++failed == 1) {
      const v1::Question& question = group.prompt.questions(static_cast<int>(asked[i].question));
      first =
          Named(absl::StrCat("model '", config_.model(), "' at ", PrintableUrl(JoinUrl(config_.url(), "")),
                             ", sample ", asked[i].image, ", question \"", question.text(), "\""),
                answer.status());
    }
  }
  if (failed <= 1) return first;
  return Reworded(
      first, absl::StrCat(first.message(), " (", failed, " questions of ", asked.size(), " have no answer)"));
}

absl::StatusOr<VqaAnswer> VqaEndpointScorer::Receive(const absl::StatusOr<std::string>& body,
                                                     const std::vector<std::string>& labels) {
  if (!body.ok()) {
    metrics_.CountFailure(body.status());
    // The endpoint rejected the request's form, which is not the prompt's fault.
    if (absl::IsInvalidArgument(body.status())) return absl::FailedPreconditionError(body.status().message());
    return body.status();
  }
  VqaReply reply = ReadVqaReply(*body, labels);
  metrics_.CountReply(reply.input_tokens, reply.output_tokens, reply.answer.status());
  if (absl::IsDataLoss(reply.answer.status())) return client_.Refused(reply.answer.status(), url_, *body);
  if (reply.answer.ok()) metrics_.floored.Increment(static_cast<double>(reply.answer->floored.size()));
  return std::move(reply.answer);
}

absl::StatusOr<std::vector<VqaAnswer>> VqaEndpointScorer::AnswerAll(
    const ScoringGroup& group, const std::vector<VqaQuestion>& questions) {
  std::vector<std::string> keys;  // [image, question]
  for (const RgbImage& image : group.images) {
    const std::string pixels = HashOf(image);
    for (const VqaQuestion& question : questions)
      keys.push_back(HashOf({question.text, absl::StrJoin(question.labels, "\n"), pixels}));
  }
  absl::flat_hash_map<std::string, VqaAnswer> known;
  absl::flat_hash_set<std::string> unknown;
  std::vector<Asked> asked;
  for (size_t i = 0; i < keys.size(); ++i) {
    if (const VqaAnswer* answer = cache_.Find(keys[i]); answer != nullptr) {
      metrics_.cache_hits.Increment();
      known.emplace(keys[i], *answer);
    } else if (unknown.insert(keys[i]).second) {
      asked.push_back({.image = i / questions.size(), .question = i % questions.size(), .key = keys[i]});
    }
  }
  if (absl::Status status = Ask(group, questions, asked, &known); !status.ok()) return status;
  std::vector<VqaAnswer> answers;
  for (const std::string& key : keys) answers.push_back(known.at(key));
  return answers;
}

absl::StatusOr<std::vector<SampleScore>> VqaEndpointScorer::ScoreGroup(const ScoringGroup& group) {
  std::vector<VqaQuestion> questions;
  for (const v1::Question& question : group.prompt.questions()) {
    absl::StatusOr<VqaQuestion> form = FormVqaQuestion(question);
    if (!form.ok()) {
      return Named(absl::StrCat("prompt ", group.prompt.id(), ", question \"", question.text(), "\""),
                   form.status());
    }
    questions.push_back(*std::move(form));
  }
  const absl::StatusOr<std::vector<VqaAnswer>> answers = AnswerAll(group, questions);
  if (!answers.ok()) return answers.status();
  std::vector<SampleScore> scores(group.images.size());
  for (size_t i = 0; i < scores.size(); ++i) {
    double sum = 0;
    std::vector<std::string> remarks;
    for (size_t q = 0; q < questions.size(); ++q) {
      const VqaAnswer& answer = (*answers)[i * questions.size() + q];
      sum += answer.probabilities[questions[q].right];
      std::string remark = Remark(group.prompt.questions(static_cast<int>(q)), answer);
      if (!remark.empty()) remarks.push_back(std::move(remark));
    }
    scores[i].value = static_cast<float>(sum / static_cast<double>(questions.size()));
    scores[i].detail = absl::StrJoin(remarks, "; ");
  }
  return scores;
}

}  // namespace lvrpo
