#include "common/object_store/credentials.h"

#include "common/object_store/credentials_file.h"
#include "gmock/gmock.h"
#include "tests/object_store/store_test.h"

namespace lvrpo {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(ReadProfile, FindsTheSection) {
  constexpr char kFile[] =
      "# keys\n[default]\naws_access_key_id = a1\naws_secret_access_key=s1=x\n\n"
      "[profile two]\r\naws_access_key_id=a2\r\naws_secret_access_key = s2\r\naws_session_token = t2\r\n"
      "[half]\naws_access_key_id = a3\n";
  EXPECT_EQ(ReadProfile(kFile, "default")->secret_key, "s1=x");
  EXPECT_EQ(ReadProfile(kFile, "default")->session_token, "");
  EXPECT_EQ(ReadProfile(kFile, "two")->session_token, "t2");
  for (const char* profile : {"half", "none", ""}) EXPECT_FALSE(ReadProfile(kFile, profile).has_value());
  EXPECT_FALSE(ReadProfile(std::string("[default\n\xff\0=\n[[", 15), "default").has_value());
}

class CredentialsTest : public StoreTest {
 protected:
  absl::StatusOr<S3Credentials> Get(const std::string& profile = "") {
    CredentialSource source = {{.profile = profile,
                                .region = FakeS3::kRegion,
                                .variable = [this](const char* name) { return environment_[name]; },
                                .clock = &time_.clock},
                               http_};
    return source.Get();
  }

  const TemporaryFolder folder_;
  SignedHttp http_{{.region = FakeS3::kRegion}};
};

TEST_F(CredentialsTest, TheEnvironmentComesBeforeFilesUnlessAProfileIsNamed) {
  environment_["AWS_SHARED_CREDENTIALS_FILE"] =
      folder_.Write("keys",
                    "[default]\naws_access_key_id=d\naws_secret_access_key=s\n[p]\naws_access_key_id=p\n"
                    "aws_secret_access_key=s\n");
  EXPECT_EQ(Get()->access_key, FakeS3::kAccessKey);
  EXPECT_EQ(Get("p")->access_key, "p");
  environment_["AWS_ACCESS_KEY_ID"].clear();
  EXPECT_THAT(std::string(Get().status().message()), HasSubstr("only one of"));
  environment_["AWS_SECRET_ACCESS_KEY"].clear();
  EXPECT_EQ(Get()->access_key, "d");
  environment_["AWS_PROFILE"] = "p";
  EXPECT_EQ(Get()->access_key, "p");
  environment_["AWS_PROFILE"] = "q";
  EXPECT_THAT(std::string(Get().status().message()), HasSubstr("no keys for the profile 'q'"));
  environment_["AWS_SHARED_CREDENTIALS_FILE"] = folder_ / "none";
  const absl::Status none = Get().status();
  EXPECT_TRUE(absl::IsFailedPrecondition(none));
  EXPECT_THAT(std::string(none.message()), HasSubstr("none"));
}

TEST_F(CredentialsTest, AWebIdentityIsTradedForKeysThatAreKeptUntilShortlyBeforeTheyEnd) {
  environment_ = {{"AWS_WEB_IDENTITY_TOKEN_FILE", folder_.Write("token", "web-identity-0123456789\n")},
                  {"AWS_ROLE_ARN", "arn:aws:iam::1:role/r"},
                  {"AWS_ENDPOINT_URL_STS", fake_.url()}};
  fake_.WantToken(true);
  S3Client client(Options());
  const auto advance_to = [&](const char* when) {
    absl::Time time;
    std::string error;
    ASSERT_TRUE(absl::ParseTime(absl::RFC3339_full, when, &time, &error));
    time_.clock.Advance(time - time_.clock.Now());
  };
  advance_to("2029-12-31T23:54:59Z");
  ASSERT_TRUE(client.Put("k", "v").ok());
  ASSERT_TRUE(client.Put("k", "w").ok());
  EXPECT_EQ(fake_.Count("POST", "/"), 1);
  advance_to("2029-12-31T23:55:00Z");
  ASSERT_TRUE(client.Put("k", "x").ok());
  EXPECT_EQ(fake_.Count("POST", "/"), 2);
  // The server says they have expired: asked for anew, once.
  advance_to("2029-12-31T00:00:00Z");
  fake_.Fail({.method = "GET", .code = 400, .name = "ExpiredToken"});
  EXPECT_EQ(*client.Get("k", 10), "x");
  EXPECT_EQ(fake_.Count("POST", "/"), 3);
}

TEST_F(CredentialsTest, ATokenServiceThatRefusesIsNamedAndOneThatFailsIsAskedAgain) {
  environment_ = {{"AWS_WEB_IDENTITY_TOKEN_FILE", folder_.Write("token", "web-identity-0123456789\n")},
                  {"AWS_ROLE_ARN", "arn:aws:iam::1:role/r"},
                  {"AWS_ENDPOINT_URL_STS", fake_.url()}};
  fake_.WantToken(true);
  S3Client client(Options());
  fake_.Fail({.method = "POST", .code = 503, .name = "ServiceUnavailable"});
  EXPECT_TRUE(client.Put("k", "v").ok());
  EXPECT_EQ(time_.waits.size(), 1u);
  S3Client other(Options());
  fake_.Fail({.method = "POST", .code = 400, .name = "InvalidIdentityToken web-identity-0123456789"});
  const absl::Status refused = other.Put("k", "v");
  EXPECT_TRUE(absl::IsFailedPrecondition(refused));
  EXPECT_THAT(std::string(refused.message()),
              HasSubstr("the token service answered 400: InvalidIdentityToken"));
  EXPECT_THAT(std::string(refused.message()), Not(HasSubstr("web-identity-0123456789")));
  environment_["AWS_ENDPOINT_URL_STS"] = "http://sts.example.org";
  S3Client plain(Options());
  EXPECT_THAT(std::string(plain.Put("k", "v").message()), HasSubstr("AWS_ENDPOINT_URL_STS"));
}

}  // namespace
}  // namespace lvrpo
