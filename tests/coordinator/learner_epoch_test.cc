#include "coordinator/learner_epoch.h"

#include "gtest/gtest.h"

namespace lvrpo {
namespace {

LearnerProcessFacts Process(int rank, int ranks, const std::string& token, const std::string& joined = "") {
  LearnerProcessFacts process = {
      .member = "learner-" + std::to_string(rank), .address = "host:1", .process = token};
  process.place.set_rank(rank);
  process.place.set_ranks(ranks);
  process.place.set_rendezvous("host:" + std::to_string(rank + 2));
  process.place.set_learner_epoch(joined);
  return process;
}

LearnerProcessFacts Silent(LearnerProcessFacts process) {
  process.heard = false;
  return process;
}

std::string IdOf(const std::vector<LearnerProcessFacts>& processes) { return LearnerEpochOf(processes).id(); }

TEST(LearnerEpoch, OneProcessIsComplete) {
  const v1::LearnerEpoch epoch = LearnerEpochOf({Process(0, 1, "a")});
  EXPECT_TRUE(epoch.complete());
  EXPECT_EQ(epoch.ranks(), 1);
  EXPECT_EQ(epoch.id().size(), 64u);
  EXPECT_EQ(LookAtRanks(epoch).missing, "");
  EXPECT_TRUE(CheckLearnerEpoch(epoch.id(), epoch).ok());
}

TEST(LearnerEpoch, TheIdIsOfTheProcessesByRank) {
  const std::string id = IdOf({Process(0, 2, "a"), Process(1, 2, "b")});
  EXPECT_EQ(IdOf({Process(1, 2, "b"), Process(0, 2, "a")}), id);  // whoever came first
  const std::vector<std::vector<LearnerProcessFacts>> others = {{Process(0, 2, "b"), Process(1, 2, "a")},
                                                                {Process(0, 2, "a"), Process(1, 2, "c")},
                                                                {Process(0, 2, "ab"), Process(1, 2, "")},
                                                                {Process(0, 1, "a")}};
  for (const auto& other : others) EXPECT_NE(IdOf(other), id);
}

TEST(LearnerEpoch, WhatIsThereAndWhatIsMissing) {
  const std::string id = IdOf({Process(0, 2, "a"), Process(1, 2, "b")});
  const std::string other = IdOf({Process(0, 2, "a"), Process(1, 2, "c")});
  struct {
    const char* what;
    std::vector<LearnerProcessFacts> processes;
    bool complete;
    int have;
    const char* missing;
  } cases[] = {
      {"nobody", {}, false, 0, ""},
      {"both", {Process(0, 2, "a"), Process(1, 2, "b")}, true, 2, ""},
      {"rank 0 alone", {Process(0, 2, "a")}, false, 1, "rank 1 is not"},
      {"rank 1 alone", {Process(1, 2, "b")}, false, 1, "rank 0 is not"},
      {"one of many", {Process(2, 7, "c")}, false, 1, "ranks 0, 1, 3 and 3 more are not"},
      {"both have joined this epoch", {Process(0, 2, "a", id), Process(1, 2, "b", id)}, true, 2, ""},
      {"one has, the other will", {Process(0, 2, "a", id), Process(1, 2, "b")}, true, 2, ""},
      {"one was not heard since the other came, and may be dead",
       {Silent(Process(0, 2, "a")), Process(1, 2, "b")},
       false,
       2,
       "one was not heard since the others came"},
      {"it was, and has joined this epoch: they train already",
       {Silent(Process(0, 2, "a", id)), Process(1, 2, "b", id)},
       true,
       2,
       ""},
      {"one trained with a process that is gone",
       {Process(0, 2, "a", other), Process(1, 2, "b")},
       false,
       1,
       "learner-0 trained with other processes and has to start again"},
  };
  for (const auto& c : cases) {
    const v1::LearnerEpoch epoch = LearnerEpochOf(c.processes);
    EXPECT_EQ(epoch.complete(), c.complete) << c.what;
    const RanksThere there = LookAtRanks(epoch);
    EXPECT_EQ(there.have, c.have) << c.what;
    EXPECT_EQ(there.missing, c.missing) << c.what;
  }
}

TEST(LearnerEpoch, AWriteIsOfTheEpochThatIsThere) {
  using Code = absl::StatusCode;
  const std::string id = IdOf({Process(0, 2, "a"), Process(1, 2, "b")});
  struct {
    const char* what;
    std::vector<LearnerProcessFacts> now;
    Code code;
  } cases[] = {
      {"its own", {Process(0, 2, "a"), Process(1, 2, "b")}, Code::kOk},
      {"the coordinator has restarted, rank 1 is not back yet", {Process(0, 2, "a", id)}, Code::kUnavailable},
      {"rank 1 is another process", {Process(0, 2, "a"), Process(1, 2, "c")}, Code::kAborted},
      {"the same, and it knows", {Process(0, 2, "a", id), Process(1, 2, "c")}, Code::kAborted},
      {"as many ranks as before, and none of them", {Process(0, 2, "c"), Process(1, 2, "d")}, Code::kAborted},
      {"one rank", {Process(0, 1, "a")}, Code::kAborted},
      {"more ranks, which are not all there", {Process(0, 3, "c")}, Code::kUnavailable},
  };
  for (const auto& c : cases)
    EXPECT_EQ(CheckLearnerEpoch(id, LearnerEpochOf(c.now)).code(), c.code) << c.what;
  EXPECT_FALSE(CheckLearnerEpoch("", LearnerEpochOf({})).ok());
}

TEST(LearnerEpoch, WhoMayJoin) {
  struct {
    const char* what;
    LearnerProcessFacts joins;
    std::vector<LearnerProcessFacts> there;
    const char* conflict;
  } cases[] = {
      {"the first", Process(1, 2, "a"), {}, ""},
      {"the other rank", Process(1, 2, "b"), {Process(0, 2, "a")}, ""},
      {"its own name again", Process(1, 2, "b"), {Process(0, 2, "a"), Process(1, 2, "c")}, ""},
      {"another number of ranks",
       Process(1, 3, "b"),
       {Process(0, 2, "a")},
       "learner-1 is one of 3 learner ranks, and learner-0 one of 2: start all with the same --ranks, once "
       "the "
       "others have left"},
      {"alone again, where it was one of two", Process(0, 1, "b"), {Process(0, 2, "a")}, ""},
  };
  for (const auto& c : cases) EXPECT_EQ(RankConflict(c.joins, c.there), c.conflict) << c.what;
  LearnerProcessFacts named = Process(0, 2, "b");
  named.member = "trainer";
  EXPECT_EQ(RankConflict(named, {Process(0, 2, "a")}),
            "learner-0 is rank 0 of the learner of this run; trainer may join when it has left");
}

}  // namespace
}  // namespace lvrpo
