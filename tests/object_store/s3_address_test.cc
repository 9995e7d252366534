#include "common/object_store/s3_address.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace lvrpo {
namespace {

using ::testing::HasSubstr;

TEST(ParseS3Place, ReadsBucketAndPrefix) {
  struct Case {
    const char *text, *bucket, *prefix;
  };
  for (const Case& c :
       {Case{"s3://abc", "abc", ""}, Case{"s3://abc/", "abc", ""},
        Case{"s3://my-bucket.9/runs", "my-bucket.9", "runs"}, Case{"s3://abc/a/b_c~1/", "abc", "a/b_c~1"}}) {
    const auto place = ParseS3Place(c.text);
    ASSERT_TRUE(place.ok()) << c.text << place.status();
    EXPECT_EQ(place->bucket, c.bucket);
    EXPECT_EQ(place->prefix, c.prefix);
  }
}

TEST(ParseS3Place, RefusesWhatIsNoPlace) {
  for (const char* text :
       {"", "abc", "https://abc/d", "s3:/abc", "s3://", "s3://ab", "s3://-abc", "s3://abc.", "s3://Abc",
        "s3://a_b", "s3://a..b", "s3:///abc", "s3://abc//d", "s3://abc/d//", "s3://abc/../d", "s3://abc/./d",
        "s3://abc/a b", "s3://abc/\xff", "s3://abc/a?b"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(ParseS3Place(text).status())) << text;
  }
}

TEST(CheckS3Server, WantsHttpsUnlessTheServerIsNearOrItIsAllowed) {
  for (const char* endpoint :
       {"", "https://s3.example.org", "https://s3.example.org:9000/", "https://[::1]:9",
        "http://127.0.0.1:9000", "http://localhost", "http://[::1]:80"}) {
    EXPECT_TRUE(CheckS3Server({.endpoint = endpoint, .region = "eu-1"}).ok()) << endpoint;
  }
  const S3Server plain = {.endpoint = "http://s3.example.org", .region = "eu-1"};
  EXPECT_THAT(std::string(CheckS3Server(plain).message()), HasSubstr("plain_http"));
  S3Server allowed = plain;
  allowed.allow_plain_http = true;
  EXPECT_TRUE(CheckS3Server(allowed).ok());
}

TEST(CheckS3Server, RefusesOtherEndpoints) {
  for (const char* endpoint : {"s3.example.org", "ftp://h", "https://", "https://u:p@h", "https://h/path",
                               "https://h?x", "https://h:0", "https://h:99999", "https://a b"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(CheckS3Server({.endpoint = endpoint, .region = "r"}))) << endpoint;
  }
  EXPECT_THAT(std::string(CheckS3Server({.endpoint = "", .region = "a b"}).message()), HasSubstr("region"));
}

TEST(S3Url, EncodesAsTheSignatureWantsIt) {
  const S3Server path = {.endpoint = "https://h:9/", .region = "r", .path_style = true};
  EXPECT_EQ(S3Url(path, "bkt", "a/b c+d~e", {}), "https://h:9/bkt/a/b%20c%2Bd~e");
  EXPECT_EQ(S3Url(path, "bkt", "", {}), "https://h:9/bkt");
  EXPECT_EQ(S3Url(path, "bkt", "k", {{"uploadId", "x/y="}, {"partNumber", "2"}}),
            "https://h:9/bkt/k?partNumber=2&uploadId=x%2Fy%3D");
  EXPECT_EQ(S3Url(path, "bkt", "k", {{"uploads", ""}}), "https://h:9/bkt/k?uploads=");
  const S3Server host = {.endpoint = "", .region = "eu-central-1"};
  EXPECT_EQ(S3Url(host, "bkt", "k", {}), "https://bkt.s3.eu-central-1.amazonaws.com/k");
  EXPECT_EQ(S3Url(host, "bkt", "", {{"a", "b"}}), "https://bkt.s3.eu-central-1.amazonaws.com/?a=b");
}

}  // namespace
}  // namespace lvrpo
