#include "common/object_store/s3_verdict.h"

#include "gtest/gtest.h"

namespace lvrpo {
namespace {

using Code = absl::StatusCode;

TEST(JudgeS3Answer, IsATable) {
  struct Case {
    int http;
    const char* name;
    Code code;
    bool retry;
    bool new_credentials = false;
  };
  for (const Case& c : {
           Case{200, "", Code::kOk, false},
           Case{206, "", Code::kOk, false},
           Case{204, "", Code::kOk, false},
           // An error in the body of a 200: CompleteMultipartUpload.
           Case{200, "InternalError", Code::kUnavailable, true},
           Case{200, "Whatever", Code::kFailedPrecondition, false},
           Case{301, "PermanentRedirect", Code::kFailedPrecondition, false},
           Case{307, "", Code::kFailedPrecondition, false},
           Case{400, "", Code::kFailedPrecondition, false},
           Case{400, "RequestTimeout", Code::kUnavailable, true},
           Case{400, "BadDigest", Code::kDataLoss, true},
           Case{400, "XAmzContentSHA256Mismatch", Code::kDataLoss, true},
           Case{400, "ExpiredToken", Code::kFailedPrecondition, true, true},
           Case{403, "AccessDenied", Code::kFailedPrecondition, false},
           Case{403, "SignatureDoesNotMatch", Code::kFailedPrecondition, false},
           Case{404, "", Code::kNotFound, false},  // HEAD has no body
           Case{404, "NoSuchKey", Code::kNotFound, false},
           Case{404, "NoSuchUpload", Code::kNotFound, false},
           Case{404, "NoSuchBucket", Code::kFailedPrecondition, false},
           Case{408, "", Code::kUnavailable, true},
           Case{409, "ConditionalRequestConflict", Code::kUnavailable, true},
           Case{412, "PreconditionFailed", Code::kAlreadyExists, false},
           Case{416, "InvalidRange", Code::kDataLoss, false},
           Case{429, "", Code::kUnavailable, true},
           Case{500, "InternalError", Code::kUnavailable, true},
           Case{501, "NotImplemented", Code::kFailedPrecondition, false},
           Case{502, "", Code::kUnavailable, true},
           Case{503, "SlowDown", Code::kUnavailable, true},
           Case{504, "", Code::kUnavailable, true},
           Case{507, "", Code::kResourceExhausted, false},
           Case{0, "", Code::kFailedPrecondition, false},
       }) {
    const S3Verdict verdict = JudgeS3Answer(c.http, c.name);
    EXPECT_EQ(verdict.code, c.code) << c.http << c.name;
    EXPECT_EQ(verdict.retry, c.retry) << c.http << c.name;
    EXPECT_EQ(verdict.new_credentials, c.new_credentials) << c.http << c.name;
  }
}

}  // namespace
}  // namespace lvrpo
