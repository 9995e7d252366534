#include "learner/ranks/step_agreement.h"

#include <functional>
#include <thread>
#include <vector>

#include "collectives/in_process.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace lvrpo {
namespace {

using Verdict = StepAgreement::Verdict;
using Word = StepAgreement::Word;
using ::testing::HasSubstr;

// Runs all ranks, each in a thread; `rank` may end it by destroying its communicator.
void OnRanks(int size, const std::function<void(int, std::unique_ptr<Collectives>&)>& rank) {
  std::vector<std::unique_ptr<Collectives>> ranks = MakeInProcess(size, absl::Seconds(60));
  std::vector<std::thread> threads;
  for (int i = 0; i < size; ++i) threads.emplace_back([&, i] { rank(i, ranks[static_cast<size_t>(i)]); });
  for (std::thread& thread : threads) thread.join();
}

TEST(StepAgreement, EveryRanksWordCounts) {
  const Word ready = {.assigned = true, .assignment = 7};
  const Word other = {.assigned = true, .assignment = 8};
  const Word waiting = {}, stopping = {.stopping = true};
  const Word stopping_ready = {.stopping = true, .assigned = true, .assignment = 7};
  const Word unusable = {.unusable = true, .assigned = true, .assignment = 7};
  struct {
    const char* what;
    std::vector<Word> words;
    Verdict verdict;
  } cases[] = {
      {"one rank is ready", {ready}, Verdict::kTrain},
      {"one rank waits", {waiting}, Verdict::kAskAgain},
      {"one rank stops", {stopping}, Verdict::kStop},
      {"one rank cannot read a group", {unusable}, Verdict::kAskAgain},
      {"all are ready", {ready, ready, ready}, Verdict::kTrain},
      {"nothing is assigned yet", {waiting, waiting}, Verdict::kAskAgain},
      {"one was told later", {ready, waiting, ready}, Verdict::kAskAgain},
      {"they were told different things", {ready, ready, other}, Verdict::kAskAgain},
      {"in another order", {other, ready}, Verdict::kAskAgain},
      {"one cannot read a group", {ready, unusable}, Verdict::kAskAgain},
      {"one was told to leave", {ready, stopping_ready, ready}, Verdict::kStop},
      {"the run drains, which one has not heard", {{.draining = true}, stopping_ready}, Verdict::kDrain},
      {"one leaves, another waits", {waiting, stopping}, Verdict::kStop},
      {"one leaves, another has lost groups", {stopping_ready, unusable}, Verdict::kStop},
  };
  for (const auto& c : cases) {
    OnRanks(static_cast<int>(c.words.size()), [&](int rank, std::unique_ptr<Collectives>& ranks) {
      StepAgreement agreement(c.words.size() == 1 ? nullptr : ranks.get());
      const absl::StatusOr<Verdict> verdict = agreement.Agree(c.words[static_cast<size_t>(rank)]);
      ASSERT_TRUE(verdict.ok()) << c.what;
      EXPECT_EQ(*verdict, c.verdict) << c.what << ", rank " << rank;
    });
  }
}

TEST(StepAgreement, RankZeroIsHeardByAll) {
  for (const int size : {1, 2, 3}) {
    OnRanks(size, [&](int rank, std::unique_ptr<Collectives>& ranks) {
      StepAgreement agreement(size == 1 ? nullptr : ranks.get());
      EXPECT_EQ(agreement.rank(), rank);
      EXPECT_EQ(agreement.size(), size);
      for (const std::string& words : {std::string("committed"), std::string(), std::string("\0a\xff", 3)})
        EXPECT_EQ(*agreement.Tell(rank == 0 ? words : "what nobody hears"), words);
    });
  }
}

TEST(StepAgreement, OneRanksErrorIsEveryones) {
  OnRanks(3, [&](int rank, std::unique_ptr<Collectives>& ranks) {
    StepAgreement agreement(ranks.get());
    EXPECT_TRUE(agreement.AgreeOn(absl::OkStatus()).ok());
    const absl::Status damaged = absl::DataLossError("damaged");
    const absl::Status agreed = agreement.AgreeOn(rank == 1 ? damaged : absl::OkStatus());
    if (rank == 1) {
      EXPECT_EQ(agreed, damaged);
    } else {
      EXPECT_TRUE(absl::IsAborted(agreed));
      EXPECT_THAT(agreed.message(), HasSubstr("rank 1 of the learner cannot go on"));
    }
  });
  StepAgreement alone(nullptr);
  EXPECT_TRUE(alone.AgreeOn(absl::OkStatus()).ok());
  EXPECT_TRUE(absl::IsDataLoss(alone.AgreeOn(absl::DataLossError("damaged"))));
}

TEST(StepAgreement, ARankThatIsGoneEndsIt) {
  OnRanks(2, [&](int rank, std::unique_ptr<Collectives>& ranks) {
    if (rank == 1) {
      ranks.reset();
      return;
    }
    StepAgreement agreement(ranks.get());
    EXPECT_TRUE(absl::IsAborted(agreement.Agree({}).status()));
    EXPECT_TRUE(absl::IsAborted(agreement.Tell("anybody there?").status()));
    EXPECT_TRUE(absl::IsAborted(agreement.AgreeOn(absl::OkStatus())));
  });
}

TEST(Ranks, AFingerprintIsOfAllThatDecidesAStep) {
  v1::AssignStepResponse assignment;
  for (int ordinal = 0; ordinal < 2; ++ordinal) {
    v1::AssignedGroup& group = *assignment.add_groups();
    group.set_ordinal(ordinal);
    group.set_trajectory_digest("bytes");
  }
  const int64_t print = FingerprintOf(3, assignment);
  EXPECT_GE(print, 0);
  EXPECT_EQ(FingerprintOf(3, assignment), print);
  EXPECT_NE(FingerprintOf(4, assignment), print);
  const std::function<void(v1::AssignedGroup&)> changes[] = {
      [](auto& group) { group.set_ordinal(9); }, [](auto& group) { group.set_attempt(1); },
      [](auto& group) { group.set_rank(1); }, [](auto& group) { group.set_trajectory_digest("others"); }};
  for (const auto& change : changes) {
    v1::AssignStepResponse other = assignment;
    change(*other.mutable_groups(1));
    EXPECT_NE(FingerprintOf(3, other), print);
  }
}

TEST(StepAgreement, AllHearWhatEachSays) {
  const std::vector<std::string> words = {"zero", "", std::string(300, 'x') + '\0' + "end"};
  OnRanks(3, [&](int rank, std::unique_ptr<Collectives>& ranks) {
    StepAgreement agreement(ranks.get());
    const absl::StatusOr<std::vector<std::string>> said = agreement.Gather(words[static_cast<size_t>(rank)]);
    ASSERT_TRUE(said.ok()) << said.status();
    EXPECT_EQ(*said, words);
    EXPECT_EQ(agreement.Gather("").value(), std::vector<std::string>(3));
    if (rank == 1) return ranks.reset();
    EXPECT_TRUE(absl::IsAborted(agreement.Gather("alone").status()));
  });
  EXPECT_EQ(StepAgreement(nullptr).Gather("one").value(), std::vector<std::string>{"one"});
}

v1::LearnerEpoch Epoch(const std::string& id, int ranks, const std::vector<std::string>& processes) {
  v1::LearnerEpoch epoch;
  epoch.set_id(id);
  epoch.set_ranks(ranks);
  for (size_t rank = 0; rank < processes.size(); ++rank) {
    if (processes[rank].empty()) continue;  // it is not there
    v1::LearnerRank& present = *epoch.add_present();
    present.set_rank(static_cast<int>(rank));
    present.set_member_id("learner-" + std::to_string(rank));
    present.set_process(processes[rank]);
  }
  return epoch;
}

TEST(Ranks, WhenAnEpochIsOver) {
  const v1::LearnerEpoch own = Epoch("E", 2, {"a", "b"});
  struct {
    const char* what;
    v1::LearnerEpoch now;
    const char* why;
  } cases[] = {
      {"nothing has changed", own, ""},
      {"the coordinator has restarted", Epoch("", 0, {}), ""},
      {"rank 1 is not back yet", Epoch("", 2, {"a"}), ""},
      {"this rank is not back yet", Epoch("", 2, {"", "b"}), ""},
      {"rank 1 was replaced", Epoch("F", 2, {"a", "c"}),
       "rank 1 (learner-1) is another process now: the learner starts again"},
      {"rank 1 was replaced, and this rank is not back", Epoch("", 2, {"", "c"}),
       "rank 1 (learner-1) is another process now: the learner starts again"},
      {"another set", Epoch("F", 2, {"c", "d"}),
       "rank 0 (learner-0) is another process now: the learner starts again"},
      {"more ranks", Epoch("", 3, {"", "", "c"}),
       "the learner has 3 ranks now, and not 2: the learner starts again"},
  };
  for (const auto& c : cases) {
    const absl::Status status = CheckOwnEpoch(own, c.now);
    EXPECT_EQ(status.message(), c.why) << c.what;
    EXPECT_EQ(status.ok(), *c.why == 0) << c.what;
    EXPECT_TRUE(status.ok() || absl::IsAborted(status)) << c.what;
  }
  EXPECT_TRUE(CheckOwnEpoch(Epoch("", 0, {}), Epoch("F", 2, {"a", "b"})).ok());  // it has joined none
}

}  // namespace
}  // namespace lvrpo
