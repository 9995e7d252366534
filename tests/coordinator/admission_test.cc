#include "coordinator/state/admission.h"

#include <functional>

#include "gtest/gtest.h"

namespace lvrpo {
namespace {

using Kind = Blocker::Kind;

v1::PolicyVersion Weights(int64_t number, const std::string& digest) {
  v1::PolicyVersion version;
  version.set_number(number);
  version.set_digest(digest);
  return version;
}

const absl::Time kTime = absl::FromUnixSeconds(1000);

TEST(Admission, OneRuleAfterTheOther) {
  struct {
    const char* what;
    std::function<void(LeaseApplication&, AdmissionFacts&)> change;
    Kind kind;
    const char* words;
  } cases[] = {
      {"nothing is in the way", [](auto&, auto&) {}, Kind::kNothing, ""},
      {"the run drains", [](auto& a, auto&) { a.draining = true; }, Kind::kDraining,
       "nothing: the run is draining"},
      {"no learner", [](auto& a, auto&) { a.learner_is_here = false; }, Kind::kJoin, "a learner to join"},
      {"a rank of the learner is missing",
       [](auto& a, auto&) { a.ranks = {.have = 1, .total = 2, .missing = "rank 1 is not"}; }, Kind::kRanks,
       "learner ranks: 1 of 2 are there, rank 1 is not"},
      {"nobody scores", [](auto& a, auto&) { a.reward_server_is_here = false; }, Kind::kJoin,
       "a reward server to join"},
      {"all steps are taken", [](auto&, auto& f) { f.finished = true; }, Kind::kFinished,
       "nothing: the run has finished"},
      {"the learner loads", [](auto&, auto& f) { f.started = false; }, Kind::kStart,
       "the learner to load its weights"},
      {"older weights", [](auto& a, auto&) { a.version = Weights(2, "two"); }, Kind::kWeights,
       "weights of version 3 (three) at w0, which holds 2 (two)"},
      {"other weights of that number", [](auto& a, auto&) { a.version = Weights(3, "other"); },
       Kind::kWeights, "weights of version 3 (three) at w0, which holds 3 (other)"},
      {"late for another moment", [](auto&, auto& f) { f.late_until = kTime + absl::Nanoseconds(1); },
       Kind::kLate, "w0 held a group for 1m without delivering it: others go first"},
      {"late until now", [](auto&, auto& f) { f.late_until = kTime; }, Kind::kNothing, ""},
      {"as many groups as may be open", [](auto&, auto& f) { f.open_groups = 4; }, Kind::kStep,
       "step 3 of the learner"},
      {"one of them waits for a worker",
       [](auto&, auto& f) {
         f.open_groups = 4;
         f.ordinal_is_planned = true;
       },
       Kind::kNothing, ""},
      {"what ends the run comes first",
       [](auto& a, auto& f) {
         a.draining = true;
         a.learner_is_here = false;
         f.finished = true;
       },
       Kind::kDraining, "nothing: the run is draining"},
  };
  for (const auto& c : cases) {
    LeaseApplication application{.member = "w0", .version = Weights(3, "three")};
    AdmissionFacts facts;
    facts.now = kTime;
    facts.started = true;
    facts.step = 3;
    facts.current = Weights(3, "three");
    facts.lease_limit = absl::Minutes(1);
    facts.open_groups = 3;
    facts.most_open_groups = 4;
    c.change(application, facts);
    const Blocker blocker = Admit(application, facts);
    EXPECT_EQ(blocker.kind, c.kind) << c.what;
    EXPECT_EQ(InWords(blocker), c.words) << c.what;
  }
}

TEST(Admission, NoGroupIsOpenedThatCouldBecomeTooOldOrWouldNeverBeUsed) {
  EXPECT_EQ(MostOpenGroups(/*max_staleness=*/0, /*groups_per_step=*/8, /*steps_left=*/100), 8);
  EXPECT_EQ(MostOpenGroups(2, 8, 100), 24);
  EXPECT_EQ(MostOpenGroups(2, 8, 1), 8);
  EXPECT_EQ(MostOpenGroups(2, 8, 0), 0);
}

}  // namespace
}  // namespace lvrpo
