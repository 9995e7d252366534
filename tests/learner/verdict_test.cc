#include "learner/step/verdict.h"

#include "gtest/gtest.h"

namespace lvrpo {
namespace {

TEST(Judge, FindsWhoseFaultItIs) {
  const absl::Status ok,
      nonfinite = absl::InvalidArgumentError("not finite"), threw = absl::InternalError("threw"),
      memory = absl::ResourceExhaustedError("memory"), diverged = absl::OutOfRangeError("diverged");
  struct Case {
    absl::Status together;
    std::vector<absl::Status> alone;
    absl::Status policy;
    Fault fault;
  };
  for (const Case& c : std::vector<Case>{
           {ok, {ok, nonfinite}, ok, Fault::kGroups},
           {ok, {nonfinite, nonfinite}, ok, Fault::kGroups},  // the policy is fine: both are bad
           {threw, {threw, ok}, ok, Fault::kGroups},
           {memory, {ok, memory}, ok, Fault::kGroups},       // larger than the others
           {memory, {memory, memory}, ok, Fault::kMachine},  // all have the run's size
           {memory, {ok, ok}, ok, Fault::kMachine},          // together too much
           {threw, {ok, ok}, ok, Fault::kMachine},           // did not come again
           {ok, {ok, ok}, ok, Fault::kPolicy},               // their sum alone is not finite
           {ok, {nonfinite, ok}, diverged, Fault::kPolicy},
           {threw, {threw, ok}, threw, Fault::kMachine},  // nothing works here
       }) {
    EXPECT_EQ(Judge(c.together, c.alone, c.policy), c.fault)
        << c.together << " " << c.alone[0] << " " << c.alone[1] << " " << c.policy;
  }
}

}  // namespace
}  // namespace lvrpo
