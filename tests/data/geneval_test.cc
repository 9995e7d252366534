#include "data/prompts/geneval.h"

#include "absl/strings/str_cat.h"
#include "common/files/file.h"
#include "data/prompts/prompts.h"
#include "gmock/gmock.h"
#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"
#include "tests/testing/temporary_folder.h"

namespace lvrpo {
namespace {

using ::testing::HasSubstr;

std::string Text(const v1::DetectedObjectsRule& rule) { return rule.ShortDebugString(); }

v1::DetectedObjectsRule Rule(const std::string& text) {
  v1::DetectedObjectsRule rule;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &rule)) << text;
  return rule;
}

TEST(GenEval, MakesPromptRecordsOfEachTag) {
  struct Case {
    std::string row, kind, text;
    std::vector<std::string> phrases;
    std::string rule;
  };
  const Case cases[] = {
      {R"({"tag": "single_object", "include": [{"class": "bench", "count": 1}], "prompt": "a photo of a bench"})",
       "single_object",
       "a photo of a bench",
       {"bench"},
       "include { class_name: 'bench' count: 1 }"},
      {R"({"tag":"two_object","include":[{"class":"bench","count":1},{"class":"sports ball","count":1}],)"
       R"("prompt":"a photo of a bench and a sports ball"})",
       "two_object",
       "a photo of a bench and a sports ball",
       {"bench", "sports ball"},
       "include { class_name: 'bench' count: 1 } include { class_name: 'sports ball' count: 1 }"},
      // One more than asked is excluded: that is exact_count.
      {R"({"tag":"counting","include":[{"class":"clock","count":3}],"exclude":[{"class":"clock","count":4}],)"
       R"("prompt":"a photo of three clocks"})",
       "counting",
       "a photo of three clocks",
       {"clocks"},
       "include { class_name: 'clock' count: 3 } exact_count: true"},
      {R"({"tag":"counting","include":[{"class":"clock","count":3}],"exclude":[{"class":"clock","count":5},)"
       R"({"class":"dog","count":1}],"prompt":"a photo of three clocks"})",
       "counting",
       "a photo of three clocks",
       {"clocks"},
       "include { class_name: 'clock' count: 3 } exclude { class_name: 'clock' count: 5 }"
       "exclude { class_name: 'dog' count: 1 } exact_count: true"},
      {R"({"tag":"colors","include":[{"class":"car","count":1,"color":"pink"}],"prompt":"a photo of a pink car"})",
       "colors",
       "a photo of a pink car",
       {"pink car"},
       "include { class_name: 'car' count: 1 color: 'pink' }"},
      {R"({"tag":"position","include":[{"class":"bear","count":1},)"
       R"({"class":"bench","count":1,"position":["left of",0]}],"prompt":"a photo of a bench left of a bear"})",
       "position",
       "a photo of a bench left of a bear",
       {"bench", "bear"},
       "include { class_name: 'bear' count: 1 }"
       "include { class_name: 'bench' count: 1 relation: 'left of' target: 0 }"},
      {R"({"tag":"color_attr","include":[{"class":"apple","count":1,"color":"red"},)"
       R"({"class":"cup","count":1,"color":"black"}],"exclude":[],"prompt":"a photo of a red apple and a black cup"})",
       "color_attr",
       "a photo of a red apple and a black cup",
       {"red apple", "black cup"},
       "include { class_name: 'apple' count: 1 color: 'red' }"
       "include { class_name: 'cup' count: 1 color: 'black' }"},
      // Outside of counting an exclusion of the same class stays.
      {R"({"tag":"mine","include":[{"class":"cup","count":1}],"exclude":[{"class":"cup","count":2}],"prompt":"a cup"})",
       "mine",
       "a cup",
       {"cup"},
       "include { class_name: 'cup' count: 1 } exclude { class_name: 'cup' count: 2 }"},
  };
  std::string all;
  for (const Case& test : cases) absl::StrAppend(&all, test.row, "\n\n");
  const auto records = GenEvalPrompts(all, "rows.jsonl");
  ASSERT_TRUE(records.ok()) << records.status();
  ASSERT_EQ(records->size(), std::size(cases));
  for (size_t i = 0; i < records->size(); ++i) {
    const v1::PromptRecord& record = (*records)[i];
    EXPECT_EQ(record.id(), absl::StrCat("geneval-0000", i));
    EXPECT_EQ(record.task(), v1::TASK_KIND_IMAGE);
    EXPECT_EQ(record.kind(), cases[i].kind);
    EXPECT_EQ(record.text(), cases[i].text);
    EXPECT_EQ(std::vector<std::string>(record.key_phrases().begin(), record.key_phrases().end()),
              cases[i].phrases);
    ASSERT_EQ(record.rules_size(), 1);
    EXPECT_EQ(Text(record.rules(0).detected_objects()), Text(Rule(cases[i].rule)));
  }
}

// A prompt file of them is read as it was written.
TEST(GenEval, RecordsAreAPromptFile) {
  const TemporaryFolder folder;
  const std::string rows = folder / "rows.jsonl", prompts = folder / "prompts.jsonl";
  ASSERT_TRUE(WriteFileAtomic(rows,
                              R"({"tag":"counting","include":[{"class":"clock","count":2}],)"
                              R"("exclude":[{"class":"clock","count":3}],"prompt":"a photo of two clocks"})"
                              "\r\n")
                  .ok());
  const auto records = ReadGenEvalFile(rows);
  ASSERT_TRUE(records.ok()) << records.status();
  ASSERT_TRUE(WritePromptFile(prompts, *records).ok());
  const auto read = ReadPromptFile(prompts);
  ASSERT_TRUE(read.ok()) << read.status();
  ASSERT_EQ(read->size(), 1u);
  EXPECT_EQ((*read)[0].ShortDebugString(), (*records)[0].ShortDebugString());
  EXPECT_TRUE(absl::IsNotFound(ReadGenEvalFile("/no/such/rows.jsonl").status()));
}

TEST(GenEval, NamesEveryLineThatIsWrong) {
  const std::string good = R"({"tag":"t","prompt":"p","include":[{"class":"cup","count":1}]})";
  EXPECT_TRUE(GenEvalPrompts("\xef\xbb\xbf" + good, "rows").ok());
  const absl::Status status =
      GenEvalPrompts("\xef\xbb\xbf{}\n" + good + "\n\n{\"tag\": NaN}\n", "rows").status();
  EXPECT_TRUE(absl::IsInvalidArgument(status));
  EXPECT_EQ(status.message(),
            "rows:1: tag is not a string\n"
            "rows:4: not JSON at column 9: NaN is no JSON value, near '{\"tag\": NaN}'");
}

TEST(GenEval, RefusalsNameLineAndField) {
  const auto with = [](const std::string& include, const std::string& rest = "") {
    return R"({"tag":"t","prompt":"p","include":[{"class":"cup","count":1},)" + include + "]" + rest + "}";
  };
  std::string many = R"({"class":"cup","count":1})";
  for (int i = 0; i < 31; ++i) many += R"(,{"class":"cup","count":1})";
  const std::pair<std::string, std::string> cases[] = {
      {"{", "not JSON"},
      {"\xFF", "not UTF-8 at byte 1 (0xff)"},
      {std::string(50000, '['), "not JSON"},
      {"[]", "the row is not an object"},
      {"3", "the row is not an object"},
      {R"({"prompt":"p","include":[]})", "tag is not a string"},
      {R"({"tag":7,"prompt":"p","include":[]})", "tag is not a string"},
      {R"({"tag":" ","prompt":"p","include":[]})", "tag is empty"},
      {R"({"tag":"t","include":[]})", "prompt is not a string"},
      {R"({"tag":"t","prompt":"","include":[]})", "prompt is empty"},
      {R"({"tag":"t","prompt":")" + std::string(65537, 'a') + R"(","include":[]})", "prompt has 65537 bytes"},
      {R"({"tag":"t","prompt":"p"})", "include has no entry"},
      {R"({"tag":"t","prompt":"p","include":[]})", "include has no entry"},
      {R"({"tag":"t","prompt":"p","include":{}})", "include is not a list"},
      {R"({"tag":"t","prompt":"p","include":[],"colour":1})", "the row has an unknown member, \"colour\""},
      {R"({"tag":"t","prompt":"p","include":[],"a\nb":1})", "the row has an unknown member, \"a\\nb\""},
      {with(many), "include has 33 entries; at most 32 are allowed"},
      {with("7"), "include[1] is not an object"},
      {with(R"({"class":"a","count":1,"colour":"red"})"), "include[1] has an unknown member, \"colour\""},
      {with(R"({"count":1})"), "include[1].class is not a string"},
      {with(R"({"class":"","count":1})"), "include[1].class is empty"},
      {with(R"({"class":")" + std::string(129, 'a') + R"(","count":1})"), "include[1].class has 129 bytes"},
      {with(R"({"class":"a"})"), "include[1].count is not a whole number of 1 to 64"},
      {with(R"({"class":"a","count":0})"), "include[1].count is not a whole number"},
      {with(R"({"class":"a","count":-1})"), "include[1].count is not a whole number"},
      {with(R"({"class":"a","count":65})"), "include[1].count is not a whole number"},
      {with(R"({"class":"a","count":18446744073709551615})"), "include[1].count is not a whole number"},
      {with(R"({"class":"a","count":1.5})"), "include[1].count is not a whole number"},
      {with(R"({"class":"a","count":"1"})"), "include[1].count is not a whole number"},
      {with(R"({"class":"a","count":1,"color":3})"), "include[1].color is not a string"},
      {with(R"({"class":"a","count":1,"color":""})"), "include[1].color is empty"},
      {with(R"({"class":"a","count":1,"position":"above"})"),
       "include[1].position is not a relation and an index"},
      {with(R"({"class":"a","count":1,"position":["above"]})"), "include[1].position is not a relation"},
      {with(R"({"class":"a","count":1,"position":[0,"above"]})"), "include[1].position is not a relation"},
      {with(R"({"class":"a","count":1,"position":["beside",0]})"), "include[1].position[0] is none of"},
      {with(R"({"class":"a","count":1,"position":["above",1]})"),
       "include[1].position[1] is not the index of an earlier entry"},
      {with(R"({"class":"a","count":1,"position":["above",-1]})"), "include[1].position[1] is not the index"},
      {with(R"({"class":"a","count":1,"position":["above",0.0]})"),
       "include[1].position[1] is not the index"},
      {R"({"tag":"t","prompt":"p","include":[{"class":"a","count":1,"position":["above",0]}]})",
       "include[0].position[1] is not the index"},
      {with(R"({"class":"a","count":2})", R"(,"exclude":7)"), "exclude is not a list"},
      {with(R"({"class":"a","count":2})", R"(,"exclude":[7])"), "exclude[0] is not an object"},
      {with(R"({"class":"a","count":2})", R"(,"exclude":[{"class":"b"}])"),
       "exclude[0].count is not a whole"},
      {with(R"({"class":"a","count":2})", R"(,"exclude":[{"class":"a","count":2}])"),
       "exclude[0] excludes 2 of a class of which 2 are included"},
  };
  const std::string good = R"({"tag":"t","prompt":"p","include":[{"class":"a","count":1}]})";
  for (const auto& [row, message] : cases) {
    const absl::Status status = GenEvalPrompts(absl::StrCat(good, "\n\n", row), "rows.jsonl").status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << row.substr(0, 200);
    EXPECT_THAT(std::string(status.message()), HasSubstr("rows.jsonl:3: " + message)) << row.substr(0, 200);
    EXPECT_EQ(status.message().find('\n'), absl::string_view::npos);
  }
  EXPECT_EQ(GenEvalPrompts("\n \n", "rows.jsonl").status().message(), "rows.jsonl holds no rows");
}

}  // namespace
}  // namespace lvrpo
