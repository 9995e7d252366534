#include "reward_server/remote/json_scorer.h"

#include <google/protobuf/util/json_util.h>

#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/json/json_text.h"
#include "reward_server/remote/http/curl_transport.h"
#include "reward_server/remote/http/http_client.h"
#include "reward_server/remote/http/remote_json.h"
#include "reward_server/remote/http/remote_status.h"
#include "reward_server/remote/http/url.h"
#include "reward_server/remote/remote_digest.h"

namespace lvrpo {
namespace {

using nlohmann::json;

constexpr JsonBounds kBounds = {.bytes = kMostHttpAnswer, .values = 1000000, .depth = 16};

// Strings whose bytes are no UTF-8 are mended.
class JsonLink : public ExternalLink {
 public:
  JsonLink(const std::string& address, const LinkOptions& options, std::unique_ptr<HttpTransport> transport)
      : describe_(JoinUrl(address, "/describe")),
        score_(JoinUrl(address, "/score")),
        retry_(options.retry),
        client_(std::move(transport), ToHttpOptions(options), options.waiting) {}

  absl::StatusOr<std::string> Describe() override {
    RetryPolicy retry = retry_;
    retry.retries = kRetryUntilDeadline;
    const absl::StatusOr<std::string> body = client_.SendOne({.url = describe_, .json = {}}, retry);
    if (!body.ok()) return body.status();
    absl::StatusOr<RemoteDescription> description = ReadDescription(*body);
    if (!description.ok()) return client_.Refused(description.status(), describe_, *body);
    return std::move(description->digest);
  }

  absl::StatusOr<v1::ScoreSamplesResponse> ScoreSamples(const v1::ScoreSamplesRequest& request) override {
    const absl::StatusOr<std::string> body =
        client_.SendOne({.url = score_, .json = [&request] { return ScoreRequestJson(request); }}, retry_);
    if (!body.ok()) return body.status();
    absl::StatusOr<v1::ScoreSamplesResponse> response = ReadScoresJson(*body, request.samples_size());
    if (!response.ok()) return client_.Refused(response.status(), score_, *body);
    return response;
  }

 private:
  const std::string describe_, score_;  // URLs
  const RetryPolicy retry_;
  HttpClient client_;
};

}  // namespace

std::unique_ptr<ExternalLink> MakeJsonLink(const std::string& address, const LinkOptions& options,
                                           std::unique_ptr<HttpTransport> transport) {
  if (transport == nullptr) transport = std::make_unique<CurlTransport>();
  return std::make_unique<JsonLink>(address, options, std::move(transport));
}

std::string ScoreRequestJson(const v1::ScoreSamplesRequest& request) {
  google::protobuf::util::JsonPrintOptions snake_case;
  snake_case.preserve_proto_field_names = true;
  std::string prompt;
  if (!google::protobuf::util::MessageToJsonString(request.prompt(), &prompt, snake_case).ok()) prompt = "{}";
  json samples = json::array();
  for (const v1::ExternalSample& sample : request.samples()) {
    if (request.prompt().task() == v1::TASK_KIND_TEXT) {
      samples.push_back({{"text", sample.text()}});
    } else {
      samples.push_back({{"png", absl::Base64Escape(sample.png())}});
    }
  }
  return absl::StrCat("{\"prompt\":", prompt, ",\"samples\":", JsonText(samples), "}");
}

absl::StatusOr<v1::ScoreSamplesResponse> ReadScoresJson(absl::string_view text, int count) {
  const absl::StatusOr<json> answer = ParseRemoteJson(text, kBounds);
  if (!answer.ok()) return answer.status();
  v1::ScoreSamplesResponse response;
  const absl::StatusOr<std::string> digest = RemoteString(*answer, "digest");
  if (!digest.ok()) return digest.status();
  response.set_digest(*digest);
  const absl::StatusOr<const json*> scores = RemoteList(*answer, "scores", count);
  if (!scores.ok()) return scores.status();
  for (size_t i = 0; i < (*scores)->size(); ++i) {
    const json& score = (**scores)[i];
    v1::ExternalScore& read = *response.add_scores();
    // A number alone is an object with that value.
    const absl::StatusOr<double> value =
        RemoteShare(score.is_object() ? score : json{{"value", score}}, "value");
    if (!value.ok()) return Named(absl::StrCat("scores[", i, "]"), value.status());
    read.set_value(static_cast<float>(*value));
    if (!score.is_object() || !score.contains("detail") || score["detail"].is_null()) continue;
    const absl::StatusOr<std::string> detail = RemoteString(score, "detail");
    if (!detail.ok()) return Named(absl::StrCat("scores[", i, "]"), detail.status());
    read.set_detail(*detail);
  }
  return response;
}

}  // namespace lvrpo
