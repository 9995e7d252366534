#include "coordinator/state/consequence.h"

#include <limits>

#include "common/words/words.h"
#include "gtest/gtest.h"

namespace lvrpo {
namespace {

TEST(Consequence, OfReturnedLeases) {
  for (int number = 1; number <= v1::ReturnReason_MAX; ++number) {
    const auto reason = static_cast<v1::ReturnReason>(number);
    const Outcome outcome = OfReturn(reason);
    switch (reason) {
      case v1::RETURN_BAD_PROMPT:
        EXPECT_EQ(outcome.consequence, Consequence::kRetire);
        EXPECT_EQ(outcome.reason, v1::RETIRE_BAD_PROMPT);
        break;
      case v1::RETURN_REWARD_FAILED:
        EXPECT_EQ(outcome.consequence, Consequence::kFail);
        EXPECT_EQ(outcome.reason, v1::RETIRE_REWARD_FAILED);
        break;
      default:  // outages never cost a prompt
        EXPECT_EQ(outcome.consequence, Consequence::kPlanAgain) << Word(reason);
    }
  }
}

TEST(Consequence, OfFaults) {
  struct {
    v1::RetireReason fault;
    Consequence consequence;
  } cases[] = {{v1::RETIRE_ZERO_VARIANCE, Consequence::kRetire},
               {v1::RETIRE_BAD_PROMPT, Consequence::kRetire},
               {v1::RETIRE_NO_REWARD, Consequence::kRetire},
               {v1::RETIRE_REWARD_FAILED, Consequence::kFail},
               {v1::RETIRE_REWARD_NOT_FINITE, Consequence::kFail},
               {v1::RETIRE_LOG_PROBS_NOT_FINITE, Consequence::kFail},
               {v1::RETIRE_TRAJECTORY_LOST, Consequence::kFail},
               {v1::RETIRE_UNTRAINABLE, Consequence::kFail},
               {v1::RETIRE_STALE, Consequence::kPlanAgain}};
  for (const auto& c : cases) EXPECT_EQ(OfFault(c.fault), c.consequence) << Word(c.fault);
  EXPECT_EQ(std::size(cases), static_cast<size_t>(v1::RetireReason_MAX));  // each has its row
}

TEST(Consequence, OfSamples) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  struct {
    v1::ComponentScore::Outcome outcome;
    float score, reward;
    v1::RetireReason fault;
  } cases[] = {{v1::ComponentScore::OK, 1, 1, v1::RETIRE_UNSPECIFIED},
               {v1::ComponentScore::OK, nan, 1, v1::RETIRE_REWARD_NOT_FINITE},
               {v1::ComponentScore::OK, 1, nan, v1::RETIRE_REWARD_NOT_FINITE},
               {v1::ComponentScore::INVALID_INPUT, 0, 0, v1::RETIRE_BAD_PROMPT},
               {v1::ComponentScore::SCORER_FAILED, 0, 0, v1::RETIRE_REWARD_FAILED},
               {v1::ComponentScore::TIMED_OUT, 0, 0, v1::RETIRE_REWARD_FAILED}};
  for (const auto& c : cases) {
    v1::SubmitGroupRequest request;
    v1::SampleSummary& sample = *request.add_samples();
    sample.set_reward(c.reward);
    v1::ComponentScore& score = *sample.add_scores();
    score.set_outcome(c.outcome);
    score.set_score(c.score);
    EXPECT_EQ(SamplesFault(request.samples()), c.fault) << Word(c.fault);
    sample.clear_scores();
    sample.set_reward(1);
    EXPECT_EQ(SamplesFault(request.samples()), v1::RETIRE_NO_REWARD);
  }
}

}  // namespace
}  // namespace lvrpo
