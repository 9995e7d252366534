#include "learner/step/step_figures.h"

#include <thread>

#include "collectives/in_process.h"
#include "gtest/gtest.h"

namespace lvrpo {
namespace {

// Each rank's routers have seen other tokens; the figures are of all.
TEST(ExpertFigures, AreOfAllRanks) {
  BagelConfig model;
  model.layers = 1;
  model.router = {.top_k = true, .experts = 2, .experts_per_token = 1};
  const auto collectives = MakeInProcess(2, absl::Seconds(30));
  std::vector<std::thread> threads;
  for (int rank = 0; rank < 2; ++rank) {
    threads.emplace_back([&, rank] {
      ExpertLoad load;
      // Of understanding tokens, then of latents.
      load.SetCounts(rank == 0 ? std::vector<double>{10, 0, 0, 3} : std::vector<double>{0, 10, 0, 1}, 1, 2);
      ASSERT_TRUE(AddOverRanks({*collectives[static_cast<size_t>(rank)], false}, model, load).ok());
      const auto figures = ExpertFigures(load);
      EXPECT_NEAR(figures.at("effective_experts_understanding"), 2, 1e-12);
      EXPECT_EQ(figures.at("largest_expert_share_understanding"), .5);
      EXPECT_EQ(figures.at("largest_expert_share_latent"), 1);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace lvrpo
