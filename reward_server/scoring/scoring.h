#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "proto/lvrpo/v1/reward.pb.h"
#include "reward_server/scoring/scorer.h"
#include "reward_server/scoring/scorer_lane.h"

namespace lvrpo {

// "disagreement", a guard: the largest of a sample's component scores less the smallest; 0 of fewer than two.
float Disagreement(const std::vector<v1::ComponentScore>& scores);

// The scorers of one server and how their scores are combined.
class ScorerSet {
 public:
  // What became of a group at one scorer.
  struct Answer {
    const Scorer* scorer;
    LaneAnswer answer;
  };

  // `weights`: component -> weight (common/config/reward_config.h). `logged`: components and guards that are
  // shown and are no part of the reward. A scorer that is in neither is not run.
  ScorerSet(std::vector<std::unique_ptr<Scorer>> scorers, std::map<std::string, double> weights,
            std::set<std::string> logged = {});

  // Runs every scorer that applies. A scorer that fails, throws, answers for the wrong number of samples or
  // gives a non-finite score makes its own components SCORER_FAILED and nothing else. Samples that no scorer
  // with a weight applies to get one component, "none", that is INVALID_INPUT, and are not complete. Called
  // by one thread at a time.
  v1::ScoreResponse Score(const ScoringGroup& group);

  // The response for a group out of what the scorers that apply have answered. Thread-safe.
  v1::ScoreResponse Assemble(const ScoringGroup& group, const std::vector<Answer>& answers) const;

  std::span<const std::unique_ptr<Scorer>> scorers() const { return scorers_; }
  // Whether a scorer is a part of the reward; the others are only logged.
  bool Counts(const Scorer& scorer) const { return weights_.contains(scorer.name()); }

  // Component -> digest.
  std::map<std::string, std::string> Digests() const;

 private:
  // Files what one scorer said about sample `index` where it belongs.
  void Add(const Answer& answer, size_t index, v1::ItemScore& item) const;

  std::vector<std::unique_ptr<Scorer>> scorers_;
  std::map<std::string, double> weights_;
  std::set<std::string> logged_;
};

}  // namespace lvrpo
