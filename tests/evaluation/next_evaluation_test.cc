#include "evaluation/next_evaluation.h"

#include <vector>

#include "gtest/gtest.h"

namespace lvrpo {
namespace {

TEST(NextEvaluation, IsTheNewestThatIsMissing) {
  struct Case {
    const char* promise;
    EvaluationFacts facts;
    std::optional<int64_t> next;
    bool done = false;
  };
  const std::set<int64_t> some = {25, 100, 125, 200}, all = {25, 100, 200, 300};
  for (const Case& c : std::vector<Case>{
           {"the base weights first", {300, 100, 0, false, {}, {}}, 0},
           {"also when it comes late", {300, 100, 250, false, {}, some}, 0},
           {"also after the end", {300, 100, 300, true, {}, all}, 0},
           {"nothing before the first multiple", {300, 100, 99, false, {0}, some}, std::nullopt},
           {"a multiple", {300, 100, 130, false, {0}, some}, 100},
           {"the newest, not each that was missed", {300, 100, 250, false, {0}, some}, 200},
           {"nothing twice", {300, 100, 250, false, {0, 200}, some}, std::nullopt},
           {"nothing whose checkpoint is not written yet",
            {300, 100, 200, false, {0, 100}, {100}},
            std::nullopt},
           {"only before and after", {300, 0, 250, false, {0}, some}, std::nullopt},
           {"the last step only when its checkpoint is recorded",
            {300, 100, 300, false, {0}, all},
            std::nullopt},
           {"the last step", {300, 100, 300, true, {0}, all}, 300},
           {"nothing when that is gone", {300, 100, 300, true, {0}, some}, std::nullopt},
           {"all done", {300, 100, 300, true, {0, 300}, {}}, std::nullopt, true},
       }) {
    EXPECT_EQ(NextEvaluation(c.facts), c.next) << c.promise;
    EXPECT_EQ(EvaluationIsDone(c.facts), c.done) << c.promise;
  }
}

}  // namespace
}  // namespace lvrpo
