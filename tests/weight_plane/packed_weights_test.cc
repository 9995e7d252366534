#include "weight_plane/packed_weights.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/hash.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/weight_plane/some_weights.h"
#include "weight_plane/kept_versions.h"

namespace lvrpo {
namespace {

using ::testing::ElementsAre;

TEST(WeightPacker, KeepsBucketsSmallUnlessOneTensorIsLarger) {
  const int64_t half = kBucketBytes / 4 / 2;
  WeightPacker packer;
  for (const auto& [name, elements] : std::vector<std::pair<std::string, int64_t>>{
           {"a", half}, {"b", half}, {"c", 1}, {"d", 2 * half + 1}, {"e", 1}})
    AddBytes(packer, name, {elements}, std::string(static_cast<size_t>(elements) * 4, name[0]));
  const PackedWeights packed = std::move(packer).Seal(1);
  std::vector<int64_t> sizes;
  for (const Bucket& bucket : packed.buckets) sizes.push_back(static_cast<int64_t>(bucket.size()));
  EXPECT_THAT(sizes, ElementsAre(kBucketBytes, 4, kBucketBytes + 4, 4));
}

TEST(WeightPacker, HasADigestOfTheWeightsAndNotOfTheirNumber) {
  const auto digest = [](const std::string& name, std::vector<int64_t> shape, const std::string& bytes,
                         int64_t number) {
    WeightPacker packer;
    AddBytes(packer, name, shape, bytes);
    return std::move(packer).Seal(number).manifest.version().digest();
  };
  const std::string own = digest("a", {2, 1}, "01234567", 1);
  EXPECT_EQ(digest("a", {2, 1}, "01234567", 2), own);
  EXPECT_NE(digest("b", {2, 1}, "01234567", 1), own);
  EXPECT_NE(digest("a", {1, 2}, "01234567", 1), own);
  EXPECT_NE(digest("a", {2, 1}, "01234568", 1), own);
}

// The digest of a manifest as every recorded run has it.
TEST(WeightPacker, WritesTheDigestThatRunsHaveRecorded) {
  WeightPacker packer;
  AddBytes(packer, "a", {2, 1}, "01234567");
  const PackedWeights packed = std::move(packer).Seal(1);
  EXPECT_EQ(packed.manifest.version().digest(),
            Sha256Hex("a|F32|0|0|8|2,1,\n8|" + Sha256Hex("01234567") + "\n"));
}

// Every bucket's checksum is of its bytes, however many threads have hashed how many buckets.
TEST(WeightPacker, HashesEachBucket) {
  WeightPacker packer;
  for (int i = 0; i < 40; ++i)
    AddBytes(packer, absl::StrCat("t", i), {kBucketBytes / 16},
             std::string(kBucketBytes / 4, static_cast<char>(i)));
  AddBytes(packer, "empty", {0}, "");
  const PackedWeights packed = std::move(packer).Seal(1);
  ASSERT_EQ(packed.buckets.size(), 10u);
  for (size_t i = 0; i < packed.buckets.size(); ++i)
    EXPECT_EQ(packed.manifest.buckets(static_cast<int>(i)).sha256(), Sha256Hex(packed.buckets[i].view()))
        << i;
}

TEST(KeptVersions, AreTheNewest) {
  KeptVersions kept(2);
  EXPECT_EQ(kept.Find(-1), nullptr);
  for (const int64_t number : {1, 2, 3}) kept.Keep(std::make_shared<PackedWeights>(SomeWeights(number)));
  EXPECT_EQ(kept.Find(1), nullptr);
  EXPECT_EQ(kept.Find(2)->manifest.version().number(), 2);
  EXPECT_EQ(kept.Find(-1), nullptr);
}

}  // namespace
}  // namespace lvrpo
