#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "proto/lvrpo/v1/config.pb.h"
#include "reward_server/remote/external_link.h"
#include "reward_server/scoring/scorer.h"

namespace lvrpo {

// A user-defined reward, computed by a remote service (docs/remote_scorers.md). Its answers are validated:
// anything but one finite score of 0 to 1 per sample, from the scorer that was described at the start, is a
// failure. Errors name the component and its address.
class ExternalScorer : public Scorer {
 public:
  // Queries the scorer's digest. Over `link`; or over HTTP or gRPC as config.address says, within
  // config.timeout_seconds instead of options.deadline when they are set. Unavailable when it cannot be
  // reached in that time.
  static absl::StatusOr<std::unique_ptr<ExternalScorer>> Create(const v1::ExternalScorerConfig& config,
                                                                LinkOptions options);
  static absl::StatusOr<std::unique_ptr<ExternalScorer>> Create(const v1::ExternalScorerConfig& config,
                                                                std::unique_ptr<ExternalLink> link);

  std::string name() const override { return config_.name(); }
  std::string digest() const override { return "external/" + config_.name() + "/" + remote_digest_; }
  bool AppliesTo(const v1::PromptRecord& prompt) const override;
  absl::StatusOr<std::vector<SampleScore>> ScoreGroup(const ScoringGroup& group) override;

 private:
  ExternalScorer(const v1::ExternalScorerConfig& config, std::unique_ptr<ExternalLink> link,
                 std::string remote_digest);

  const v1::ExternalScorerConfig config_;
  const std::unique_ptr<ExternalLink> link_;
  const std::string remote_digest_;
};

// The request to an external scorer. InvalidArgument for a sample that cannot be sent.
absl::StatusOr<v1::ScoreSamplesRequest> MakeScoreSamplesRequest(const ScoringGroup& group);

// The scores in a response for `count` samples by the scorer of that digest. FailedPrecondition when another
// scorer answered, DataLoss for any malformed response.
absl::StatusOr<std::vector<SampleScore>> ReadExternalScores(const v1::ScoreSamplesResponse& response,
                                                            size_t count, const std::string& digest);

}  // namespace lvrpo
