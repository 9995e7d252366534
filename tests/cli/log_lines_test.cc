#include "cli/local/log_lines.h"

#include "common/utf8.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/temporary_folder.h"

namespace lvrpo {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(LogLines, AreReadInEveryForm) {
  struct Case {
    const char* line;
    const char* message;
    bool complaint;
  };
  for (const Case& c : std::initializer_list<Case>{
           {"13:14:15.926 warning [reward-0] scorer 'x' answered 401", "scorer 'x' answered 401", true},
           {"13:14:15.926 error [learner-0] cannot write a: [b] c", "cannot write a: [b] c", true},
           {"13:14:15.926 info  [learner-0] step 3", "step 3", false},
           {R"({"level":"error","member":"l","msg":"no memory left","ts":1.5})", "no memory left", true},
           {R"({"level":"info","member":"l","msg":"fine","ts":1.5})", "fine", false},
           {"lvrpo-learner: the disk is full", "the disk is full", true},
           {"terminate called", "terminate called", false},
           {"{broken", "{broken", false},
           {"", "", false},
       }) {
    EXPECT_EQ(MessageOfLine(c.line), c.message);
    EXPECT_EQ(LastComplaint(c.line), c.complaint ? c.message : "");
  }
  EXPECT_EQ(
      LastComplaint("13:14:15.926 error [a] one\n13:14:15.926 warning [a] two\n13:14:15.926 info  [a] x\n"),
      "two");
  EXPECT_EQ(MessageOfLine("\xff"), "\xef\xbf\xbd");
  EXPECT_LT(MessageOfLine(std::string(1 << 20, 'x')).size(), 400u);
}

TEST(LogLines, HalfWrittenOnesAreNoComplaints) {
  const std::string whole = "13:14:15.926 warning [a] one\n";
  for (const std::string half :
       {"13:14:15.926 err", "13:14:15.926 error [b", "13:14:15.926 error [b]", "13:1",
        R"({"level":"error","msg":"tw)", R"({"level":"error"})", "lvrpo-lear"})
    EXPECT_EQ(LastComplaint(whole + half), "one") << half;
  // The beginning may be cut too.
  EXPECT_EQ(LastComplaint("rror [b] lost\n" + whole), "one");
  EXPECT_EQ(LastComplaint("\n\n" + whole + "\n"), "one");
  EXPECT_EQ(LastComplaint("13:14:15.926 critical [a] worst\r\n"), "worst");
}

TEST(LogLines, JsonOfAnotherShapeIsText) {
  for (const char* line : {R"({"level":3,"msg":4})", R"(["level","msg"])", R"({"msg":""})", "{}"}) {
    EXPECT_EQ(MessageOfLine(line), line);
    EXPECT_EQ(LastComplaint(line), "");
  }
  EXPECT_EQ(MessageOfLine(R"({"msg":"words"})"), "words");
}

TEST(LogLines, AreCutBetweenCharactersAndCannotDriveATerminal) {
  std::string accents;
  for (int i = 0; i < 400; ++i) accents += "\xc3\xa9";
  for (const std::string& text : {accents, "x" + accents}) {
    const std::string message = MessageOfLine("13:14:15.926 error [a] " + text);
    EXPECT_TRUE(unicode::IsValidUtf8(message));
    EXPECT_THAT(message,
                AllOf(HasSubstr("\xc3\xa9\xc3\xa9"), HasSubstr("..."), Not(HasSubstr("\xef\xbf\xbd"))));
  }
  EXPECT_EQ(LastComplaint("13:14:15.926 error [a] \x1b[2Jgone\x07"), " [2Jgone ");
  EXPECT_EQ(LastComplaint("13:14:15.926 error [a] caf\xe9 is \xf0\x9f\x98"),
            "caf\xef\xbf\xbd is \xef\xbf\xbd");
}

TEST(ReadFileFrom, GivesTheEndOfALogThatGrowsOrShrinks) {
  const TemporaryFolder folder;
  const std::string log = folder.Write("a.log", "0123456789");
  EXPECT_EQ(ReadFileFrom(log, 0), "0123456789");
  EXPECT_EQ(ReadFileFrom(log, 4), "456789");
  EXPECT_EQ(ReadFileFrom(log, 10), "");
  EXPECT_EQ(ReadFileFrom(log, 1000), "");  // somebody truncated it
  EXPECT_EQ(ReadFileFrom(folder / "none", 0), "");
  EXPECT_EQ(ReadFileFrom(folder.path(), 0), "");
  folder.Write("a.log", std::string(1 << 20, 'x') + "end");
  const std::string end = ReadFileFrom(log, 3);
  EXPECT_EQ(end.size(), size_t{64} << 10);
  EXPECT_EQ(end.substr(end.size() - 4), "xend");
}

}  // namespace
}  // namespace lvrpo
