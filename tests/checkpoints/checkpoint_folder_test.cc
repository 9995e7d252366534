#include "learner/checkpoints/checkpoint_folder.h"

#include "common/files/file.h"
#include "common/files/filesystem.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/temporary_folder.h"

namespace lvrpo {
namespace {

TEST(ReadManifestFiles, GivesTheFilesAndRefusesPathsThatLeadOut) {
  const auto files = ReadManifestFiles(R"({"step":1,"files":{"a.safetensors":"d1","adapter/b.json":"d2"}})");
  ASSERT_TRUE(files.ok()) << files.status();
  EXPECT_EQ(files->at("adapter/b.json"), "d2");
  for (const char* text :
       {"", "[]", "{}", R"({"files":[]})", R"({"files":{"../a":"d"}})", R"({"files":{"/etc/a":"d"}})",
        R"({"files":{"a//b":"d"}})", R"({"files":{"a/../../b":"d"}})", R"({"files":{"a":1}})",
        R"({"files":{"manifest.json":"d"}})", R"({"files":{"":"d"}})", R"({"files":{"a":"d","a":"e"}})"}) {
    EXPECT_TRUE(absl::IsDataLoss(ReadManifestFiles(text).status())) << text;
  }
}

TEST(ReplaceCheckpoint, ReplacesWhatIsThereOnceAllIsWritten) {
  const TemporaryFolder here;
  here.Write("step_000005/old", "1");
  here.Write("step_000005.unfinished/left", "2");  // by a process that was killed
  const auto write = [&](absl::Status outcome) {
    return ReplaceCheckpoint(here / "step_000005", [&](const std::string& unfinished) {
      EXPECT_TRUE(WriteFileAtomic(JoinPath(unfinished, "new"), "3").ok());
      return outcome;
    });
  };
  EXPECT_TRUE(absl::IsResourceExhausted(write(absl::ResourceExhaustedError("no space"))));
  EXPECT_THAT(*ListFolder(here.path()), ::testing::ElementsAre("step_000005"));
  EXPECT_THAT(*ListFolder(here / "step_000005"), ::testing::ElementsAre("old"));
  EXPECT_TRUE(write(absl::OkStatus()).ok());
  EXPECT_THAT(*ListFolder(here.path()), ::testing::ElementsAre("step_000005"));
  EXPECT_THAT(*ListFolder(here / "step_000005"), ::testing::ElementsAre("new"));
}

TEST(PruneCheckpoints, KeepsThoseThatAreToStay) {
  struct Case {
    std::vector<std::string> there;
    std::set<int64_t> kept;
    std::vector<std::string> left;
    int64_t oldest = 0;
  };
  for (const Case& c : std::vector<Case>{
           {{"step_000005", "step_000010", "step_000015"}, {10, 15}, {"step_000010", "step_000015"}},
           {{"step_000005", "step_000010", "step_000015"}, {5, 15}, {"step_000005", "step_000015"}},
           // Another history's, and unfinished.
           {{"step_000008", "step_000010", "step_000015", "step_000015.unfinished"},
            {10, 15},
            {"step_000010", "step_000015"}},
           // Killed between writing 20 and recording it: it is replaced when its step is trained again.
           {{"step_000005", "step_000010", "step_000020"}, {10}, {"step_000010", "step_000020"}},
           // Begun again at step 0 by mistake: nothing of what was there is lost.
           {{"step_000003", "step_000006", "step_000009"},
            {3},
            {"step_000003", "step_000006", "step_000009"}},
           // Too old for their records to be known.
           {{"step_000005", "step_000010", "step_000015"}, {15}, {"step_000005", "step_000015"}, 6},
           {{"step_000003", "notes"}, {}, {"notes", "step_000003"}}}) {
    const TemporaryFolder here;
    for (const std::string& name : c.there) ASSERT_TRUE(MakeFolder(here / name).ok());
    PruneCheckpoints(here.path(), c.oldest, c.kept);
    EXPECT_THAT(*ListFolder(here.path()), ::testing::ElementsAreArray(c.left));
  }
}

}  // namespace
}  // namespace lvrpo
