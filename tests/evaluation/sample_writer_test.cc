#include "evaluation/sample_writer.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/files/file.h"
#include "common/files/filesystem.h"
#include "common/json/json_text.h"
#include "tests/testing/temporary_folder.h"

namespace lvrpo {
namespace {

TEST(SampleWriter, OnePictureARecordInItsFolderWhateverIdsHold) {
  const TemporaryFolder here;
  const std::string top = here.path(), folder = top + "/a/out";
  ASSERT_TRUE(MakeFolder(folder).ok());
  const std::vector<std::string> ids = {"../../evil",
                                        "../evil",
                                        "/tmp/evil",
                                        "coco/val/0001",
                                        "coco/val/0001/",
                                        std::string(300, 'x'),
                                        "x",
                                        "X",
                                        "x ",
                                        "x.png",
                                        ".",
                                        "..",
                                        "-",
                                        "sample-0000",
                                        "caf\xc3\xa9",
                                        "cafe\xcc\x81",
                                        "a\nb",
                                        "a\x1b[2J",
                                        "\xff",
                                        "",
                                        "%2e%2e%2f",
                                        "a\\b"};
  SampleWriter writer(folder, 100);
  for (size_t i = 0; i < ids.size(); ++i) {
    ImageJudgement judgement;
    judgement.id = ids[i];
    const auto value = static_cast<uint8_t>(i);
    ASSERT_TRUE(writer.Add(judgement, {1, 1, {value, value, value}}).ok()) << ids[i];
  }
  std::set<std::string> files, contents;
  for (size_t i = 0; i < ids.size(); ++i) {
    const nlohmann::json& sample = writer.samples()[i];
    EXPECT_EQ(sample["id"], ids[i]);
    files.insert(sample["image"].get<std::string>());
    contents.insert(*ReadFile(JoinPath(folder, sample["image"])));
  }
  EXPECT_EQ(files.size(), ids.size());
  EXPECT_EQ(contents.size(), ids.size());
  EXPECT_EQ(ListFolder(folder)->size(), ids.size());
  EXPECT_EQ(ListFolder(top)->size(), 1u);
  EXPECT_EQ(ListFolder(top + "/a")->size(), 1u);
  EXPECT_FALSE(Exists("/tmp/evil.png"));
  EXPECT_FALSE(nlohmann::json::parse(JsonText(writer.samples()), nullptr, false).is_discarded());
}

TEST(SampleWriter, TakesTheFirstOfEachKind) {
  const TemporaryFolder folder;
  SampleWriter writer(folder.path(), 2);
  for (const char* kind : {"a", "a", "b", "a", "../b", "b", "b"}) {
    ImageJudgement judgement;
    judgement.kind = kind;
    ASSERT_TRUE(writer.Add(judgement, {1, 1, {0, 0, 0}}).ok());
  }
  EXPECT_EQ(writer.samples().size(), 5u);
  EXPECT_EQ(ListFolder(folder.path())->size(), 5u);
}

TEST(SampleWriter, ListsWhatThePictureIs) {
  const TemporaryFolder folder;
  SampleWriter writer(folder.path(), 1);
  ImageJudgement judgement;
  judgement.id = "a";
  judgement.kind = "two";
  judgement.prompt = "a caf\xc3\xa9";
  judgement.correct = true;
  judgement.objects = 1;
  judgement.detected = {"red circle"};
  ASSERT_TRUE(writer.Add(judgement, {1, 1, {1, 2, 3}}).ok());
  EXPECT_EQ(writer.samples()[0], nlohmann::json({{"task", "image"},
                                                 {"id", "a"},
                                                 {"kind", "two"},
                                                 {"correct", true},
                                                 {"presence_only", false},
                                                 {"objects", 1},
                                                 {"prompt", "a caf\xc3\xa9"},
                                                 {"image", "sample-0000.png"},
                                                 {"detected", {"red circle"}}}));
  nlohmann::json line = ImageLine(judgement);
  EXPECT_FALSE(line.contains("prompt"));  // all.jsonl holds verdicts only
  EXPECT_EQ(line["correct"], true);
}

TEST(SampleWriter, OfNoPicturesWritesNone) {
  const TemporaryFolder folder;
  SampleWriter writer(folder.path(), 0);
  ASSERT_TRUE(writer.Add({}, {1, 1, {0, 0, 0}}).ok());
  EXPECT_EQ(writer.samples(), nlohmann::json::array());
  EXPECT_TRUE(ListFolder(folder.path())->empty());
}

TEST(SampleWriter, APictureThatCannotBeWrittenIsNotListed) {
  const TemporaryFolder folder;
  SampleWriter writer(folder / "none", 5);
  const absl::Status status = writer.Add({}, {1, 1, {0, 0, 0}});
  EXPECT_FALSE(status.ok());
  EXPECT_TRUE(absl::StrContains(status.message(), folder / "none")) << status;
  EXPECT_TRUE(writer.samples().empty());
}

}  // namespace
}  // namespace lvrpo
