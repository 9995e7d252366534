#include "model/layers/step_graph.h"

#include "gtest/gtest.h"

namespace lvrpo {
namespace {

TEST(StepGraph, OnACpuIsTheStepItself) {
  int calls = 0;
  const torch::Tensor scale = torch::tensor({2.f});
  StepGraph graph(
      [&](const torch::Tensor& x, const torch::Tensor& t) {
        ++calls;
        return x * scale + t;
      },
      true);
  for (const float t : {.5f, .25f}) {
    const torch::Tensor out = graph(torch::ones({3}), torch::full({3}, t));
    EXPECT_TRUE(torch::equal(out, torch::full({3}, 2 + t)));
    EXPECT_FALSE(out.requires_grad());
  }
  EXPECT_EQ(calls, 2);
}

}  // namespace
}  // namespace lvrpo
