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

// "disagreement", a guard: the largest of a sample's component scores minus the smallest; 0 for fewer than
// two.
float Disagreement(const std::vector<v1::ComponentScore>& scores);

// The scorers of one server and how their scores are combined.
class ScorerSet {
 public:
  // One scorer's answer for a group.
  struct Answer {
    const Scorer* scorer;
    LaneAnswer answer;
  };

  // `weights`: component -> weight (common/config/reward_config.h). `logged`: components and guards that are
  // logged but not part of the reward. A scorer in neither is not run.
  ScorerSet(std::vector<std::unique_ptr<Scorer>> scorers, std::map<std::string, double> weights,
            std::set<std::string> logged = {});

  // Runs every scorer that applies. A scorer that fails, throws, answers for the wrong number of samples or
  // returns a non-finite score makes only its own components SCORER_FAILED. Samples that no scorer with a
  // weight applies to get one component, "none", that is INVALID_INPUT, and are not complete. Called by one
  // thread at a time.
  v1::ScoreResponse Score(const ScoringGroup& group);

  // Assembles the response for a group from the answers of the scorers that apply. Thread-safe.
  v1::ScoreResponse Assemble(const ScoringGroup& group, const std::vector<Answer>& answers) const;

  std::span<const std::unique_ptr<Scorer>> scorers() const { return scorers_; }
  // Whether a scorer is a part of the reward; the others are only logged.
  bool Counts(const Scorer& scorer) const { return weights_.contains(scorer.name()); }

  // Component -> digest.
  std::map<std::string, std::string> Digests() const;

 private:
  // Adds one scorer's result for sample `index` to the response.
  void Add(const Answer& answer, size_t index, v1::ItemScore& item) const;

  std::vector<std::unique_ptr<Scorer>> scorers_;
  std::map<std::string, double> weights_;
  std::set<std::string> logged_;
};

}  // namespace lvrpo
