#include "common/object_store/s3_xml.h"

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace lvrpo {
namespace {

constexpr char kHead[] = "<?xml version=\"1.0\"?><ListBucketResult xmlns=\"http://s3.amazonaws.com/doc\">";

TEST(ReadS3Page, GivesObjectsAndTheNextPage) {
  const auto page = ReadS3Page(absl::StrCat(
      kHead, "<IsTruncated>true</IsTruncated><NextContinuationToken>t+1</NextContinuationToken>",
      "<Contents><Key>a&amp;b</Key><Size>7</Size></Contents><Contents><Size>0</Size><Key>c</Key></Contents>",
      "</ListBucketResult>"));
  ASSERT_TRUE(page.ok()) << page.status();
  ASSERT_EQ(page->objects.size(), 2u);
  EXPECT_EQ(page->objects[0].key, "a&b");
  EXPECT_EQ(page->objects[0].size, 7);
  EXPECT_EQ(page->next, "t+1");
  EXPECT_EQ(ReadS3Page(absl::StrCat(kHead, "</ListBucketResult>"))->next, "");
}

TEST(ReadS3Page, RefusesWhatIsMalformed) {
  const std::string deep = [] {
    std::string xml = kHead;
    for (int i = 0; i < 90000; ++i) xml += "<a>";
    return xml;
  }();
  for (const std::string& body :
       {std::string(), std::string("nonsense"), std::string(kHead), std::string("<Error/>"), deep,
        absl::StrCat(kHead, std::string(3 << 20, ' '), "</ListBucketResult>"),
        absl::StrCat(kHead, "<Contents><Key>a</Key></Contents></ListBucketResult>"),
        absl::StrCat(kHead, "<Contents><Key>a</Key><Size>-1</Size></Contents></ListBucketResult>"),
        absl::StrCat(kHead, "<Contents><Key></Key><Size>1</Size></Contents></ListBucketResult>"),
        absl::StrCat(kHead, "<Contents><Key>", std::string(5000, 'k'),
                     "</Key><Size>1</Size></Contents></ListBucketResult>"),
        absl::StrCat(kHead, "<IsTruncated>true</IsTruncated></ListBucketResult>")}) {
    EXPECT_TRUE(absl::IsDataLoss(ReadS3Page(body).status())) << body.substr(0, 200);
  }
}

TEST(ReadS3Page, ExpandsNoEntitiesOfTheDocument) {
  const auto page = ReadS3Page(
      "<!DOCTYPE l [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;\"><!ENTITY f SYSTEM \"file:///etc/passwd\">]>"
      "<ListBucketResult><Contents><Key>&b;&f;</Key><Size>1</Size></Contents></ListBucketResult>");
  ASSERT_TRUE(page.ok()) << page.status();
  EXPECT_EQ(page->objects[0].key, "&b;&f;");
}

TEST(ReadS3Error, ReadsBothForms) {
  const S3Error error = ReadS3Error("<Error><Code>SlowDown</Code><Message>later</Message></Error>");
  EXPECT_EQ(error.code, "SlowDown");
  EXPECT_EQ(error.message, "later");
  EXPECT_EQ(ReadS3Error("<ErrorResponse><Error><Code>X</Code></Error></ErrorResponse>").code, "X");
  EXPECT_EQ(ReadS3Error("<html>").code, "");
  EXPECT_EQ(ReadS3Error("").code, "");
}

TEST(Uploads, AreReadAndCompleted) {
  EXPECT_EQ(*ReadS3UploadId("<InitiateMultipartUploadResult><UploadId>u</UploadId>"
                            "</InitiateMultipartUploadResult>"),
            "u");
  EXPECT_FALSE(ReadS3UploadId("<InitiateMultipartUploadResult/>").ok());
  EXPECT_EQ(S3CompletionXml({"\"a\"", "<&"}),
            "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>\"a\"</ETag></Part><Part>"
            "<PartNumber>2</PartNumber><ETag>&lt;&amp;</ETag></Part></CompleteMultipartUpload>");
  const auto uploads = ReadS3Uploads(
      "<ListMultipartUploadsResult><Upload><Key>k</Key><UploadId>1</UploadId></Upload>"
      "</ListMultipartUploadsResult>");
  ASSERT_TRUE(uploads.ok());
  EXPECT_EQ((*uploads)[0].key + (*uploads)[0].id, "k1");
}

TEST(ReadAssumedRole, WantsAllFourParts) {
  const std::string whole =
      "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials>"
      "<AccessKeyId>a</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>"
      "<Expiration>2026-01-02T03:04:05Z</Expiration></Credentials></AssumeRoleWithWebIdentityResult>"
      "</AssumeRoleWithWebIdentityResponse>";
  const auto role = ReadAssumedRole(whole);
  ASSERT_TRUE(role.ok()) << role.status();
  EXPECT_EQ(role->session_token, "t");
  EXPECT_EQ(absl::FormatTime(role->expires, absl::UTCTimeZone()), "2026-01-02T03:04:05+00:00");
  for (const char* part : {">a<", ">s<", ">t<", "2026-01-02T"}) {
    std::string less = whole;
    less.replace(less.find(part), std::string(part).size(), part[0] == '>' ? "><" : "soon");
    EXPECT_TRUE(absl::IsDataLoss(ReadAssumedRole(less).status())) << part;
  }
}

}  // namespace
}  // namespace lvrpo
