#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "proto/lvrpo/v1/reward.pb.h"
#include "reward_server/scorer.h"
#include "reward_server/scorer_lane.h"

namespace lvrpo {

// Checks a request and turns it into images or texts. InvalidArgument names the item that is wrong.
absl::StatusOr<ScoringBatch> DecodeRequest(const v1::ScoreRequest& request);

// The scorers of one server and how their scores are combined.
class ScorerSet {
 public:
  // What became of a batch at one scorer.
  struct Answer {
    const Scorer* scorer;
    LaneAnswer answer;
  };

  // `weights`: component -> weight (reward_server/combine.h). A scorer whose weight is missing is not run.
  ScorerSet(std::vector<std::unique_ptr<Scorer>> scorers, std::map<std::string, double> weights);

  // Runs every scorer that applies. A scorer that fails, throws, answers for the wrong number of samples or
  // gives a non-finite score makes its own components SCORER_FAILED and nothing else. Samples that no scorer
  // applies to get one component, "none", that is INVALID_INPUT, and are not complete. Called by one thread
  // at a time.
  v1::ScoreResponse Score(const ScoringBatch& batch);

  // The response for a batch out of what the scorers that apply have answered. Thread-safe.
  v1::ScoreResponse Assemble(const ScoringBatch& batch, std::vector<Answer> answers) const;

  std::span<const std::unique_ptr<Scorer>> scorers() const { return scorers_; }

  // Component -> digest.
  std::map<std::string, std::string> Digests() const;

 private:
  std::vector<std::unique_ptr<Scorer>> scorers_;
  std::map<std::string, double> weights_;
};

}  // namespace lvrpo
