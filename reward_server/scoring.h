#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "proto/lvrpo/v1/reward.pb.h"
#include "reward_server/scorer.h"

namespace lvrpo {

// Checks a request and turns it into images or texts. InvalidArgument names the item that is wrong.
absl::StatusOr<ScoringBatch> DecodeRequest(const v1::ScoreRequest& request);

// The scorers of one server and how their scores are combined. Not thread-safe: one compute thread owns it.
class ScorerSet {
 public:
  // `weights`: component -> weight (reward_server/combine.h). A scorer whose weight is missing is not run.
  ScorerSet(std::vector<std::unique_ptr<Scorer>> scorers, std::map<std::string, double> weights);

  // Runs every scorer that applies. A scorer that fails, throws, answers for the wrong number of samples or
  // gives a non-finite score makes its own components SCORER_FAILED and nothing else. Samples that no scorer
  // applies to get one component, "none", that is INVALID_INPUT, and are not complete.
  v1::ScoreResponse Score(const ScoringBatch& batch);

  // Component -> digest.
  std::map<std::string, std::string> Digests() const;

 private:
  std::vector<std::unique_ptr<Scorer>> scorers_;
  std::map<std::string, double> weights_;
};

}  // namespace lvrpo
