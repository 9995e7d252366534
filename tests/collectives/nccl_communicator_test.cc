#include "collectives/nccl_communicator.h"

#include <utility>

#include "gmock/gmock.h"
#include "tests/testing/nccl_world.h"

namespace lvrpo {
namespace {

using testing::Each;
using testing::HasSubstr;
using Made = NcclWorld::Made;

TEST(ChooseRebuild, TakesWhatTheLibraryHas) {
  const NcclMeans newest = MeansOf(NcclDouble::Newest().library);
  const NcclMeans of_torch = {.shrink = true};  // 2.28: shrinks, does not grow
  const NcclMeans bare = MeansOf(NcclDouble::Bare().library);
  EXPECT_EQ(ChooseRebuild(newest, true, false), NcclRebuild::kShrink);
  EXPECT_EQ(ChooseRebuild(newest, false, true), NcclRebuild::kGrow);
  EXPECT_EQ(ChooseRebuild(newest, true, true), NcclRebuild::kNew);
  EXPECT_EQ(ChooseRebuild(newest, false, false), NcclRebuild::kNew);
  EXPECT_EQ(ChooseRebuild(of_torch, true, false), NcclRebuild::kShrink);
  EXPECT_EQ(ChooseRebuild(of_torch, false, true), NcclRebuild::kNew);
  EXPECT_EQ(ChooseRebuild(bare, true, false), NcclRebuild::kNew);
  EXPECT_EQ(ChooseRebuild(bare, false, true), NcclRebuild::kNew);
}

class NcclCommunicatorTest : public testing::Test {
 protected:
  void Fault(const char* fault) { ASSERT_EQ(world_.nccl.fault(fault), 0) << fault; }
  static std::vector<std::unique_ptr<NcclCollectives>> Over(std::vector<Made> made) {
    std::vector<std::unique_ptr<NcclCollectives>> all;
    for (Made& one : made) all.push_back(NcclCollectives::Over(std::move(one).value()).value());
    return all;
  }
  // Shrinks all but `gone`, each in a separate thread; results in rank order.
  static std::vector<Made> ShrinkAll(std::vector<std::unique_ptr<NcclCommunicator>> ranks,
                                     std::vector<int> gone) {
    for (auto one = gone.rbegin(); one != gone.rend(); ++one) ranks.erase(ranks.begin() + *one);
    return NcclWorld::OnEach(static_cast<int>(ranks.size()),
                             [&](int i) { return NcclCommunicator::Shrink(std::move(ranks[i]), gone); });
  }
  static std::vector<std::unique_ptr<NcclCommunicator>> Take(
      std::vector<std::unique_ptr<NcclCollectives>> ranks) {
    std::vector<std::unique_ptr<NcclCommunicator>> taken;
    for (auto& rank : ranks) taken.push_back(NcclCollectives::TakeCommunicator(std::move(rank)));
    return taken;
  }

  TimeOnDemand time_;
  NcclWorld world_;
};

// ---- Making one.

TEST_F(NcclCommunicatorTest, EndsWhenARankDoesNotCome) {
  const nccl::UniqueId id = NcclCommunicator::NewId(world_.nccl.library).value();
  time_.Fly();
  const Made made = NcclCommunicator::Make(world_.Place(time_.Limits()), id, 1, 2);
  EXPECT_EQ(made.status(), absl::DeadlineExceededError("making rank 1 of 2 did not end within 8s"));
}

TEST_F(NcclCommunicatorTest, EndsWhenARankDiesInInit) {
  Fault("die_in_init rank=1");
  const nccl::UniqueId id = NcclCommunicator::NewId(world_.nccl.library).value();
  const auto made = NcclWorld::OnEach(3, [&](int rank) {
    Made one = NcclCommunicator::Make(world_.Place(time_.Limits()), id, rank, 3);
    time_.Fly();  // when the dead one is
    return one;
  });
  EXPECT_EQ(made[0].status().code(), absl::StatusCode::kDeadlineExceeded) << made[0].status();
  EXPECT_EQ(made[1].status(), absl::UnavailableError("making rank 1 of 3: NCCL: unhandled system error"));
  EXPECT_EQ(made[2].status().code(), absl::StatusCode::kDeadlineExceeded) << made[2].status();
}

TEST_F(NcclCommunicatorTest, RefusesAnIdOfAProcessThatIsGone) {
  nccl::UniqueId stale = {"nccl-double-nobody|m1"};
  EXPECT_EQ(NcclCommunicator::Make(world_.Place(), stale, 0, 2).status().code(),
            absl::StatusCode::kUnavailable);
}

// ---- Ending one.

TEST_F(NcclCommunicatorTest, AbortsWhenItCannotTellThatAllIsWell) {
  auto ranks = world_.MakeAll(2, time_.Limits());
  EXPECT_EQ(ranks[1]->Break(absl::AbortedError("dies")), absl::AbortedError("dies"));
  EXPECT_EQ(ranks[1]->Break(absl::InternalError("later")), absl::AbortedError("dies"))
      << "the first error stays";
  time_.Fly();
  ranks[0].reset();  // ncclCommDestroy would be a breach
}

TEST(NcclCommunicatorWithoutFeatures, GivesAnAbortThatHangsUp) {
  NcclWorld world(NcclDouble::Bare());
  NcclLimits limits;
  limits.stopping = absl::Milliseconds(20);
  auto ranks = world.MakeAll(2, limits);
  ASSERT_EQ(world.nccl.fault("stick_in_abort rank=0"), 0);
  EXPECT_THAT(std::string(ranks[0]->Break(absl::AbortedError("why")).message()),
              HasSubstr("this process must end"));
  ranks[0].reset();
  ranks[1]->Break(absl::AbortedError("too")).IgnoreError();
  ranks[1].reset();
  world.nccl.release();
  while (world.nccl.communicators() > 0) std::this_thread::yield();  // the thread that aborts
}

// ---- Without some ranks.

TEST_F(NcclCommunicatorTest, ShrinksWithoutADeadRank) {
  auto ranks = world_.CollectivesOfAll(4);
  EXPECT_THAT(NcclWorld::SumOfAll(ranks), Each(absl::StatusOr<float>(10.0F)));
  ranks[1]->Abort("dies");
  for (const auto& sum : NcclWorld::SumOfAll(ranks)) EXPECT_FALSE(sum.ok());
  const auto left = Over(ShrinkAll(Take(std::move(ranks)), {1}));
  ASSERT_EQ(left.size(), 3u);
  EXPECT_EQ(left[1]->rank(), 1) << "what was rank 2";
  EXPECT_THAT(NcclWorld::SumOfAll(left), Each(absl::StatusOr<float>(6.0F)));
}

TEST_F(NcclCommunicatorTest, ShrinksWhereNothingHasFailedYet) {
  const auto left = Over(ShrinkAll(world_.MakeAll(3), {0}));
  EXPECT_THAT(NcclWorld::SumOfAll(left), Each(absl::StatusOr<float>(3.0F)));
}

TEST_F(NcclCommunicatorTest, ShrinksTwice) {
  auto once = ShrinkAll(world_.MakeAll(4), {0, 3});
  std::vector<std::unique_ptr<NcclCommunicator>> ranks;
  for (Made& made : once) ranks.push_back(std::move(made).value());
  const auto left = Over(ShrinkAll(std::move(ranks), {1}));
  EXPECT_THAT(NcclWorld::SumOfAll(left), Each(absl::StatusOr<float>(1.0F)));
}

TEST_F(NcclCommunicatorTest, EndsWhenARankDiesInShrink) {
  Fault("die_in_shrink rank=2");
  auto ranks = world_.MakeAll(3, time_.Limits());
  ranks.erase(ranks.begin() + 1);
  const auto made = NcclWorld::OnEach(2, [&](int i) {
    Made one = NcclCommunicator::Shrink(std::move(ranks[i]), {1});
    time_.Fly();
    return one;
  });
  EXPECT_EQ(made[0].status(),
            absl::DeadlineExceededError("making rank 0 of 3 without 1 did not end within 8s"));
  EXPECT_EQ(made[1].status().code(), absl::StatusCode::kUnavailable);
}

TEST(NcclCommunicatorWithoutFeatures, AsksForANewOne) {
  NcclWorld world(NcclDouble::Bare());
  auto ranks = world.MakeAll(2);
  EXPECT_EQ(ranks[0]->NewcomersId().status().code(), absl::StatusCode::kFailedPrecondition);
  const Made shrunk = NcclCommunicator::Shrink(std::move(ranks[0]), {1});
  EXPECT_EQ(shrunk.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(shrunk.status().message()), HasSubstr("no shrink, no revoke, no grow"));
  EXPECT_THAT(std::string(shrunk.status().message()), HasSubstr("make a new communicator"));
  ranks[1]->Break(absl::AbortedError("gone")).IgnoreError();
}

// ---- With new ranks.

TEST_F(NcclCommunicatorTest, Grows) {
  for (int before : {1, 2, 3}) {
    auto ranks = world_.MakeAll(before);
    const int root = before - 1, after = before + 1;
    const nccl::UniqueId id = ranks[root]->NewcomersId().value();
    const auto all = Over(NcclWorld::OnEach(after, [&](int rank) {
      if (rank == before) return NcclCommunicator::Join(world_.Place(), id, rank, after);
      return NcclCommunicator::Grow(std::move(ranks[rank]), after, rank == root ? &id : nullptr);
    }));
    EXPECT_THAT(NcclWorld::SumOfAll(all), Each(absl::StatusOr<float>(after * (after + 1) / 2.0F)));
  }
}

TEST_F(NcclCommunicatorTest, EndsWhenANewRankDoesNotCome) {
  auto ranks = world_.MakeAll(2, time_.Limits());
  const nccl::UniqueId id = ranks[0]->NewcomersId().value();
  time_.Fly();
  for (const Made& made : NcclWorld::OnEach(2, [&](int rank) {
         return NcclCommunicator::Grow(std::move(ranks[rank]), 3, rank == 0 ? &id : nullptr);
       })) {
    EXPECT_THAT(made.status().code(),
                testing::AnyOf(absl::StatusCode::kDeadlineExceeded, absl::StatusCode::kUnavailable));
  }
}

TEST_F(NcclCommunicatorTest, TellsThatGrowingIsRefused) {
  auto ranks = world_.MakeAll(1);
  const nccl::UniqueId id = ranks[0]->NewcomersId().value();
  Fault("refuse_grow");
  const Made grown = NcclCommunicator::Grow(std::move(ranks[0]), 2, &id);
  EXPECT_EQ(grown.status().code(), absl::StatusCode::kInternal);
  EXPECT_THAT(std::string(grown.status().message()),
              HasSubstr("growing from 1 to 2 ranks, rank 0: NCCL: invalid usage"));
}

}  // namespace
}  // namespace lvrpo
