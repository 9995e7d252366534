#include "collectives/nccl_collectives.h"

#include <thread>

#include "absl/synchronization/notification.h"
#include "gmock/gmock.h"
#include "tests/collectives/collectives_suite.h"
#include "tests/collectives/spans.h"
#include "tests/testing/fake_waiting.h"
#include "tests/testing/host_stream.h"
#include "tests/testing/nccl_world.h"

namespace lvrpo {
namespace {

using testing::HasSubstr;

class NcclRanks : public Ranks {
 public:
  NcclRanks(NcclDouble& nccl, int size, absl::Duration deadline) : world_(nccl) {
    for (auto& rank : world_.CollectivesOfAll(size, {.operation = deadline, .stopping = absl::Seconds(1)}))
      ranks.push_back(std::move(rank));
  }
  ~NcclRanks() override {
    ranks.clear();
    if (expects_mismatch_) {
      EXPECT_THAT(world_.nccl.breaches(), HasSubstr("ranks call in different order"));
    }
  }
  void ExpectMismatch() override { expects_mismatch_ = true; }

 private:
  NcclWorld world_;
  bool expects_mismatch_ = false;
};

Implementation Over(NcclDouble& (*nccl)()) {
  return {
      .name = "nccl",
      .make = [nccl](int size,
                     absl::Duration deadline) { return std::make_unique<NcclRanks>(nccl(), size, deadline); },
      .names_late_ranks = false,
      .tells_mismatches = false};
}

INSTANTIATE_TEST_SUITE_P(Nccl, CollectivesSuite, testing::Values(Over(&NcclDouble::Newest)));
INSTANTIATE_TEST_SUITE_P(NcclWithoutFeatures, CollectivesSuite, testing::Values(Over(&NcclDouble::Bare)));

class NcclCollectivesTest : public testing::Test {
 protected:
  void Fault(const char* fault) { ASSERT_EQ(world_.nccl.fault(fault), 0) << fault; }
  // An all-reduce of one number, posted by a rank.
  std::unique_ptr<Pending> Post(Collectives& rank, std::vector<float>& number) {
    return rank.AllReduce(SpanOf(number), Reduction::kSum);
  }

  TimeOnDemand time_;
  NcclWorld world_;
  std::vector<float> of_0_ = {1}, of_1_ = {2};
};

TEST_F(NcclCollectivesTest, WaitsForALateRank) {
  Fault("hold rank=1 op=0");
  const auto ranks = world_.CollectivesOfAll(2);
  auto by_0 = Post(*ranks[0], of_0_), by_1 = Post(*ranks[1], of_1_);
  world_.nccl.release();
  EXPECT_EQ(by_0->Wait(), absl::OkStatus());
  EXPECT_EQ(by_1->Wait(), absl::OkStatus());
  EXPECT_EQ(of_0_[0], 3);
}

TEST_F(NcclCollectivesTest, EndsWhatNeverEnds) {
  Fault("drop rank=1 op=1");
  const auto ranks = world_.CollectivesOfAll(2, time_.Limits());
  EXPECT_THAT(NcclWorld::SumOfAll(ranks), testing::Each(absl::StatusOr<float>(3.0F)));
  auto by_0 = Post(*ranks[0], of_0_), by_1 = Post(*ranks[1], of_1_);
  time_.Fly();
  EXPECT_EQ(by_0->Wait(),
            absl::DeadlineExceededError("all_reduce(sum, 1 fp32), operation 1: did not end within 7s"));
  EXPECT_FALSE(by_1->Wait().ok());
}

TEST_F(NcclCollectivesTest, EndsOnOneRankAlone) {
  Fault("stall rank=1 op=0");
  const auto ranks = world_.CollectivesOfAll(2, time_.Limits());
  auto by_0 = Post(*ranks[0], of_0_), by_1 = Post(*ranks[1], of_1_);
  EXPECT_EQ(by_0->Wait(), absl::OkStatus());
  time_.Fly();
  EXPECT_EQ(by_1->Wait().code(), absl::StatusCode::kDeadlineExceeded);
}

TEST_F(NcclCollectivesTest, TellsAnErrorOfTheLibrary) {
  Fault("error rank=1 op=0");
  const auto ranks = world_.CollectivesOfAll(2);
  auto by_0 = Post(*ranks[0], of_0_), by_1 = Post(*ranks[1], of_1_);
  EXPECT_EQ(by_1->Wait(),
            absl::UnavailableError("all_reduce(sum, 1 fp32), operation 0: NCCL: unhandled system error"));
  EXPECT_EQ(by_0->Wait().code(), absl::StatusCode::kUnavailable) << "rank 1 has hung up";
}

TEST_F(NcclCollectivesTest, EndsAtTheDeadlineWhereNobodyNoticesADeadRank) {
  Fault("silent_loss");
  const auto ranks = world_.CollectivesOfAll(2, time_.Limits());
  auto by_0 = Post(*ranks[0], of_0_);
  ranks[1]->Abort("it dies");
  time_.Fly();
  EXPECT_EQ(by_0->Wait().code(), absl::StatusCode::kDeadlineExceeded);
}

TEST_F(NcclCollectivesTest, CountsTheDeadlineFromTheEndOfTheOperationBefore) {
  Fault("hold rank=1 op=0");
  const auto ranks = world_.CollectivesOfAll(2, time_.Limits());
  std::vector<float> more_0 = {1}, more_1 = {1};
  auto first_0 = Post(*ranks[0], of_0_), first_1 = Post(*ranks[1], of_1_);
  auto second_0 = Post(*ranks[0], more_0), second_1 = Post(*ranks[1], more_1);
  time_.clock().Advance(absl::Seconds(6));
  world_.nccl.release();
  EXPECT_EQ(first_0->Wait(), absl::OkStatus());
  time_.clock().Advance(absl::Seconds(6));  // 12 s after its call, 6 s after its turn came
  EXPECT_EQ(second_0->Wait(), absl::OkStatus());
  EXPECT_EQ(first_1->Wait(), absl::OkStatus()) << "what has ended is well, however late anybody looks";
  EXPECT_EQ(second_1->Wait(), absl::OkStatus());
}

TEST_F(NcclCollectivesTest, BeginsAfterWhatItsInputsComeFrom) {
  HostDevice& device = world_.device;
  const DeviceStream producer = device.CreateStream().value();
  absl::Notification may_produce;
  static_cast<HostStream*>(producer.handle)->Queue([&] {
    may_produce.WaitForNotification();
    of_0_[0] = 5;
  });
  auto communicators = world_.MakeAll(2);
  {
    const auto rank_0 = NcclCollectives::Over(std::move(communicators[0]), producer).value();
    const auto rank_1 = NcclCollectives::Over(std::move(communicators[1])).value();
    auto by_0 = Post(*rank_0, of_0_), by_1 = Post(*rank_1, of_1_);
    may_produce.Notify();
    EXPECT_EQ(by_0->Wait(), absl::OkStatus());
    EXPECT_EQ(by_1->Wait(), absl::OkStatus());
    EXPECT_EQ(of_1_[0], 7);
  }
  EXPECT_EQ(device.DestroyStream(producer), absl::OkStatus());
}

TEST_F(NcclCollectivesTest, TellsThatTheDeviceFailed) {
  const auto ranks = world_.CollectivesOfAll(1);
  world_.device.Break();
  EXPECT_EQ(Post(*ranks[0], of_0_)->Wait(),
            absl::InternalError("all_reduce(sum, 1 fp32), operation 0: the host device is broken"));
}

TEST_F(NcclCollectivesTest, SaysWhenNcclDoesNotStop) {
  Fault("stick_in_revoke rank=0");
  NcclLimits limits;
  limits.stopping = absl::Milliseconds(20);
  const auto ranks = world_.CollectivesOfAll(2, limits);
  ranks[0]->Abort("why");
  // No operation was in progress that would hold the caller's memory.
  EXPECT_EQ(ranks[0]->Barrier(), absl::AbortedError("why; and NCCL did not stop: this process must end"));
  ranks[1]->Abort("too");
  world_.nccl.release();
  world_.given_up = 1;
}

}  // namespace
}  // namespace lvrpo
