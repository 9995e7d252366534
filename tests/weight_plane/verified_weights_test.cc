#include "weight_plane/verified_weights.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <limits>

#include "absl/strings/str_cat.h"
#include "common/hash.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/weight_plane/memory_transport.h"
#include "tests/weight_plane/some_weights.h"

namespace lvrpo {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

// Plays a manifest, and the bytes of buckets in pieces of at most five bytes.
class ScriptedStream final : public WeightStream {
 public:
  explicit ScriptedStream(const PackedWeights& weights) : manifest(weights.manifest) {
    for (const Bucket& bucket : weights.buckets) buckets.emplace_back(bucket.view());
  }
  absl::StatusOr<v1::WeightManifest> Manifest() override {
    ++manifests;
    return manifest;
  }
  absl::StatusOr<size_t> Read(int64_t bucket, int64_t offset, std::span<char> into) override {
    asked.push_back(bucket);
    if (static_cast<int64_t>(asked.size()) > breaks_after) return trouble;
    const std::string& from = buckets[static_cast<size_t>(bucket)];
    const size_t size = std::min({from.size() - static_cast<size_t>(offset), into.size(), size_t{5}});
    std::memcpy(into.data(), from.data() + offset, size);
    return size;
  }

  v1::WeightManifest manifest;
  std::vector<std::string> buckets;
  absl::Status trouble = absl::UnavailableError("gone");
  int64_t breaks_after = 1000;  // reads
  std::vector<int64_t> asked;   // the buckets of all reads
  int manifests = 0;            // asked for
};

class ReceiveTest : public ::testing::Test {
 protected:
  static PackedWeights Packed() {
    WeightPacker packer;
    AddBytes(packer, "a", {4}, "0123456789abcdef");
    AddBytes(packer, "b", {2, 2}, "ABCDEFGHIJKLMNOP");
    AddBytes(packer, "empty", {0, 3}, "");
    return std::move(packer).Seal(1);
  }
  absl::Status Receive() { return ReceiveAll(stream_, wanted_).status(); }

  const PackedWeights packed_ = Packed();
  WantedWeights wanted_{.version = packed_.manifest.version(),
                        .shapes = {{"a", {4}}, {"b", {2, 2}}, {"empty", {0, 3}}}};
  ScriptedStream stream_{packed_};
};

using Damage = std::function<void(v1::WeightManifest&)>;

TEST_F(ReceiveTest, GivesWhatCame) {
  const auto weights = ReceiveAll(stream_, wanted_);
  ASSERT_TRUE(weights.ok()) << weights.status();
  EXPECT_TRUE(SameBytes(weights->buckets(), packed_.buckets));
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
  EXPECT_THAT(stream_.asked, IsEmpty());
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
  EXPECT_THAT(stream_.asked, IsEmpty());
}

TEST_F(ReceiveTest, PassesOnWhatTheStreamSays) {
  stream_.breaks_after = 2;
  EXPECT_EQ(Receive(), stream_.trouble);
}

// Four buckets of two pieces each.
class ResumeTest : public ::testing::Test {
 protected:
  static PackedWeights Packed() {
    PackedWeights packed;
    for (int i = 0; i < 4; ++i) {
      v1::TensorEntry& tensor = *packed.manifest.add_tensors();
      tensor.set_name(absl::StrCat("t", i));
      tensor.set_dtype("F32");
      tensor.add_shape(2);
      tensor.set_bucket(i);
      tensor.set_size(8);
      const std::string bytes(8, static_cast<char>('a' + i));
      v1::BucketEntry& bucket = *packed.manifest.add_buckets();
      bucket.set_size(8);
      bucket.set_sha256(Sha256Hex(bytes));
      std::memcpy(packed.buckets.emplace_back(8).data(), bytes.data(), 8);
    }
    packed.manifest.mutable_version()->set_number(1);
    packed.manifest.mutable_version()->set_digest(DigestOfManifest(packed.manifest));
    return packed;
  }
  const PackedWeights packed_ = Packed();
  PartialWeights partial_{WantedOf(packed_)};
  ScriptedStream broken_{packed_}, whole_{packed_};
};

TEST_F(ResumeTest, ContinuesWithTheFirstBucketThatIsNotVerified) {
  for (int64_t reads = 0; reads < 8; ++reads) {
    ScriptedStream broken(packed_), rest(packed_);
    broken.breaks_after = reads;
    PartialWeights partial(WantedOf(packed_));
    EXPECT_EQ(partial.Continue(broken, nullptr), broken.trouble) << reads;
    ASSERT_TRUE(partial.Continue(rest, nullptr).ok()) << reads;
    EXPECT_EQ(rest.asked.front(), reads / 2) << reads;
    EXPECT_EQ(rest.manifests, 0) << "it is known, and checked";
    EXPECT_TRUE(SameBytes(std::move(partial).Take().buckets(), packed_.buckets)) << reads;
  }
}

TEST_F(ResumeTest, KeepsNothingOfABucketThatIsWrong) {
  broken_.buckets[2][3] ^= 1;
  const absl::Status status = partial_.Continue(broken_, nullptr);
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("bucket 2 does not match its checksum"));
  ASSERT_TRUE(partial_.Continue(whole_, nullptr).ok());
  EXPECT_EQ(whole_.asked.front(), 2);
  EXPECT_TRUE(SameBytes(std::move(partial_).Take().buckets(), packed_.buckets));
}

// What the second holder has is not what the first one announced.
TEST_F(ResumeTest, RefusesTheRestOfAnotherVersion) {
  broken_.breaks_after = 4;
  EXPECT_FALSE(partial_.Continue(broken_, nullptr).ok());
  ScriptedStream other(packed_);
  for (std::string& bucket : other.buckets) bucket.assign(bucket.size(), 'x');
  EXPECT_TRUE(absl::IsDataLoss(partial_.Continue(other, nullptr)));
  ASSERT_TRUE(partial_.Continue(whole_, nullptr).ok());
  EXPECT_EQ(whole_.asked.front(), 2);
  EXPECT_TRUE(SameBytes(std::move(partial_).Take().buckets(), packed_.buckets));
}

TEST_F(ResumeTest, AsksForTheManifestUntilItIsRight) {
  broken_.manifest.mutable_tensors(0)->set_name("other");
  EXPECT_TRUE(absl::IsDataLoss(partial_.Continue(broken_, nullptr)));
  EXPECT_THAT(broken_.asked, IsEmpty());
  EXPECT_TRUE(partial_.Continue(whole_, nullptr).ok());
}

}  // namespace
}  // namespace lvrpo
