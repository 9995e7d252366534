#include "collectives/gloo/gloo_collectives.h"

#include <memory>
#include <thread>
#include <vector>

#include "collectives/gloo/gloo_layout.h"
#include "collectives/gloo/rendezvous.h"
#include "gmock/gmock.h"
#include "tests/collectives/collectives_suite.h"

namespace lvrpo {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

struct GlooRanks final : Ranks {
  std::unique_ptr<Rendezvous> rendezvous;
  ~GlooRanks() override { ranks.clear(); }
};

std::unique_ptr<Ranks> MakeRanks(int size, absl::Duration deadline) {
  auto made = std::make_unique<GlooRanks>();
  made->rendezvous = *ServeRendezvous("127.0.0.1");
  made->ranks.resize(static_cast<size_t>(size));
  std::vector<std::thread> threads;
  for (int rank = 0; rank < size; ++rank) {
    threads.emplace_back([&, rank] {
      made->ranks[static_cast<size_t>(rank)] = *ConnectGloo({.rendezvous = made->rendezvous->address(),
                                                             .epoch = "epoch",
                                                             .rank = rank,
                                                             .size = size,
                                                             .host = "127.0.0.1",
                                                             .meeting = absl::Seconds(60),
                                                             .deadline = deadline});
    });
  }
  for (std::thread& thread : threads) thread.join();
  return made;
}

INSTANTIATE_TEST_SUITE_P(Gloo, CollectivesSuite,
                         testing::Values(Implementation{.name = "gloo",
                                                        .make = MakeRanks,
                                                        .sums_in_rank_order = false,
                                                        .names_late_ranks = false,
                                                        .tells_mismatches = false,
                                                        .aborts_at_once = false,
                                                        .roots_wait = false}));

TEST(GlooCollectives, KnowTheLayoutOfTheWheel) { EXPECT_EQ(CheckGlooLayout(), absl::OkStatus()); }

TEST(GlooCollectives, MeetOnOneAddressOnly) {
  const absl::StatusOr<std::unique_ptr<Rendezvous>> here = ServeRendezvous("127.0.0.1");
  ASSERT_TRUE(here.ok()) << here.status();
  EXPECT_THAT((*here)->address(), StartsWith("127.0.0.1:"));
  EXPECT_TRUE(absl::IsFailedPrecondition(ServeRendezvous("192.0.2.1").status()));
}

TEST(GlooCollectives, ARankThatWaitsInVainSaysWhere) {
  const std::unique_ptr<Rendezvous> rendezvous = *ServeRendezvous("127.0.0.1");
  GlooOptions options = {.rendezvous = rendezvous->address(),
                         .epoch = "epoch",
                         .rank = 0,
                         .size = 2,
                         .host = "127.0.0.1",
                         .meeting = absl::Milliseconds(50)};
  const absl::Status alone = ConnectGloo(options).status();
  EXPECT_TRUE(absl::IsDeadlineExceeded(alone)) << alone;
  EXPECT_THAT(std::string(alone.message()), HasSubstr(rendezvous->address()));
  options.rendezvous = "nonsense";
  EXPECT_TRUE(absl::IsInvalidArgument(ConnectGloo(options).status()));
}

}  // namespace
}  // namespace lvrpo
