#include "weight_plane/gang/gang_desk.h"

#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/fake_clock.h"
#include "tests/weight_plane/some_weights.h"
#include "weight_plane/gang/gang_end.h"

namespace lvrpo {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Answer = v1::AskGangResponse;

class GangDeskTest : public ::testing::Test {
 protected:
  GangDeskTest() {
    desk_.Open([] { return RequestOf("learner").fence(); });
  }

  std::shared_ptr<const PackedWeights> Offer(int64_t number) {
    auto weights = std::make_shared<const PackedWeights>(SomeWeights(number));
    desk_.Offer(weights);
    return weights;
  }
  static v1::AskGangRequest RequestOf(const std::string& id, int64_t incarnation = 1) {
    v1::AskGangRequest request;
    request.mutable_fence()->set_run_id("run");
    request.mutable_fence()->set_run_epoch(3);
    request.mutable_fence()->set_member_id(id);
    request.mutable_fence()->set_incarnation(incarnation);
    return request;
  }
  static v1::AskGangRequest RequestOf(const std::string& id, const PackedWeights& weights) {
    v1::AskGangRequest request = RequestOf(id);
    *request.mutable_version() = weights.manifest.version();
    return request;
  }
  Answer Ask(const v1::AskGangRequest& request) { return desk_.Ask(request).value(); }
  // What asking again gives, after others.
  Answer::Answer Kind(const v1::AskGangRequest& request) { return Ask(request).answer(); }
  // Each asks as often as it has to, until a broadcast begins.
  GangStart Begin(const std::vector<v1::AskGangRequest>& requests) {
    for (int i = 0; i < 6; ++i) {
      for (const v1::AskGangRequest& request : requests) EXPECT_EQ(Kind(request), Answer::WAIT);
      clock_.Advance(absl::Seconds(1));
    }
    return desk_.AwaitStart().value();
  }
  static std::vector<v1::GangPlan> PlansFor(const GangStart& start) {
    std::vector<v1::GangPlan> plans(start.there.size());
    for (size_t i = 0; i < plans.size(); ++i) plans[i].set_rank(static_cast<int>(i) + 1);
    return plans;
  }

  FakeClock clock_;
  GangDesk desk_{{}, clock_};
};

TEST_F(GangDeskTest, GivesEachItsPlanOnceABroadcastBegins) {
  const auto weights = Offer(4);
  const auto a = RequestOf("a", *weights), b = RequestOf("b", *weights);
  const GangStart start = Begin({a, b});
  EXPECT_EQ(start.weights, weights);
  ASSERT_EQ(start.there.size(), 2u);
  EXPECT_THAT(start.late, IsEmpty());
  EXPECT_EQ(Kind(a), Answer::WAIT) << "there are no plans yet";
  desk_.Issue(PlansFor(start));
  for (const auto& [request, rank] : {std::pair(a, 1), std::pair(b, 2)}) {
    EXPECT_EQ(Ask(request).plan().rank(), rank);
    EXPECT_EQ(Ask(request).plan().rank(), rank) << "an answer that was lost";
  }
  EXPECT_EQ(Kind(RequestOf("late", *weights)), Answer::FETCH);
  EXPECT_THAT(desk_.End(), IsEmpty());
  EXPECT_EQ(Kind(a), Answer::FETCH) << "it is over";
  // The late one is counted on in the next.
  const auto next = Offer(5);
  EXPECT_EQ(Kind(RequestOf("a", *next)), Answer::WAIT);
  EXPECT_EQ(Kind(RequestOf("b", *next)), Answer::WAIT);
  EXPECT_EQ(Kind(RequestOf("late", *next)), Answer::WAIT);
  EXPECT_EQ(desk_.AwaitStart()->there.size(), 3u);
}

TEST_F(GangDeskTest, NamesWhoDoesNotComeAndDoesNotWaitForItAgain) {
  auto weights = Offer(1);
  Begin({RequestOf("a", *weights), RequestOf("b", *weights)});
  EXPECT_THAT(desk_.End(), ElementsAre("a", "b")) << "no plan was taken";
  weights = Offer(2);
  EXPECT_THAT(Begin({RequestOf("a", *weights)}).late, ElementsAre("b"));
  desk_.End();
  weights = Offer(3);
  EXPECT_EQ(Kind(RequestOf("a", *weights)), Answer::WAIT);
  EXPECT_THAT(desk_.AwaitStart()->late, IsEmpty());
}

TEST_F(GangDeskTest, GathersForTheNextWhileABroadcastRuns) {
  auto weights = Offer(1);
  Begin({RequestOf("a", *weights)});
  weights = Offer(2);
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(Kind(RequestOf("a", *weights)), Answer::WAIT);
    clock_.Advance(absl::Seconds(1));
  }
  desk_.End();
  EXPECT_EQ(Kind(RequestOf("a", *weights)), Answer::WAIT);
  EXPECT_EQ(desk_.AwaitStart()->weights, weights);
}

TEST_F(GangDeskTest, MeasuresBeforeTheFirstVersionOnly) {
  EXPECT_EQ(Kind(RequestOf("a")), Answer::WAIT);
  const auto weights = Offer(1);
  EXPECT_EQ(Kind(RequestOf("b", *weights)), Answer::WAIT) << "it comes after the measurement";
  EXPECT_EQ(Begin({RequestOf("a")}).weights, nullptr);
  desk_.End();
  // Whoever wants to be measured later is counted on.
  EXPECT_EQ(Kind(RequestOf("c")), Answer::FETCH);
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(Kind(RequestOf("b", *weights)), Answer::WAIT);
    clock_.Advance(absl::Seconds(1));
  }
  EXPECT_EQ(Kind(RequestOf("b", *weights)), Answer::WAIT);
  EXPECT_THAT(desk_.AwaitStart()->late, ElementsAre("a", "c"));
}

TEST_F(GangDeskTest, AMeasurementWhoseWorkersDiedHoldsNothingUp) {
  EXPECT_EQ(Kind(RequestOf("a")), Answer::WAIT);
  const auto weights = Offer(1);
  clock_.Advance(absl::Seconds(3));
  EXPECT_EQ(Begin({RequestOf("b", *weights)}).weights, weights);
}

TEST_F(GangDeskTest, ServesNoOtherVersionThanTheNewest) {
  EXPECT_EQ(Kind(RequestOf("b", SomeWeights(1))), Answer::FETCH) << "none was offered";
  const auto old = Offer(1);
  EXPECT_EQ(Kind(RequestOf("a", *old)), Answer::WAIT);
  Offer(2);
  EXPECT_EQ(Kind(RequestOf("a", *old)), Answer::FETCH);
  EXPECT_THAT(Ask(RequestOf("a", *old)).why(), HasSubstr("version 1 is not broadcast"));
  EXPECT_EQ(Kind(RequestOf("a", SomeWeights(2, 'b'))), Answer::FETCH) << "the same number, other weights";
}

TEST_F(GangDeskTest, AProcessThatWasRestartedHasNotItsOldPlace) {
  const auto weights = Offer(1);
  const GangStart start = Begin({RequestOf("a", *weights), RequestOf("b", *weights)});
  desk_.Issue(PlansFor(start));
  v1::AskGangRequest again = RequestOf("a", *weights);
  again.mutable_fence()->set_incarnation(2);
  EXPECT_EQ(Kind(again), Answer::FETCH);
  EXPECT_EQ(Kind(RequestOf("a", *weights)), Answer::TAKE);
}

TEST_F(GangDeskTest, TakesAsksOfItsRunOnly) {
  const auto weights = Offer(1);
  v1::AskGangRequest request = RequestOf("a", *weights);
  request.mutable_fence()->set_run_epoch(2);
  EXPECT_TRUE(absl::IsFailedPrecondition(desk_.Ask(request).status()));
  request = RequestOf("a", *weights);
  request.mutable_fence()->set_run_id("other");
  EXPECT_TRUE(absl::IsFailedPrecondition(desk_.Ask(request).status()));
  for (const char* id : {"", "../a", "-a", "a b"})
    EXPECT_TRUE(absl::IsInvalidArgument(desk_.Ask(RequestOf(id)).status())) << id;
  request = RequestOf("a", *weights);
  request.mutable_member()->set_host(std::string(257, 'h'));
  EXPECT_TRUE(absl::IsInvalidArgument(desk_.Ask(request).status()));
  GangDesk not_open({}, clock_);
  EXPECT_EQ(not_open.Ask(RequestOf("a"))->answer(), Answer::WAIT) << "its run is not known yet";
}

TEST_F(GangDeskTest, TakesWorkersOfOtherMachinesOnlyWhereTheNetworkIsTrusted) {
  GangDesk desk({.only_host = "here"}, clock_);
  desk.Open([] { return RequestOf("learner").fence(); });
  v1::AskGangRequest request = RequestOf("a");
  request.mutable_member()->set_host("here");
  EXPECT_EQ(desk.Ask(request)->answer(), Answer::WAIT);
  request.mutable_member()->set_host("there");
  EXPECT_EQ(desk.Ask(request)->answer(), Answer::FETCH);
  EXPECT_THAT(desk.Ask(request)->why(), HasSubstr("learner.trusted_network"));
}

TEST_F(GangDeskTest, TellsEveryoneToFetchOnceItIsClosed) {
  const auto weights = Offer(1);
  EXPECT_EQ(Kind(RequestOf("a", *weights)), Answer::WAIT);
  desk_.Close("no NCCL");
  desk_.Close("a second reason");
  EXPECT_EQ(Ask(RequestOf("a", *weights)).why(), "no NCCL");
  EXPECT_FALSE(desk_.AwaitStart().has_value());
}

// ---- What a member takes from a learner.

v1::GangPlan GoodPlan(v1::GangPlan::Way way = v1::GangPlan::NEW) {
  v1::GangPlan plan;
  plan.set_way(way);
  plan.set_gang(5);
  plan.set_rank(1);
  plan.set_size(3);
  plan.set_chunk_bytes(1 << 20);
  if (way == v1::GangPlan::NEW || way == v1::GangPlan::JOIN) plan.set_unique_id(std::string(128, 'i'));
  if (way == v1::GangPlan::SHRINK) plan.add_gone(2);
  return plan;
}

TEST(CheckPlan, TakesWhatALearnerPlans) {
  for (const auto way :
       {v1::GangPlan::KEEP, v1::GangPlan::SHRINK, v1::GangPlan::GROW, v1::GangPlan::JOIN, v1::GangPlan::NEW})
    EXPECT_TRUE(CheckPlan(GoodPlan(way)).ok()) << v1::GangPlan::Way_Name(way);
}

TEST(CheckPlan, TrustsNothing) {
  using Spoil = void (*)(v1::GangPlan&);
  const Spoil spoils[] = {
      [](v1::GangPlan& plan) { plan.set_way(v1::GangPlan::WAY_UNSPECIFIED); },
      [](v1::GangPlan& plan) { plan.set_way(static_cast<v1::GangPlan::Way>(77)); },
      [](v1::GangPlan& plan) { plan.set_gang(0); },
      [](v1::GangPlan& plan) { plan.set_size(1); },
      [](v1::GangPlan& plan) { plan.set_size(1 << 30); },
      [](v1::GangPlan& plan) { plan.set_rank(0); },
      [](v1::GangPlan& plan) { plan.set_rank(-1); },
      [](v1::GangPlan& plan) { plan.set_rank(3); },
      [](v1::GangPlan& plan) { plan.add_gone(1); },
      [](v1::GangPlan& plan) { plan.clear_unique_id(); },
      [](v1::GangPlan& plan) { plan.mutable_unique_id()->append("x"); },
      [](v1::GangPlan& plan) { plan.set_chunk_bytes(0); },
      [](v1::GangPlan& plan) { plan.set_chunk_bytes(-1); },
      [](v1::GangPlan& plan) { plan.set_chunk_bytes(kMostChunkBytes + 1); },
      [](v1::GangPlan& plan) { plan.set_measured_bytes(-1); },
      [](v1::GangPlan& plan) { plan.set_measured_bytes(kMostMeasuredBytes + 1); },
      [](v1::GangPlan& plan) {
        plan = GoodPlan(v1::GangPlan::SHRINK);
        plan.set_gone(0, 0);  // the root
      },
      [](v1::GangPlan& plan) {
        plan = GoodPlan(v1::GangPlan::SHRINK);
        plan.add_gone(2);
      },
      [](v1::GangPlan& plan) {
        plan = GoodPlan(v1::GangPlan::SHRINK);
        plan.clear_gone();
      },
      [](v1::GangPlan& plan) {
        plan = GoodPlan(v1::GangPlan::GROW);
        plan.set_unique_id(std::string(128, 'i'));
      },
  };
  for (size_t i = 0; i < std::size(spoils); ++i) {
    v1::GangPlan plan = GoodPlan();
    spoils[i](plan);
    EXPECT_TRUE(absl::IsInvalidArgument(CheckPlan(plan))) << i;
  }
}

TEST(ChunksOf, DividesEachBucket) {
  EXPECT_THAT(ChunksOf({10, 0, 4, 3}, 4), ElementsAre(4, 4, 2, 4, 3));
  EXPECT_THAT(ChunksOf({}, 4), IsEmpty());
}

}  // namespace
}  // namespace lvrpo
