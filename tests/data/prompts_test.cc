// What a prompt file may hold, and that all of its bad lines are named at once.
#include "data/prompts/prompts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/files/file.h"
#include "common/utf8.h"
#include "data/prompts/line_errors.h"
#include "tests/testing/temporary_folder.h"

namespace lvrpo {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

class PromptFile : public ::testing::Test {
 protected:
  absl::StatusOr<std::vector<v1::PromptRecord>> Read(const std::string& text, const PromptCheck& also = {}) {
    EXPECT_TRUE(WriteFileAtomic(path_, text).ok());
    return ReadPromptFile(path_, also);
  }
  // The lines of the message without the path in front; of a file that must be refused.
  std::vector<std::string> Wrong(const std::string& text, const PromptCheck& also = {}) {
    const absl::Status status = Read(text, also).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << text << status;
    EXPECT_TRUE(unicode::IsValidUtf8(status.message())) << text;
    std::vector<std::string> lines = absl::StrSplit(status.message(), '\n');
    for (std::string& line : lines) {
      EXPECT_EQ(line.substr(0, path_.size()), path_) << line;
      line = line.substr(std::min(line.size(), path_.size() + 1));
    }
    return lines;
  }

  const TemporaryFolder folder_;
  const std::string path_ = folder_ / "prompts.jsonl";
};

std::string Record(const std::string& id, const std::string& more = "") {
  return absl::StrCat(R"({"id":")", id, R"(","task":"TASK_KIND_IMAGE","text":"a circle")", more, "}\n");
}

TEST_F(PromptFile, ErrorsNameFileAndLine) {
  const auto error = [&](const std::string& text) { return std::string(Read(text).status().message()); };
  const std::string good = R"({"id":"a","task":"TASK_KIND_IMAGE","text":"a circle"})";
  EXPECT_THAT(error(good + "\n{\"id\": \n"), HasSubstr("prompts.jsonl:2"));
  EXPECT_THAT(error(good + "\n\n" + good + "\n"), AllOf(HasSubstr("prompts.jsonl:3"), HasSubstr("a")));
  EXPECT_THAT(error(R"({"id":"a","text":"no task"})"), HasSubstr("prompts.jsonl:1"));
  EXPECT_THAT(error(R"({"id":"a","task":"TASK_KIND_TEXT","text":"what ?"})"), HasSubstr("prompts.jsonl:1"));
  EXPECT_THAT(error(R"({"id":"a","task":"TASK_KIND_IMAGE","text":"x","colour":"red"})"), HasSubstr("colour"));
  EXPECT_TRUE(absl::IsNotFound(ReadPromptFile("/no/such/prompts.jsonl").status()));
}

// A message is one line, whatever the file holds.
TEST_F(PromptFile, DamagedLinesGetOneLineOfExplanation) {
  const std::string good = R"({"id":"a","task":"TASK_KIND_IMAGE","text":"a circle"})";
  for (const std::string& line :
       {std::string(R"({"id": )"), std::string(R"({"id": "b" "text"})"), std::string("[]"), std::string("{"),
        std::string("no json"), std::string("\x01\x02\r"), std::string("{\"id\": \"\xff\"}"), good + "x",
        R"({"id":"b","task":"TASK_KIND_SOUND","text":"x"})" + std::string(500, ' '),
        std::string(R"({"id":"b\nc","task":"TASK_KIND_IMAGE"})"), std::string(1000, '{')}) {
    const absl::Status status = Read(good + "\n" + line + "\n").status();
    const std::string message(status.message());
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << line;
    EXPECT_THAT(message, HasSubstr("prompts.jsonl:2: ")) << line;
    EXPECT_TRUE(std::none_of(message.begin(), message.end(), [](char c) { return c > 0 && c < ' '; }))
        << message;
    EXPECT_LT(message.size(), path_.size() + 250) << message;
  }
}

TEST_F(PromptFile, EveryBadLineIsNamed) {
  const PromptCheck no_b = [](const v1::PromptRecord& record) {
    return record.id() == "b" ? absl::DataLossError("prompt 'b': not\nliked") : absl::OkStatus();
  };
  EXPECT_THAT(Wrong("\xef\xbb\xbf{\"id\": \n" + Record("a") + Record("b") + "\n" + Record("a") +
                        "{\"id\":\"c\",\"text\":\"caf\xe9\"}\n" + Record("d", ",\"colour\":1") +
                        R"({"id":"e","task":"TASK_KIND_IMAGE","text":" "})",
                    no_b),
              ElementsAre(HasSubstr("1: not a prompt record"), "3: prompt 'b': not liked",
                          "5: the id 'a' is used twice, first in line 2",
                          "6: not UTF-8 at byte 22 (0xe9): save the file as UTF-8", HasSubstr("colour"),
                          "8: prompt 'e' has no text"));
}

TEST_F(PromptFile, OnlyTheFirstTwentyBadLinesAreShown) {
  std::string text;
  for (int i = 0; i < 20; ++i) absl::StrAppend(&text, "{}\n");
  EXPECT_EQ(Wrong(text).size(), 20u);
  EXPECT_THAT(Wrong(text + "{}").back(), HasSubstr("and 1 more line is wrong, the last is 21"));
  std::vector<std::string> lines = Wrong(text + Record("a") + "{}\n\n{}");
  EXPECT_EQ(lines.size(), 21u);
  EXPECT_EQ(lines[19], "20: prompt '' has no id");
  EXPECT_EQ(lines[20], " and 2 more lines are wrong, the last is 24");
}

TEST_F(PromptFile, ChecksOfTheReaderSeeSoundRecordsOnlyAndInOrder) {
  std::vector<std::string> seen;
  const PromptCheck watch = [&](const v1::PromptRecord& record) {
    seen.push_back(record.id());
    return absl::OkStatus();
  };
  EXPECT_EQ(Wrong(Record("c") + Record("b") + Record("c") + "{}\n" + Record("a"), watch).size(), 2u);
  EXPECT_THAT(seen, ElementsAre("c", "b", "a"));
}

TEST_F(PromptFile, FilesOfOtherKindsAreSaidToBeSo) {
  for (const auto& [text, says] :
       {std::pair{"version https://git-lfs.github.com/spec/v1\noid x\n", "Git LFS pointer"},
        {"<!doctype html>", "web page"},
        {"", "holds no prompt records"},
        {"\n\n", "holds no prompt records"}}) {
    EXPECT_THAT(std::string(Read(text).status().message()), AllOf(HasSubstr(path_), HasSubstr(says))) << text;
  }
  EXPECT_THAT(std::string(ReadPromptFile(folder_.path()).status().message()), HasSubstr("is a folder"));
}

TEST_F(PromptFile, WhatCanNeverBeAskedIsRefused) {
  const struct {
    std::string line, says;  // "": it is fine
  } cases[] = {
      {Record("a", R"(,"key_phrases":["a circle",""])"), "has an empty key phrase"},
      {Record("a", R"(,"key_phrases":["\t"])"), "has an empty key phrase"},
      {Record(""), "has no id"},
      {R"({"id":"a","task":"TASK_KIND_IMAGE","text":" \n"})", "has no text"},
      {R"({"id":"a","task":"TASK_KIND_TEXT","text":"?","source_image":"a.png","answer":"x"})", ""},
      {R"({"id":"a","task":"TASK_KIND_TEXT","text":"?","source_image":"a.png"})", "without answer or rules"},
      {R"({"id":"a","task":"TASK_KIND_TEXT","text":"?","source_image":"a\u0000.png","answer":"x"})", "NUL"},
  };
  for (const auto& test : cases) {
    if (test.says.empty()) {
      const auto records = Read(test.line);
      EXPECT_TRUE(records.ok()) << records.status();
    } else {
      EXPECT_THAT(Wrong(test.line), ElementsAre(AllOf(HasSubstr("1: prompt '"), HasSubstr(test.says))))
          << test.line;
    }
  }
}

TEST_F(PromptFile, AMemberIsGivenOnce) {
  EXPECT_THAT(Wrong(Record("a", R"(,"text":"a square")")),
              ElementsAre("1: not a prompt record: JSON in which \"text\" is given twice"));
  EXPECT_THAT(Wrong(Record("a", R"(,"constraints":{"width":64,"width":32})")),
              ElementsAre("1: not a prompt record: JSON in which \"width\" is given twice"));
}

TEST_F(PromptFile, ALineIsJsonAndNothingMore) {
  for (const char* line : {R"({"id":"a","task":"TASK_KIND_IMAGE","text":"a circle",})",
                           R"({id:"a","task":"TASK_KIND_IMAGE","text":"x"})",
                           R"({'id':'a','task':'TASK_KIND_IMAGE','text':'x'})"})
    EXPECT_THAT(Wrong(line), ElementsAre(HasSubstr("1: not a prompt record: not JSON at column"))) << line;
}

TEST_F(PromptFile, IdsAreAnythingThatCanBeShown) {
  for (const std::string id :
       {"../../evil", "coco/val/0001", "/etc/passwd", ".", "..", "con", "-rf", "a b", "a.png", "\xe6\x97\xa5",
        "<b>", "%2e%2e", "a\u200db", "CON", "$HOME", "~", "*", "'", "\xf0\x9f\x8d\x8e"}) {
    const auto records = Read(Record(id));
    ASSERT_TRUE(records.ok()) << records.status();
    EXPECT_EQ((*records)[0].id(), id);
  }
  EXPECT_TRUE(Read(Record(std::string(300, 'x'))).ok());
  EXPECT_TRUE(Read(Record(std::string(4096, 'x'))).ok());
  EXPECT_TRUE(Read(Record("a") + Record("A") + Record("a ") + Record("a/") + Record("./a")).ok());
  EXPECT_THAT(Wrong(Record(std::string(4097, 'x'))),
              ElementsAre(HasSubstr("has an id of 4097 bytes; at most 4096")));
  for (const char* id : {"a\\nb", "a\\u0000", "\\u001b[2J", "a\\u007f", "a\\u009b", "a\\u2028"})
    EXPECT_THAT(Wrong(Record(id)), ElementsAre(HasSubstr("has control characters in its id"))) << id;
  EXPECT_THAT(Wrong(Record("a", R"(,"kind":"x\ny")")),
              ElementsAre(HasSubstr("control characters in its kind")));
}

TEST(CheckPromptTask, NamesBoth) {
  v1::PromptRecord record;
  record.set_id("a");
  record.set_task(v1::TASK_KIND_TEXT);
  EXPECT_TRUE(CheckPromptTask(record, v1::TASK_KIND_TEXT).ok());
  EXPECT_EQ(CheckPromptTask(record, v1::TASK_KIND_IMAGE).message(),
            "prompt 'a' is a TASK_KIND_TEXT; this file is listed for TASK_KIND_IMAGE");
}

}  // namespace
}  // namespace lvrpo
