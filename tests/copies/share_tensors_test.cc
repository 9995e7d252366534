#include "learner/copies/share_tensors.h"

#include <thread>

#include "collectives/in_process.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace lvrpo {
namespace {

TEST(ShareTensors, AllRanksGetThoseOfTheRoot) {
  const TensorMap given = {{"a", torch::rand({2, 3})},
                           {"b", torch::rand({300}).to(torch::kBFloat16)},
                           {"counters", torch::tensor({1, 2}, torch::kInt64)},
                           {"view", torch::rand({4, 4}).t()},
                           {"none", torch::empty({0})}};
  constexpr int kRanks = 3, kRoot = 1;
  std::vector<std::unique_ptr<Collectives>> ranks = MakeInProcess(kRanks, absl::Seconds(60));
  std::vector<TensorMap> tensors(kRanks, {{"old", torch::ones({1})}});
  tensors[kRoot] = given;
  std::vector<std::thread> threads;
  for (size_t i = 0; i < kRanks; ++i) {
    threads.emplace_back([&, i] { EXPECT_TRUE(ShareTensors(ranks[i].get(), kRoot, tensors[i]).ok()); });
  }
  for (std::thread& thread : threads) thread.join();
  for (const TensorMap& got : tensors) {
    ASSERT_EQ(got.size(), given.size());
    for (const auto& [name, tensor] : given) {
      EXPECT_EQ(got.at(name).scalar_type(), tensor.scalar_type()) << name;
      EXPECT_TRUE(torch::equal(got.at(name), tensor)) << name;
    }
  }
}

TEST(ShareTensors, OneRankKeepsItsOwn) {
  TensorMap tensors = {{"a", torch::ones({1})}};
  EXPECT_TRUE(ShareTensors(nullptr, 0, tensors).ok());
  EXPECT_EQ(tensors.size(), 1u);
}

TEST(ShareTensors, ARankThatIsGoneIsNoticed) {
  std::vector<std::unique_ptr<Collectives>> ranks = MakeInProcess(2, absl::Seconds(60));
  ranks[1].reset();
  TensorMap tensors = {{"a", torch::ones({1})}};
  EXPECT_TRUE(absl::IsAborted(ShareTensors(ranks[0].get(), 0, tensors)));
}

}  // namespace
}  // namespace lvrpo
