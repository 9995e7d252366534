// Against a real server, which tools/check_s3.sh starts: LVRPO_S3_ENDPOINT, LVRPO_S3_BUCKET, and keys in the
// environment.

#include <unistd.h>

#include <cstdlib>
#include <thread>

#include "absl/strings/str_cat.h"
#include "common/files/file.h"
#include "common/files/file_reader.h"
#include "common/files/filesystem.h"
#include "common/hash.h"
#include "common/unguessable.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "learner/checkpoints/checkpoint_folder.h"
#include "learner/checkpoints/checkpoint_store.h"
#include "nlohmann/json.hpp"
#include "tests/testing/temporary_folder.h"

namespace lvrpo {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

S3Client::Options Options() {
  return {.server = {.endpoint = EnvironmentVariable("LVRPO_S3_ENDPOINT"),
                     .region = "us-east-1",
                     .path_style = true,
                     .allow_plain_http = true,
                     .ca_file = EnvironmentVariable("LVRPO_S3_CA_FILE")},
          .bucket = EnvironmentVariable("LVRPO_S3_BUCKET"),
          .retry = {.retries = 2}};
}

class RealStore : public ::testing::Test {
 protected:
  std::string Key(const std::string& name) const { return prefix_ + name; }
  static std::string Bytes(size_t size) {
    std::string bytes(size, '\0');
    uint32_t state = 1;
    for (char& byte : bytes) byte = static_cast<char>((state = state * 1664525 + 1013904223) >> 24);
    return bytes;
  }
  // A checkpoint folder with one file of these bytes; its digest.
  std::string Write(const std::string& name, const std::string& bytes) const {
    const std::string manifest = nlohmann::json{{"files", {{"policy.safetensors", Sha256Hex(bytes)}}}}.dump();
    folder_.Write(name + "/policy.safetensors", bytes);
    folder_.Write(name + "/manifest.json", manifest);
    return Sha256Hex(manifest);
  }

  const std::string prefix_ = absl::StrCat("check/", UnguessableToken(), "/");
  const TemporaryFolder folder_;
  S3Client client_{Options()};
};

TEST_F(RealStore, WritesReadsAndDeletes) {
  const std::string odd = Key("a b+c~d=e");
  ASSERT_TRUE(client_.Put(odd, "0123456789").ok()) << client_.Put(odd, "0123456789");
  EXPECT_EQ(*client_.Get(odd, 10), "0123456789");
  EXPECT_EQ(*client_.GetRange(odd, 2, 3), "234");
  EXPECT_EQ(*client_.Size(odd), 10);
  EXPECT_TRUE(client_.Put(Key("empty"), "").ok());
  EXPECT_EQ(*client_.Get(Key("empty"), 10), "");
  EXPECT_TRUE(client_.Delete(odd).ok());
  EXPECT_TRUE(client_.Delete(odd).ok());
  EXPECT_TRUE(absl::IsNotFound(client_.Get(odd, 10).status()));
  EXPECT_TRUE(absl::IsNotFound(client_.Size(odd).status()));
}

TEST_F(RealStore, ListsMoreThanAPage) {
  for (int i = 0; i < 1050; ++i) ASSERT_TRUE(client_.Put(Key(absl::StrCat("list/", i)), "x").ok());
  const auto listed = client_.List(Key("list/"));
  ASSERT_TRUE(listed.ok()) << listed.status();
  EXPECT_EQ(listed->size(), 1050u);
}

TEST_F(RealStore, OneWriterOfANewObjectSucceeds) {
  EXPECT_TRUE(client_.Put(Key("new"), "mine", true).ok());
  EXPECT_TRUE(client_.Put(Key("new"), "mine", true).ok());
  EXPECT_TRUE(absl::IsAlreadyExists(client_.Put(Key("new"), "another", true)));
  EXPECT_EQ(*client_.Get(Key("new"), 10), "mine");
}

TEST_F(RealStore, SendsAndReceivesFilesInParts) {
  const std::string bytes = Bytes((40 << 20) + 12345), path = folder_.Write("file", bytes);
  const absl::Status sent = UploadFile(client_, Key("file"), path, Sha256Hex(bytes), {.part_bytes = 8 << 20});
  ASSERT_TRUE(sent.ok()) << sent;
  EXPECT_EQ(*client_.Size(Key("file")), static_cast<int64_t>(bytes.size()));
  const absl::Status received = DownloadFile(client_, Key("file"), folder_ / "back",
                                             static_cast<int64_t>(bytes.size()), Sha256Hex(bytes));
  ASSERT_TRUE(received.ok()) << received;
  EXPECT_EQ(*FileSha256Hex(folder_ / "back"), Sha256Hex(bytes));
  EXPECT_TRUE(client_.Uploads(Key(""))->empty());
  // A file that is not what its manifest says is aborted.
  EXPECT_TRUE(
      absl::IsDataLoss(UploadFile(client_, Key("bad"), path, Sha256Hex("else"), {.part_bytes = 8 << 20})));
  EXPECT_TRUE(absl::IsNotFound(client_.Size(Key("bad")).status()));
  EXPECT_TRUE(client_.Uploads(Key(""))->empty());
}

TEST_F(RealStore, WrongKeysAreRefusedAndNeverShown) {
  S3Client::Options options = Options();
  options.variable = [](const char* name) {
    return std::string(name) == "AWS_SECRET_ACCESS_KEY" ? "wrong-secret-0123456789"
                                                        : EnvironmentVariable(name);
  };
  S3Client other(options);
  const absl::Status refused = other.Put(Key("k"), "v");
  EXPECT_TRUE(absl::IsFailedPrecondition(refused)) << refused;
  EXPECT_THAT(std::string(refused.message()), Not(HasSubstr("wrong-secret")));
  std::printf("a wrong secret: %s\n", std::string(refused.message()).c_str());
  options = Options();
  options.bucket = "no-such-bucket-here";
  const absl::Status none = S3Client(options).Put("k", "v");
  EXPECT_TRUE(absl::IsFailedPrecondition(none)) << none;
  std::printf("no bucket: %s\n", std::string(none.message()).c_str());
}

TEST_F(RealStore, CheckpointsGoThereAndBackAndOneOfTwoLearnersWins) {
  const std::string run = UnguessableToken();
  const auto make = [&] {
    auto store =
        std::make_unique<CheckpointStore>(Options(), "runs/", TransferOptions{.part_bytes = 5 << 20});
    store->NameRun(run);
    return store;
  };
  const std::string digest_a = Write("a", Bytes(12 << 20)), digest_b = Write("b", Bytes(13 << 20));
  const auto store_a = make(), store_b = make();
  ASSERT_TRUE(store_a->Begin(0).ok()) << store_a->Begin(0);
  ASSERT_TRUE(store_b->Begin(0).ok());
  int64_t sent_a = 0, sent_b = 0;
  absl::StatusOr<std::string> a, b;
  std::thread first([&] { a = store_a->Upload(folder_ / "a", 25, digest_a, &sent_a); });
  b = store_b->Upload(folder_ / "b", 25, digest_b, &sent_b);
  first.join();
  ASSERT_NE(a.ok(), b.ok()) << a.status() << b.status();
  EXPECT_TRUE(absl::IsAlreadyExists(a.ok() ? b.status() : a.status()));
  const std::string place = a.ok() ? *a : *b;
  const absl::Status fetched = make()->Download(place, a.ok() ? digest_a : digest_b, folder_ / "back");
  ASSERT_TRUE(fetched.ok()) << fetched;
  EXPECT_TRUE(store_a->Remove(25).ok());
  EXPECT_TRUE(client_.List(absl::StrCat("runs/", run, "/"))->empty());
}

}  // namespace
}  // namespace lvrpo
