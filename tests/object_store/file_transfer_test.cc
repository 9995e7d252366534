#include "common/object_store/file_transfer.h"

#include "common/files/file.h"
#include "common/files/filesystem.h"
#include "common/hash.h"
#include "gmock/gmock.h"
#include "tests/object_store/store_test.h"

namespace lvrpo {
namespace {

using ::testing::HasSubstr;
using Kind = FakeS3::Kind;

TEST(PartBytes, HasAtMostTenThousandParts) {
  constexpr int64_t kMib = 1 << 20, kLeast = 16 * kMib;
  EXPECT_EQ(PartBytes(0, kLeast), kLeast);
  EXPECT_EQ(PartBytes(10000 * kLeast, kLeast), kLeast);
  EXPECT_EQ(PartBytes(10000 * kLeast + 1, kLeast), 17 * kMib);
  EXPECT_EQ(PartBytes(int64_t{1} << 40, kLeast), 105 * kMib);
}

class FileTransferTest : public StoreTest {
 protected:
  FileTransferTest() {
    for (int i = 0; bytes_.size() < 100000; ++i) bytes_ += std::to_string(i);
    path_ = folder_.Write("file", bytes_);
  }
  absl::Status Upload(S3Client& client, int64_t part_bytes) {
    return UploadFile(client, "k", path_, Sha256Hex(bytes_), {.part_bytes = part_bytes});
  }
  absl::Status Download(S3Client& client, const std::string& to, int64_t part_bytes) {
    return DownloadFile(client, "k", folder_ / to, static_cast<int64_t>(bytes_.size()), Sha256Hex(bytes_),
                        {.part_bytes = part_bytes});
  }

  const TemporaryFolder folder_;
  std::string bytes_, path_;
};

TEST_F(FileTransferTest, ThereAndBackInPartsAndWhole) {
  S3Client client(Options());
  for (const int64_t part : {1000, 99999, 100000, 1000000}) {
    ASSERT_TRUE(Upload(client, part).ok()) << part;
    EXPECT_EQ(fake_.objects().at("k"), bytes_);
    ASSERT_TRUE(Download(client, "back", part).ok()) << part;
    EXPECT_EQ(*ReadFile(folder_ / "back"), bytes_);
  }
  EXPECT_EQ(fake_.open_uploads(), 0u);
}

TEST_F(FileTransferTest, TakesFaultsOfTheServer) {
  S3Client client(Options());
  fake_.Fail({.method = "PUT", .path = "partNumber=3", .code = 503, .name = "SlowDown"});
  fake_.Fail({.kind = Kind::kDamageBody, .method = "PUT", .path = "partNumber=4"});
  fake_.Fail({.kind = Kind::kLoseAnswer, .method = "PUT", .path = "partNumber=5"});
  fake_.Fail({.kind = Kind::kLoseAnswer, .method = "POST", .path = "uploadId"});
  ASSERT_TRUE(Upload(client, 10000).ok());
  EXPECT_EQ(fake_.objects().at("k"), bytes_);
  fake_.Fail({.kind = Kind::kCutAnswer, .method = "GET", .after = 2});
  fake_.Fail({.method = "GET", .after = 4});
  ASSERT_TRUE(Download(client, "back", 10000).ok());
  EXPECT_EQ(*ReadFile(folder_ / "back"), bytes_);
}

TEST_F(FileTransferTest, AnUploadThatFailsIsAborted) {
  S3Client client(Options());
  fake_.Fail({.method = "PUT",
              .path = "partNumber",
              .after = 2,
              .times = 1000,
              .code = 403,
              .name = "AccessDenied"});
  EXPECT_TRUE(absl::IsFailedPrecondition(Upload(client, 1000)));
  EXPECT_EQ(fake_.open_uploads(), 0u);
  EXPECT_TRUE(fake_.objects().empty());
  EXPECT_LT(fake_.Count("PUT", "partNumber"), 20);  // the rest was not sent
}

TEST_F(FileTransferTest, AFileWithAnotherDigestIsNeverThere) {
  S3Client client(Options());
  bytes_.back() ^= 1;  // the manifest has this digest, the disk the other bytes
  for (const int64_t part : {1000, 1000000}) {
    const absl::Status status = Upload(client, part);
    EXPECT_TRUE(absl::IsDataLoss(status)) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr("is damaged"));
  }
  EXPECT_TRUE(fake_.objects().empty());
  EXPECT_EQ(fake_.open_uploads(), 0u);
}

TEST_F(FileTransferTest, WhatIsDamagedInTheStoreNeverGetsItsName) {
  S3Client client(Options());
  ASSERT_TRUE(Upload(client, 1000).ok());
  fake_.Fail({.kind = Kind::kDamageAnswer, .method = "GET", .after = 17});
  EXPECT_TRUE(absl::IsDataLoss(Download(client, "back", 1000)));
  fake_.Put("k", bytes_.substr(1));
  EXPECT_TRUE(absl::IsDataLoss(Download(client, "back", 1000)));
  for (const size_t left : {0, 1, 1000, 50000}) {  // ends of parts, too
    fake_.Put("k", bytes_.substr(0, left));
    const absl::Status status = Download(client, "back", 1000);
    EXPECT_TRUE(absl::IsDataLoss(status)) << left << status;
  }
  EXPECT_THAT(*ListFolder(folder_.path()), ::testing::ElementsAre("file"));
}

}  // namespace
}  // namespace lvrpo
