#include "common/object_store/s3_client.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "gmock/gmock.h"
#include "tests/object_store/store_test.h"

namespace lvrpo {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using Kind = FakeS3::Kind;

using S3ClientTest = StoreTest;

TEST_F(S3ClientTest, WritesReadsListsAndDeletes) {
  S3Client client(Options());
  const std::string odd = "runs/a b+c&d=e~f/\xc3\xa9";
  ASSERT_TRUE(client.Put(odd, "0123456789").ok());
  ASSERT_TRUE(client.Put("runs/empty", "").ok());
  EXPECT_EQ(fake_.objects().at(odd), "0123456789");
  EXPECT_EQ(*client.Get(odd, 10), "0123456789");
  EXPECT_EQ(*client.Get("runs/empty", 0), "");
  EXPECT_TRUE(absl::IsDataLoss(client.Get(odd, 9).status()));
  EXPECT_EQ(*client.GetRange(odd, 2, 3), "234");
  EXPECT_TRUE(absl::IsDataLoss(client.GetRange(odd, 8, 3).status()));
  EXPECT_EQ(*client.Size(odd), 10);
  EXPECT_TRUE(absl::IsNotFound(client.Size("runs/none").status()));
  EXPECT_TRUE(absl::IsNotFound(client.Get("runs/none", 10).status()));
  const auto listed = client.List("runs/a b");
  ASSERT_TRUE(listed.ok()) << listed.status();
  ASSERT_EQ(listed->size(), 1u);
  EXPECT_EQ((*listed)[0].key, odd);
  EXPECT_EQ((*listed)[0].size, 10);
  EXPECT_TRUE(client.Delete(odd).ok());
  EXPECT_TRUE(client.Delete(odd).ok());
  EXPECT_EQ(fake_.objects().size(), 1u);
}

TEST_F(S3ClientTest, ListsAllPages) {
  S3Client client(Options());
  for (int i = 0; i < 7; ++i) fake_.Put(absl::StrCat("p/", i), "x");
  fake_.Put("q", "x");
  fake_.SetPageSize(3);
  EXPECT_EQ(client.List("p/")->size(), 7u);
  EXPECT_EQ(fake_.Count("GET", "list-type=2"), 3);
}

TEST_F(S3ClientTest, OneOfSeveralWritersOfANewObjectSucceeds) {
  S3Client client(Options());
  EXPECT_TRUE(client.Put("COMPLETE", "mine", true).ok());
  EXPECT_TRUE(client.Put("COMPLETE", "mine", true).ok());  // the same bytes: written before
  EXPECT_TRUE(absl::IsAlreadyExists(client.Put("COMPLETE", "another", true)));
  EXPECT_EQ(fake_.objects().at("COMPLETE"), "mine");
  // The first answer was lost.
  fake_.Fail({.kind = Kind::kLoseAnswer, .method = "PUT"});
  EXPECT_TRUE(client.Put("NEW", "mine", true).ok());
  EXPECT_EQ(fake_.Count("PUT", "NEW"), 2);
}

TEST_F(S3ClientTest, RetriesWhatMayPassAndWaitsAsLongAsItIsAsked) {
  S3Client client(Options());
  fake_.Fail({.method = "PUT", .code = 500});
  fake_.Fail({.method = "PUT", .code = 503, .name = "SlowDown", .retry_after = 7});
  ASSERT_TRUE(client.Put("k", "v").ok());
  ASSERT_EQ(time_.waits.size(), 2u);
  EXPECT_EQ(time_.waits[1], absl::Seconds(7));
  fake_.Fail({.method = "PUT", .code = 503, .name = "SlowDown", .retry_after = 3600});  // too long
  EXPECT_TRUE(absl::IsUnavailable(client.Put("k", "v")));
  EXPECT_EQ(time_.waits.size(), 2u);
  fake_.Fail({.method = "GET", .times = 9});
  EXPECT_TRUE(absl::IsUnavailable(client.Get("k", 10).status()));
  EXPECT_EQ(fake_.Count("GET", "k"), 4);  // 3 retries
}

TEST_F(S3ClientTest, BodiesThatAreDamagedOrCutOnTheirWayAreSentAgain) {
  S3Client client(Options());
  fake_.Fail({.kind = Kind::kDamageBody, .method = "PUT"});
  EXPECT_TRUE(client.Put("k", std::string(100000, 'v')).ok());
  EXPECT_EQ(fake_.objects().at("k"), std::string(100000, 'v'));
  EXPECT_EQ(fake_.Count("PUT", "k"), 2);
  fake_.Fail({.kind = Kind::kDamageBody, .method = "PUT", .times = 9});
  EXPECT_THAT(std::string(client.Put("k", "w").message()), HasSubstr("XAmzContentSHA256Mismatch"));
  fake_.Fail({.kind = Kind::kCutAnswer, .method = "GET"});
  EXPECT_EQ(client.Get("k", 100000)->size(), 100000u);
}

TEST_F(S3ClientTest, SaysWhatIsWrongAndNeverAKey) {
  environment_["AWS_SECRET_ACCESS_KEY"] = "another-secret-0123456789";
  S3Client wrong_secret(Options());
  const absl::Status secret = wrong_secret.Put("k", "v");
  EXPECT_TRUE(absl::IsFailedPrecondition(secret));
  EXPECT_THAT(std::string(secret.message()),
              AllOf(HasSubstr("PUT s3://bucket/k: the store answered 403 SignatureDoesNotMatch"),
                    HasSubstr("the secret key or the region"), Not(HasSubstr("another-secret"))));
  environment_["AWS_SECRET_ACCESS_KEY"] = FakeS3::kSecretKey;
  S3Client::Options elsewhere = Options();
  elsewhere.bucket = "elsewhere";
  EXPECT_THAT(std::string(S3Client(elsewhere).Put("k", "v").message()), HasSubstr("NoSuchBucket"));
  S3Client client(Options());
  fake_.Fail({.method = "PUT", .code = 403, .name = absl::StrCat("No ", FakeS3::kSecretKey)});
  EXPECT_THAT(std::string(client.Put("k", "v").message()), Not(HasSubstr("secret/Key")));
  fake_.Fail({.method = "GET", .code = 301, .name = "PermanentRedirect"});
  EXPECT_THAT(std::string(client.Get("k", 9).status().message()), HasSubstr("redirections are not followed"));
  environment_.clear();
  S3Client none(Options());
  EXPECT_THAT(std::string(none.Put("k", "v").message()), HasSubstr("no credentials"));
}

TEST_F(S3ClientTest, AListThatIsNotTheOneAskedForIsRefused) {
  S3Client client(Options());
  for (int i = 0; i < 3; ++i) fake_.Put(absl::StrCat("p/", i), "x");
  fake_.Fail({.kind = Kind::kDamageAnswer, .method = "GET"});
  EXPECT_TRUE(absl::IsDataLoss(client.List("p/").status()));
}

TEST_F(S3ClientTest, StopsWhenItIsTold) {
  bool stop = false;
  S3Client::Options options = Options();
  options.stop = [&] { return stop; };
  options.waiting.sleep = [&](absl::Duration) { stop = true; };
  S3Client client(options);
  fake_.Fail({.method = "PUT"});
  EXPECT_TRUE(absl::IsCancelled(client.Put("k", "v")));
  EXPECT_EQ(fake_.Count("PUT", "k"), 1);
}

TEST_F(S3ClientTest, AServerThatIsGoneIsUnavailable) {
  S3Client::Options options = Options();
  options.server.endpoint = "http://127.0.0.1:9";  // the discard port
  const absl::Status status = S3Client(options).Put("k", "v");
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_EQ(time_.waits.size(), 3u);
}

// As of a server, or a proxy, that is about to restart.
TEST_F(S3ClientTest, AConnectionThatBreaksInItsHandshakeIsUnavailable) {
  S3Client::Options options = Options();
  options.server.endpoint = absl::StrCat("https://", absl::StripPrefix(fake_.url(), "http://"));
  const absl::Status status = S3Client(options).Put("k", "v");
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_EQ(time_.waits.size(), 3u);
}

TEST_F(S3ClientTest, MultipartUploads) {
  S3Client client(Options());
  const auto upload = client.BeginUpload("big");
  ASSERT_TRUE(upload.ok()) << upload.status();
  const auto two = client.PutPart("big", *upload, 2, "world"),
             one = client.PutPart("big", *upload, 1, "hello ");
  ASSERT_TRUE(one.ok() && two.ok()) << one.status() << two.status();
  EXPECT_EQ((*client.Uploads("b"))[0].id, *upload);
  EXPECT_TRUE(client.Uploads("c")->empty());
  // An error in an answer of 200; then an answer that is lost.
  fake_.Fail({.method = "POST", .code = 200, .name = "InternalError"});
  fake_.Fail({.kind = Kind::kLoseAnswer, .method = "POST"});
  EXPECT_TRUE(client.CompleteUpload("big", *upload, {*one, *two}, 11).ok());
  EXPECT_EQ(fake_.objects().at("big"), "hello world");
  EXPECT_EQ(fake_.Count("POST", "big?uploadId="), 3);
  EXPECT_TRUE(absl::IsNotFound(client.CompleteUpload("big", *upload, {*one, *two}, 12)));
  const auto other = client.BeginUpload("other");
  EXPECT_TRUE(client.AbortUpload("other", *other).ok());
  EXPECT_TRUE(client.AbortUpload("other", *other).ok());
  EXPECT_EQ(fake_.open_uploads(), 0u);
}

}  // namespace
}  // namespace lvrpo
