#include "learner/copies/state_slices.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/weights/lora.h"

namespace lvrpo {
namespace {

using ::testing::HasSubstr;

TEST(StateSlices, PiecesInTheOrderOfThePartsAreTheTensor) {
  const torch::Tensor a = torch::arange(12, torch::kFloat32).view({3, 4}), b = torch::ones({2});
  const torch::Tensor flat = a.reshape(-1), counters = torch::tensor({7}, torch::kInt64);
  const std::vector<TensorMap> parts = {
      {{"weights/a", flat.narrow(0, 0, 5)}, {"image/counters", counters}},
      {{"weights/a", flat.narrow(0, 5, 1)}, {"image/exp_avg/b", b}, {"image/counters", counters}},
      {},
      {{"weights/a", flat.narrow(0, 6, 6)}}};
  const ShapeMap shapes = {{"a", {3, 4}}, {"b", {2}}};
  const absl::StatusOr<TensorMap> whole = JoinSlices(parts, shapes);
  ASSERT_TRUE(whole.ok()) << whole.status();
  ASSERT_EQ(whole->size(), 3u);
  EXPECT_TRUE(torch::equal(whole->at("weights/a"), a));
  EXPECT_TRUE(torch::equal(whole->at("image/exp_avg/b"), b));
  EXPECT_TRUE(torch::equal(whole->at("image/counters"), counters));
  const StateTensors state = SplitState(*whole);
  EXPECT_TRUE(torch::equal(state.weights.at("a"), a));
  EXPECT_EQ(state.optimizers.size(), 2u);
}

TEST(StateSlices, WholeTensorsAreOnePart) {
  const TensorMap tensors = {{"a", torch::rand({2, 3})}, {"b", torch::rand({5})}};
  const absl::StatusOr<TensorMap> whole = JoinSlices({FlatSlices(tensors, "weights/")}, ShapesOf(tensors));
  ASSERT_TRUE(whole.ok()) << whole.status();
  for (const auto& [name, tensor] : tensors) EXPECT_TRUE(torch::equal(whole->at("weights/" + name), tensor));
}

TEST(StateSlices, PiecesThatDoNotFitAreRefused) {
  const ShapeMap shapes = {{"a", {3}}};
  const std::vector<TensorMap> wrong[] = {
      {{{"weights/a", torch::ones({2})}}},
      {{{"weights/a", torch::ones({2})}}, {{"weights/a", torch::ones({2})}}},
      {{{"weights/a", torch::ones({1, 3})}}},
      {{{"weights/a", torch::ones({1})}}, {{"weights/a", torch::ones({2}, torch::kInt64)}}}};
  for (const std::vector<TensorMap>& parts : wrong) {
    const absl::Status status = JoinSlices(parts, shapes).status();
    EXPECT_TRUE(absl::IsDataLoss(status)) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr("weights/a"));
  }
}

}  // namespace
}  // namespace lvrpo
