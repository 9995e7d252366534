#include "model/weights/weights.h"

#include <cmath>
#include <functional>

#include "absl/strings/str_cat.h"
#include "common/files/file.h"
#include "common/hash.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/weights/random_init.h"
#include "tests/testing/temporary_folder.h"
#include "tests/testing/tiny_models.h"
#include "tests/weight_plane/memory_transport.h"
#include "tests/weight_plane/some_weights.h"
#include "weight_plane/weight_buckets.h"

namespace lvrpo {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

TensorMap SomeTensors() {
  torch::manual_seed(61);
  return {{"layer.bias", torch::randn({5})},
          {"layer.weight", torch::randn({5, 3}).t()},  // not contiguous
          {"nothing", torch::zeros({0, 4})},
          {"scale", torch::tensor(2.5f)}};
}

void ExpectEqual(const TensorMap& got, const TensorMap& expected) {
  ASSERT_EQ(got.size(), expected.size());
  for (const auto& [name, tensor] : expected) {
    ASSERT_TRUE(got.contains(name)) << name;
    EXPECT_EQ(got.at(name).sizes(), tensor.sizes()) << name;
    EXPECT_TRUE(torch::equal(got.at(name), tensor)) << name;
  }
}

// --- Files.

TEST(Tensors, AreReadBackAsTheyWereSaved) {
  const TemporaryFolder folder;
  TensorMap tensors = SomeTensors();
  tensors["half"] = torch::randn({3}).to(torch::kBFloat16);
  tensors["ids"] = torch::tensor({int64_t{1} << 60, int64_t{-3}}, torch::kInt64);
  ASSERT_TRUE(SaveTensors(folder / "a.safetensors", tensors).ok());
  const auto stored = LoadTensors(folder / "a.safetensors", std::nullopt);
  ASSERT_TRUE(stored.ok()) << stored.status();
  ExpectEqual(*stored, tensors);
  EXPECT_EQ(stored->at("half").scalar_type(), torch::kBFloat16);

  // By default floating-point tensors come as fp32 and integers as they are.
  const auto wide = LoadTensors(folder / "a.safetensors");
  ASSERT_TRUE(wide.ok()) << wide.status();
  EXPECT_EQ(wide->at("half").scalar_type(), torch::kFloat32);
  EXPECT_TRUE(torch::equal(wide->at("half"), tensors.at("half").to(torch::kFloat32)));
  EXPECT_TRUE(torch::equal(wide->at("ids"), tensors.at("ids")));
}

TEST(Tensors, OutliveTheFileTheyWereReadFrom) {
  const TemporaryFolder folder;
  ASSERT_TRUE(SaveTensors(folder / "a.safetensors", {{"a", torch::ones({4})}}).ok());
  const TensorMap tensors = *LoadTensors(folder / "a.safetensors");
  ASSERT_TRUE(SaveTensors(folder / "a.safetensors", {{"a", torch::zeros({4})}}).ok());
  EXPECT_TRUE(torch::equal(tensors.at("a"), torch::ones({4})));
}

// --- Checks and digests.

TEST(CheckTensors, NamesAtMostTenOfEachFault) {
  ShapeMap expected = {{"good", {2}}, {"shape", {2, 3}}};
  for (int i = 0; i < 12; ++i) expected[absl::StrCat("missing.", 10 + i)] = {1};
  const TensorMap got = {
      {"good", torch::zeros({2})}, {"shape", torch::zeros({3, 2})}, {"extra", torch::zeros({1})}};
  const absl::Status status = CheckTensors(expected, got, "the file");
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("the file"), HasSubstr("missing tensors 12 (missing.10, "),
                    HasSubstr("missing.19, ...)"), Not(HasSubstr("missing.20")),
                    HasSubstr("unexpected tensors 1 (extra)"), HasSubstr("shape [3,2] instead of [2,3]"),
                    Not(HasSubstr("good"))));
  EXPECT_TRUE(CheckTensors({{"good", {2}}}, {{"good", torch::zeros({2})}}, "the file").ok());
}

TEST(CheckWeights, RefusesIntegersWhereCheckTensorsDoesNotMind) {
  const TensorMap counters = {{"counters", torch::zeros({4}, torch::kInt64)}};
  EXPECT_TRUE(CheckTensors({{"counters", {4}}}, counters, "the file").ok());
  const absl::Status status = CheckWeights({{"counters", {4}}}, counters, "the file");
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("the file"), HasSubstr("counters has dtype I64")));
}

// What must change a digest, and what must not.
const std::vector<std::pair<std::string, std::function<void(TensorMap&)>>> kChanges = {
    {"the last bit of one element",
     [](TensorMap& t) {
       torch::Tensor bias = t.at("layer.bias").clone();
       bias[4] = std::nextafter(bias[4].item<float>(), 1e9f);
       t["layer.bias"] = bias;
     }},
    {"a name",
     [](TensorMap& t) {
       t["layer.gain"] = t.at("layer.bias");
       t.erase("layer.bias");
     }},
    {"a shape",
     [](TensorMap& t) {
       t["layer.weight"] = t.at("layer.weight").reshape({5, 3});
     }},
    {"two tensors exchanged", [](TensorMap& t) { std::swap(t.at("scale"), t.at("nothing")); }},
    {"a tensor less", [](TensorMap& t) { t.erase("nothing"); }},
};

TEST(DigestOf, ChangesWithEveryElementNameAndShapeAndNothingElse) {
  const std::string digest = DigestOf(SomeTensors());
  EXPECT_EQ(digest.size(), 64u);
  TensorMap equal = CloneTensors(SomeTensors());
  equal["layer.weight"] = equal.at("layer.weight").contiguous();
  EXPECT_EQ(DigestOf(equal), digest);
  for (const auto& [what, change] : kChanges) {
    TensorMap tensors = SomeTensors();
    change(tensors);
    EXPECT_NE(DigestOf(tensors), digest) << what;
  }
}

TEST(MatchesPatterns, NeedsOnePatternAndNoneOfTheRefused) {
  const std::string gen = "language_model.model.layers.0.mlp_moe_gen.up_proj.weight";
  const std::string base = "language_model.model.layers.0.mlp.up_proj.weight";
  EXPECT_TRUE(MatchesPatterns(gen, {"_moe_gen", "llm2vae"}));
  EXPECT_FALSE(MatchesPatterns(base, {"_moe_gen", "llm2vae"}));
  EXPECT_TRUE(MatchesPatterns(base, {"language_model.", "!_moe_gen"}));
  EXPECT_FALSE(MatchesPatterns(gen, {"language_model.", "!_moe_gen"}));
  EXPECT_FALSE(MatchesPatterns(gen, {"!_moe_gen", "language_model."}));  // the order does not matter
  EXPECT_FALSE(MatchesPatterns(gen, {}));
  EXPECT_FALSE(MatchesPatterns(gen, {"!lm_head"}));
}

TEST(CloneTensors, SharesNeitherStorageNorGradient) {
  TensorMap tensors = {{"a", torch::ones({2}).requires_grad_()}};
  const TensorMap copies = CloneTensors(tensors);
  EXPECT_FALSE(copies.at("a").requires_grad());
  {
    torch::NoGradGuard no_grad;
    tensors.at("a").fill_(7);
  }
  EXPECT_TRUE(torch::equal(copies.at("a"), torch::ones({2})));
}

TEST(InitByFanIn, ScalesMatricesByFanInAndStartsNormsAtOneAndBiasesAtZero) {
  const TensorMap tensors = InitByFanIn({{"conv.weight", {64, 16, 3, 3}},
                                         {"conv.bias", {64}},
                                         {"linear.weight", {200, 50}},
                                         {"norm.weight", {9}}},
                                        3);
  EXPECT_NEAR(tensors.at("conv.weight").std().item<double>(), 1 / std::sqrt(144.0), .03 / std::sqrt(144.0));
  EXPECT_NEAR(tensors.at("linear.weight").std().item<double>(), 1 / std::sqrt(50.0), .03 / std::sqrt(50.0));
  EXPECT_TRUE(torch::equal(tensors.at("norm.weight"), torch::ones({9})));
  EXPECT_TRUE(torch::equal(tensors.at("conv.bias"), torch::zeros({64})));
}

// --- Buckets.

TEST(WeightBuckets, GiveBackTheTensorsThatWerePacked) {
  const TensorMap tensors = SomeTensors();
  const auto packed = std::make_shared<PackedWeights>(PackWeights(tensors, 3));
  EXPECT_EQ(packed->manifest.version().number(), 3);
  MemoryWeightStream stream(packed);
  const absl::StatusOr<VerifiedWeights> verified = ReceiveAll(stream, WantedOf(*packed));
  ASSERT_TRUE(verified.ok()) << verified.status();
  ExpectEqual(UnpackWeights(*verified), tensors);
}

TEST(WeightBuckets, HaveADigestOfTheWeightsAndNotOfTheVersion) {
  const auto digest = [](const TensorMap& tensors, int64_t version) {
    return PackWeights(tensors, version).manifest.version().digest();
  };
  const std::string own = digest(SomeTensors(), 1);
  EXPECT_EQ(digest(SomeTensors(), 2), own);
  TensorMap equal = SomeTensors();
  equal["layer.weight"] = equal.at("layer.weight").contiguous();
  EXPECT_EQ(digest(equal, 1), own);
  for (const auto& [what, change] : kChanges) {
    TensorMap tensors = SomeTensors();
    change(tensors);
    EXPECT_NE(digest(tensors, 1), own) << what;
  }
}

}  // namespace
}  // namespace lvrpo
