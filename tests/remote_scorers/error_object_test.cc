#include "reward_server/remote/http/error_object.h"

#include <tuple>

#include "gtest/gtest.h"

namespace lvrpo {
namespace {

TEST(ReadErrorObject, ReadsCodeAndMessage) {
  const std::tuple<const char*, int, const char*> cases[] = {
      {R"({"error":{"message":"Provider returned error","code":502}})", 502, "Provider returned error"},
      {R"({"error":{"message":"later","code":"503"}})", 503, "later"},
      {R"({"error":{"message":"later","status":429}})", 429, "later"},
      {R"({"error":{"message":"m"},"status_code":503})", 503, "m"},
      {R"({"error":{"detail":"d"}})", 0, "d"},
      {R"({"error":{"message":"m","code":7}})", 0, "m"},
      {R"({"error":"no such model"})", 0, "no such model"},
      {R"({"error":"busy","code":503})", 503, "busy"},
      {R"({"error":{"message":"m","type":"rate_limit_error"}})", 429, "m"},
      {R"({"error":{"message":"m","code":"rate_limit_exceeded"}})", 429, "m"},
      {R"({"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}})", 529, "Overloaded"},
      {R"({"error":{"message":"m","type":"invalid_request_error","code":null}})", 400, "m"},
      {R"({"error":{"status":"UNAVAILABLE","message":"m"}})", 503, "m"},
      {R"({"object":"error","message":"The model does not exist.","code":404})", 404,
       "The model does not exist."},
      {R"({"error":{"message":"m","code":502},"choices":[]})", 502, "m"},
      {R"({"choices":[{"error":{"message":"m","code":502},"finish_reason":"error"}]})", 502, "m"},
      {R"({"error":{"message":"m","code":NaN}})", 0, "m"},
  };
  for (const auto& [body, code, message] : cases) {
    const std::optional<ErrorObject> error = ReadErrorObject(body);
    ASSERT_TRUE(error.has_value()) << body;
    EXPECT_EQ(error->code, code) << body;
    EXPECT_EQ(error->message, message) << body;
  }
}

TEST(ReadErrorObject, AnswersAreNone) {
  for (const char* body : {
           "",
           "error",
           "{}",
           "[\"error\"]",
           "{\"error\":",
           R"({"error":null,"choices":[{}]})",
           R"({"error":""})",
           R"({"error":{}})",
           R"({"error":[]})",
           R"({"error":0.25})",
           R"({"error":false})",
           R"({"choices":[{"message":{"content":"error"}}]})",
           R"({"choices":[{"error":null}]})",
           R"({"choices":[3],"x":"error"})",
           // A scorer's answer with an extra member.
           R"({"digest":"d","scores":[{"value":1}],"error":"none"})",
       }) {
    EXPECT_FALSE(ReadErrorObject(body).has_value()) << body;
  }
}

}  // namespace
}  // namespace lvrpo
