#include "collectives/by_memory.h"

#include <thread>

#include "collectives/in_process.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/nccl_world.h"

namespace lvrpo {
namespace {

using ::testing::HasSubstr;

// Each of two ranks in its own thread.
void OnBoth(const std::function<void(int rank, std::unique_ptr<Collectives> host)>& work) {
  auto hosts = MakeInProcess(2, absl::Seconds(30));
  std::vector<std::thread> threads;
  for (int rank = 0; rank < 2; ++rank)
    threads.emplace_back([&, rank] { work(rank, std::move(hosts[static_cast<size_t>(rank)])); });
  for (std::thread& thread : threads) thread.join();
}

TEST(ByMemory, TakesEachSpanToItsOwnCommunicator) {
  NcclWorld world;
  OnBoth([&](int rank, std::unique_ptr<Collectives> host) {
    Collectives* const watched = host.get();
    auto both = WithNccl(std::move(host), world.Place());
    ASSERT_TRUE(both.ok()) << both.status();
    Collectives& own = **both;
    EXPECT_EQ(own.name(), "nccl with in_process");
    EXPECT_EQ(own.rank(), rank);
    EXPECT_EQ(own.size(), 2);
    float device = rank + 1.0F;
    double number = rank + 1.0;
    const auto first = own.AllReduce({&device, 1, Element::kFloat32, Memory::kDevice}, Reduction::kSum);
    // Not in the order of the device's operations.
    EXPECT_TRUE(own.AllReduce({&number, 1, Element::kFloat64}, Reduction::kMax)->Wait().ok());
    EXPECT_TRUE(first->Wait().ok());
    EXPECT_EQ(device, 3);
    EXPECT_EQ(number, 2);
    float all[2] = {0, 0}, part = 0, told = rank == 1 ? 5.0F : 0.0F;
    const Span whole = {all, 2, Element::kFloat32, Memory::kDevice};
    EXPECT_TRUE(own.AllGather({&device, 1, Element::kFloat32, Memory::kDevice}, whole)->Wait().ok());
    EXPECT_EQ(all[0] + all[1], 6);
    EXPECT_TRUE(own.ReduceScatter(whole, {&part, 1, Element::kFloat32, Memory::kDevice})->Wait().ok());
    EXPECT_EQ(part, 6);
    EXPECT_TRUE(own.Broadcast({&told, 1, Element::kFloat32, Memory::kDevice}, 1)->Wait().ok());
    EXPECT_EQ(told, 5);
    EXPECT_TRUE(own.Barrier().ok());
    // An argument that does not fit breaks neither; an abort both.
    EXPECT_TRUE(
        absl::IsInvalidArgument(own.Broadcast({&told, 1, Element::kFloat32, Memory::kDevice}, 7)->Wait()));
    EXPECT_TRUE(watched->Barrier().ok());
    own.Abort("enough");
    EXPECT_FALSE(own.Barrier().ok());
    EXPECT_FALSE(
        own.AllReduce({&device, 1, Element::kFloat32, Memory::kDevice}, Reduction::kSum)->Wait().ok());
  });
}

TEST(ByMemory, WhatBreaksOneEndsTheOther) {
  NcclWorld world;
  OnBoth([&](int rank, std::unique_ptr<Collectives> host) {
    auto both = WithNccl(std::move(host), world.Place());
    ASSERT_TRUE(both.ok()) << both.status();
    if (rank == 1) return;  // it leaves
    const absl::Status gone = (*both)->Barrier();
    EXPECT_TRUE(absl::IsUnavailable(gone)) << gone;
    float number = 1;
    EXPECT_FALSE(
        (*both)->AllReduce({&number, 1, Element::kFloat32, Memory::kDevice}, Reduction::kSum)->Wait().ok());
  });
}

TEST(ByMemory, ARankWithoutNcclKeepsNobodyWaiting) {
  for (const int without : {0, 1}) {
    NcclWorld world;
    OnBoth([&](int rank, std::unique_ptr<Collectives> host) {
      const absl::StatusOr<NcclPlace> own =
          rank == without ? absl::StatusOr<NcclPlace>(absl::UnavailableError("no GPU: none at all"))
                          : world.Place();
      const absl::Status status = WithNccl(std::move(host), own).status();
      EXPECT_TRUE(absl::IsUnavailable(status)) << status;
      EXPECT_THAT(std::string(status.message()),
                  HasSubstr(rank == without ? "no GPU: none at all" : "another rank of the learner"));
    });
  }
}

}  // namespace
}  // namespace lvrpo
