#include "reward_server/remote/external_scorer.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/config/reward_config.h"
#include "common/digits.h"
#include "common/files/file_kind.h"
#include "data/image/png.h"
#include "data/unicode/unicode.h"
#include "reward_server/remote/external_scorer_client.h"
#include "reward_server/remote/http/http_client.h"
#include "reward_server/remote/http/remote_json.h"
#include "reward_server/remote/http/remote_status.h"
#include "reward_server/remote/http/url.h"
#include "reward_server/remote/json_scorer.h"
#include "reward_server/remote/remote_digest.h"

namespace lvrpo {
namespace {

constexpr size_t kMostDetail = 1000;  // characters; what is longer is cut

std::string Who(const v1::ExternalScorerConfig& config) {
  return absl::StrCat("external scorer '", config.name(), "' at ", PrintableUrl(config.address()));
}

}  // namespace

absl::StatusOr<v1::ScoreSamplesRequest> MakeScoreSamplesRequest(const ScoringGroup& group) {
  v1::ScoreSamplesRequest request;
  *request.mutable_prompt() = group.prompt;
  for (size_t i = 0; i < group.size(); ++i) {
    v1::ExternalSample& sample = *request.add_samples();
    if (group.prompt.task() == v1::TASK_KIND_TEXT) {
      sample.set_text(unicode::RepairUtf8(group.texts[i]));
      continue;
    }
    absl::StatusOr<std::string> png = EncodePng(group.images[i]);
    if (!png.ok()) return Named(absl::StrCat("sample ", i), png.status());
    sample.set_png(*std::move(png));
  }
  return request;
}

absl::StatusOr<std::vector<SampleScore>> ReadExternalScores(const v1::ScoreSamplesResponse& response,
                                                            size_t count, const std::string& digest) {
  if (absl::Status same = CheckUnchanged(digest, response.digest()); !same.ok()) return same;
  if (static_cast<size_t>(response.scores_size()) != count) {
    return BadAnswer(
        absl::StrCat("answered with ", response.scores_size(), " scores for ", count, " samples"));
  }
  std::vector<SampleScore> scores;
  for (const v1::ExternalScore& score : response.scores()) {
    const std::optional<double> share = AsShare(score.value());
    if (!share.has_value()) {
      return BadAnswer(absl::StrCat("scored sample ", scores.size(), " with ", Digits(score.value()),
                                    "; scores must be 0 to 1"));
    }
    scores.push_back(
        {.value = static_cast<float>(*share), .detail = OneLine(score.detail(), kMostDetail), .maps = {}});
  }
  return scores;
}

ExternalScorer::ExternalScorer(const v1::ExternalScorerConfig& config, std::unique_ptr<ExternalLink> link,
                               std::string remote_digest)
    : config_(config), link_(std::move(link)), remote_digest_(std::move(remote_digest)) {}

absl::StatusOr<std::unique_ptr<ExternalScorer>> ExternalScorer::Create(const v1::ExternalScorerConfig& config,
                                                                       LinkOptions options) {
  if (config.timeout_seconds() > 0) options.deadline = absl::Seconds(config.timeout_seconds());
  if (IsHttpAddress(config.address())) return Create(config, MakeJsonLink(config.address(), options));
  return Create(config, MakeGrpcLink(config.address(), options));
}

absl::StatusOr<std::unique_ptr<ExternalScorer>> ExternalScorer::Create(const v1::ExternalScorerConfig& config,
                                                                       std::unique_ptr<ExternalLink> link) {
  absl::StatusOr<std::string> digest = link->Describe();
  if (absl::IsDeadlineExceeded(digest.status())) digest = absl::UnavailableError(digest.status().message());
  if (digest.ok()) {
    if (absl::Status checked = CheckRemoteDigest(*digest); !checked.ok()) digest = checked;
  }
  if (!digest.ok()) return Named(Who(config), digest.status());
  return std::unique_ptr<ExternalScorer>(new ExternalScorer(config, std::move(link), *std::move(digest)));
}

bool ExternalScorer::AppliesTo(const v1::PromptRecord& prompt) const {
  return AppliesToTask(config_, prompt.task());
}

absl::StatusOr<std::vector<SampleScore>> ExternalScorer::ScoreGroup(const ScoringGroup& group) {
  const absl::StatusOr<v1::ScoreSamplesRequest> request = MakeScoreSamplesRequest(group);
  if (!request.ok()) return Named(Who(config_), request.status());
  const absl::StatusOr<v1::ScoreSamplesResponse> response = link_->ScoreSamples(*request);
  if (!response.ok()) return Named(Who(config_), response.status());
  absl::StatusOr<std::vector<SampleScore>> scores =
      ReadExternalScores(*response, group.size(), remote_digest_);
  if (!scores.ok()) return Named(Who(config_), scores.status());
  return scores;
}

}  // namespace lvrpo
