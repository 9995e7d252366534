#include "common/hash.h"
#include "evaluation/evaluate_into.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/temporary_folder.h"

namespace lvrpo {
namespace {

using ::testing::HasSubstr;

TEST(VersionDigest, IsWhatTheManifestBesideTheWeightsNames) {
  const TemporaryFolder folder;
  EXPECT_EQ(*VersionDigestOf("", true), "");
  const std::string weights = folder.Write("policy.safetensors", "weights");
  EXPECT_EQ(*VersionDigestOf(weights, true), "");  // weights that are no checkpoint's
  folder.Write("manifest.json",
               R"({"weights_digest":"aaaa","files":{"policy.safetensors":")" + Sha256Hex("weights") + "\"}}");
  EXPECT_EQ(*VersionDigestOf(weights, true), "aaaa");
  folder.Write("policy.safetensors", "other weights");
  EXPECT_EQ(*VersionDigestOf(weights, false), "aaaa");
  const absl::Status other = VersionDigestOf(weights, true).status();
  EXPECT_TRUE(absl::IsDataLoss(other));
  EXPECT_THAT(std::string(other.message()), HasSubstr("is not the file that"));
  for (const char* damaged : {"", "[]", "{}", R"({"weights_digest":7,"files":{}})"}) {
    folder.Write("manifest.json", damaged);
    EXPECT_TRUE(absl::IsDataLoss(VersionDigestOf(weights, false).status())) << damaged;
  }
}

}  // namespace
}  // namespace lvrpo
