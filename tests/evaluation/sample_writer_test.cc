#include "evaluation/sample_writer.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <set>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/files/file.h"
#include "common/files/filesystem.h"
#include "common/json/json_text.h"

namespace lvrpo {
namespace {

TEST(SampleWriter, OnePictureARecordInItsFolderWhateverIdsHold) {
  const std::string top = absl::StrCat(::testing::TempDir(), "/lvrpo-samples-", getpid()),
                    folder = top + "/a/out";
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
  RemoveTree(top).IgnoreError();
}

TEST(SampleWriter, TakesTheFirstOfEachKind) {
  const std::string folder = absl::StrCat(::testing::TempDir(), "/lvrpo-kinds-", getpid());
  ASSERT_TRUE(MakeFolder(folder).ok());
  SampleWriter writer(folder, 2);
  for (const char* kind : {"a", "a", "b", "a", "../b", "b", "b"}) {
    ImageJudgement judgement;
    judgement.kind = kind;
    ASSERT_TRUE(writer.Add(judgement, {1, 1, {0, 0, 0}}).ok());
  }
  EXPECT_EQ(writer.samples().size(), 5u);
  EXPECT_EQ(ListFolder(folder)->size(), 5u);
  RemoveTree(folder).IgnoreError();
}

}  // namespace
}  // namespace lvrpo
