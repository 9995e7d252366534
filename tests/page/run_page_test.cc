#include "coordinator/page/run_page.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "coordinator/page/page_files.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/temporary_folder.h"

namespace lvrpo {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class RunPageTest : public ::testing::Test {
 protected:
  PageAnswer Get(const std::string& path) {
    PageRequest request;
    request.path = path;
    request.from_loopback = true;
    return page_.Answer(request);
  }

  const TemporaryFolder folder_;
  const RunPage page_{{.run_dir = folder_.path(),
                       .insecure = false,
                       .status =
                           [] {
                             return nlohmann::json{{"run_id", "a<script>"}};
                           },
                       .curves =
                           [] {
                             return nlohmann::json{{"steps", 3}};
                           }}};
};

TEST_F(RunPageTest, ServesThePageAndItsData) {
  for (const auto& [path, type] :
       {std::pair("/", "text/html; charset=utf-8"), std::pair("/page.css", "text/css; charset=utf-8"),
        std::pair("/page.js", "text/javascript; charset=utf-8"), std::pair("/api/status", "application/json"),
        std::pair("/api/curves", "application/json"), std::pair("/api/samples", "application/json")}) {
    const PageAnswer answer = Get(path);
    EXPECT_EQ(answer.code, 200) << path;
    EXPECT_EQ(answer.type, type);
    EXPECT_FALSE(answer.body.empty());
    EXPECT_THAT(answer.headers, HasSubstr("Content-Security-Policy: default-src 'none'; script-src 'self'"));
    EXPECT_THAT(answer.headers, HasSubstr("nosniff"));
  }
  for (const char* path : {"/favicon.ico", "/page.js/", "//", "/images/../coordinator.sqlite", "/images/",
                           "/coordinator.sqlite", ""}) {
    EXPECT_EQ(Get(path).code, 404) << path;
    EXPECT_THAT(Get(path).headers, HasSubstr("default-src 'none'"));
  }
}

// The policy refuses what stands in the page itself, and what comes from the run must be text.
TEST(PageFiles, HaveNothingInlineOrFromElsewhere) {
  for (const char* never : {"<style", " style=", " onclick=", "http://", "https://", "//cdn"})
    EXPECT_THAT(kPageHtml, Not(HasSubstr(never)));
  for (const char* never :
       {"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "https://"})
    EXPECT_THAT(kPageJs, Not(HasSubstr(never)));
  for (const char* never : {"url(", "@import"}) EXPECT_THAT(kPageCss, Not(HasSubstr(never)));
}

TEST(StatusJson, NamesMembersAsTheyAre) {
  v1::GetStatusResponse status;
  status.set_run_id("run");
  status.set_total_steps(9);
  for (int i = 0; i < 600; ++i) {
    v1::Member& member = *status.add_members();
    member.set_member_id(absl::StrCat("</script><img src=x onerror=alert(1)>", i));
    member.set_role(v1::ROLE_ROLLOUT_WORKER);
    member.set_state("\xff\n");
  }
  const nlohmann::json json = StatusJson(status);
  EXPECT_EQ(json["members"].size(), 512u);
  EXPECT_EQ(json["members_left_out"], 88);
  EXPECT_EQ(json["members"][0]["id"], "</script><img src=x onerror=alert(1)>0");
  EXPECT_EQ(json["state"], "running");
  status.set_finished(true);
  EXPECT_EQ(StatusJson(status)["state"], "finished");
}

TEST(WhyNoPage, ForClientsElsewhereAndForPagesOfOtherSites) {
  struct {
    const char* host;
    bool from_loopback, insecure, allowed;
  } cases[] = {
      {"127.0.0.1:9090", true, false, true},
      {"localhost:9090", true, false, true},
      {"localhost", true, false, true},
      {"[::1]:9090", true, false, true},
      {"", true, false, true},
      {"evil.example:9090", true, false, false},
      {"127.0.0.1.evil.example", true, false, false},
      {"localhost.evil.example", true, false, false},
      {"10.0.0.7:9090", false, false, false},
      {"10.0.0.7:9090", false, true, true},
      {"monitor.lan", false, true, true},
      {"[::1].evil.example", true, false, false},
  };
  for (const auto& c : cases) {
    PageRequest request;
    request.host = c.host;
    request.from_loopback = c.from_loopback;
    EXPECT_EQ(WhyNoPage(request, c.insecure).empty(), c.allowed) << c.host;
  }
}

}  // namespace
}  // namespace lvrpo
