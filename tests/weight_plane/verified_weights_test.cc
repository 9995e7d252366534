#include "weight_plane/verified_weights.h"

#include <deque>
#include <functional>
#include <limits>

#include "absl/strings/str_cat.h"
#include "common/hash.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace lvrpo {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// Plays a manifest and pieces.
class ScriptedStream final : public WeightStream {
 public:
  explicit ScriptedStream(const PackedWeights& weights) : manifest(weights.manifest) {
    for (size_t i = 0; i < weights.buckets.size(); ++i) {
      pieces.push_back({.bucket = static_cast<int64_t>(i),
                        .offset = 0,
                        .bytes = weights.buckets[i],
                        .crc32 = Crc32(weights.buckets[i])});
    }
  }
  absl::StatusOr<v1::WeightManifest> Manifest() override { return manifest; }
  absl::StatusOr<std::optional<WeightPiece>> Next() override {
    ++asked;
    if (!trouble.ok()) return trouble;
    if (pieces.empty()) return std::nullopt;
    const WeightPiece piece = pieces.front();
    pieces.pop_front();
    return piece;
  }

  v1::WeightManifest manifest;
  std::deque<WeightPiece> pieces;
  absl::Status trouble;
  int asked = 0;
};

class ReceiveTest : public ::testing::Test {
 protected:
  static PackedWeights Packed() {
    WeightPacker packer;
    packer.Add("a", {4}, "0123456789abcdef");
    packer.Add("b", {2, 2}, "ABCDEFGHIJKLMNOP");
    packer.Add("empty", {0, 3}, "");
    return std::move(packer).Seal(1);
  }
  absl::Status Receive() { return ReceiveWeights(stream_, wanted_, nullptr).status(); }

  const PackedWeights packed_ = Packed();
  WantedWeights wanted_{.version = packed_.manifest.version(),
                        .shapes = {{"a", {4}}, {"b", {2, 2}}, {"empty", {0, 3}}}};
  ScriptedStream stream_{packed_};
};

using Damage = std::function<void(v1::WeightManifest&)>;

TEST_F(ReceiveTest, GivesWhatCame) {
  const auto weights = ReceiveWeights(stream_, wanted_, nullptr);
  ASSERT_TRUE(weights.ok()) << weights.status();
  EXPECT_EQ(weights->buckets(), packed_.buckets);
  EXPECT_EQ(weights->manifest().version().digest(), wanted_.version.digest());
}

TEST_F(ReceiveTest, RefusesAManifestWithOneFieldChanged) {
  const std::vector<std::pair<std::string, Damage>> damages = {
      {"number", [](v1::WeightManifest& m) { m.mutable_version()->set_number(2); }},
      {"digest", [](v1::WeightManifest& m) { m.mutable_version()->set_digest(std::string(64, '0')); }},
      {"name", [](v1::WeightManifest& m) { m.mutable_tensors(0)->set_name("c"); }},
      {"dtype", [](v1::WeightManifest& m) { m.mutable_tensors(0)->set_dtype("I32"); }},
      {"shape", [](v1::WeightManifest& m) { m.mutable_tensors(0)->set_shape(0, 6); }},
      {"bucket", [](v1::WeightManifest& m) { m.mutable_tensors(0)->set_bucket(1); }},
      {"offset", [](v1::WeightManifest& m) { m.mutable_tensors(0)->set_offset(4); }},
      {"size", [](v1::WeightManifest& m) { m.mutable_tensors(0)->set_size(12); }},
      {"tensor less", [](v1::WeightManifest& m) { m.mutable_tensors()->RemoveLast(); }},
      {"bucket size", [](v1::WeightManifest& m) { m.mutable_buckets(0)->set_size(1); }},
      {"checksum", [](v1::WeightManifest& m) { m.mutable_buckets(0)->set_sha256(std::string(64, '0')); }},
  };
  for (const auto& [what, damage] : damages) {
    stream_.manifest = packed_.manifest;
    damage(stream_.manifest);
    const absl::Status status = Receive();
    EXPECT_TRUE(absl::IsDataLoss(status)) << what << ": " << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr("weights of version 1")) << what;
  }
  EXPECT_EQ(stream_.asked, 0);
}

// A sender that is wrong about its tensors but right about its digest must not make us read outside a bucket.
TEST_F(ReceiveTest, RefusesOtherTensorsUnderARightDigest) {
  constexpr int64_t kHuge = std::numeric_limits<int64_t>::max(), kLow = std::numeric_limits<int64_t>::min();
  const std::vector<std::pair<std::string, Damage>> damages = {
      {"after its bucket", [](v1::WeightManifest& m) { m.mutable_tensors(1)->set_offset(20); }},
      {"far after its bucket", [](v1::WeightManifest& m) { m.mutable_tensors(1)->set_offset(kHuge - 4); }},
      {"before its bucket", [](v1::WeightManifest& m) { m.mutable_tensors(1)->set_offset(-4); }},
      {"in no bucket", [](v1::WeightManifest& m) { m.mutable_tensors(1)->set_bucket(1); }},
      {"in a bucket below 0", [](v1::WeightManifest& m) { m.mutable_tensors(1)->set_bucket(-1); }},
      {"smaller than its shape", [](v1::WeightManifest& m) { m.mutable_tensors(1)->set_size(12); }},
      {"of a negative shape", [](v1::WeightManifest& m) { m.mutable_tensors(1)->set_shape(0, -2); }},
      {"of another rank", [](v1::WeightManifest& m) { m.mutable_tensors(1)->add_shape(1); }},
      {"of an impossible shape",
       [](v1::WeightManifest& m) {
         m.mutable_tensors(1)->set_shape(0, int64_t{1} << 62);
         m.mutable_tensors(1)->set_size(0);  // what 2^62 x 2 x 4 bytes are modulo 2^64
       }},
      {"of halves", [](v1::WeightManifest& m) { m.mutable_tensors(1)->set_dtype("BF16"); }},
      {"of another name", [](v1::WeightManifest& m) { m.mutable_tensors(1)->set_name("c"); }},
      {"twice", [](v1::WeightManifest& m) { *m.add_tensors() = m.tensors(1); }},
      {"missing", [](v1::WeightManifest& m) { m.mutable_tensors()->RemoveLast(); }},
      {"in a smaller bucket", [](v1::WeightManifest& m) { m.mutable_buckets(0)->set_size(28); }},
      {"in a negative bucket", [](v1::WeightManifest& m) { m.mutable_buckets(0)->set_size(kLow); }},
      {"in a larger bucket", [](v1::WeightManifest& m) { m.mutable_buckets(0)->set_size(33); }},
      {"with a bucket more", [](v1::WeightManifest& m) { m.add_buckets()->set_size(kHuge); }},
  };
  for (const auto& [what, damage] : damages) {
    stream_.manifest = packed_.manifest;
    damage(stream_.manifest);
    stream_.manifest.mutable_version()->set_digest(DigestOfManifest(stream_.manifest));
    wanted_.version = stream_.manifest.version();
    const absl::Status status = Receive();
    EXPECT_TRUE(absl::IsDataLoss(status)) << what << ": " << status;
    EXPECT_THAT(std::string(status.message()), Not(HasSubstr("digest"))) << what;
  }
  EXPECT_EQ(stream_.asked, 0);
}

TEST_F(ReceiveTest, RefusesPiecesThatDoNotContinueTheirBucket) {
  const std::vector<std::pair<std::string, std::function<void(WeightPiece&)>>> damages = {
      {"another bucket", [](WeightPiece& p) { p.bucket = 1; }},
      {"a bucket below 0", [](WeightPiece& p) { p.bucket = -1; }},
      {"a gap", [](WeightPiece& p) { p.offset = 1; }},
      {"before the bucket", [](WeightPiece& p) { p.offset = -1; }},
      {"a wrong CRC", [](WeightPiece& p) { p.crc32 = *p.crc32 ^ 1; }},
      {"half", [](WeightPiece& p) { p = {.bytes = p.bytes.substr(0, 16), .crc32 = std::nullopt}; }},
  };
  for (const auto& [what, damage] : damages) {
    stream_.pieces = ScriptedStream(packed_).pieces;
    damage(stream_.pieces.front());
    EXPECT_TRUE(absl::IsDataLoss(Receive())) << what;
  }
  stream_.pieces = ScriptedStream(packed_).pieces;
  stream_.pieces.push_back(stream_.pieces.front());  // the bucket is full
  EXPECT_TRUE(absl::IsDataLoss(Receive()));
}

TEST_F(ReceiveTest, PassesOnWhatTheStreamSays) {
  stream_.trouble = absl::UnavailableError("gone");
  EXPECT_EQ(Receive(), stream_.trouble);
}

}  // namespace
}  // namespace lvrpo
