#include "common/run_folder/run_folder.h"

#include <unistd.h>

#include <filesystem>
#include <set>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/files/file.h"
#include "common/files/filesystem.h"
#include "common/json/json_text.h"
#include "common/version.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/testing/temporary_folder.h"

namespace lvrpo {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class RunFolders : public ::testing::Test {
 protected:
  RunFolders() {
    config_.config.set_name("shapes");
    config_.config.set_out(dir_ / "runs");
  }

  const TemporaryFolder dir_;
  LoadedConfig config_;
};

TEST_F(RunFolders, FreshOnesNeverCollide) {
  std::set<std::string> names;
  for (int i = 0; i < 5; ++i) {
    const auto folder = MakeRunFolder(config_, "");
    ASSERT_TRUE(folder.ok()) << folder.status();
    names.insert(folder->run_id);
  }
  EXPECT_EQ(names.size(), 5u);
  ASSERT_TRUE(MakeRunFolder(config_, "mine").ok());
  EXPECT_TRUE(absl::IsAlreadyExists(MakeRunFolder(config_, "mine").status()));
  for (const char* id : {"../x", ".", "..", ".hidden", "a/b", "a b", "\xff"})
    EXPECT_TRUE(absl::IsInvalidArgument(MakeRunFolder(config_, id).status())) << id;
}

TEST_F(RunFolders, GoOnInAFolderWhoseNameIsNotUtf8) {
  const std::string root = *AbsolutePath("."), odd = dir_ / "lat\xe9";
  std::filesystem::create_directories(odd);
  std::filesystem::create_directory_symlink(root + "/assets", odd + "/assets");
  ASSERT_EQ(chdir(odd.c_str()), 0);
  const auto config = LoadRunConfig(root + "/configs/shapes.yaml", {});
  EXPECT_TRUE(config.ok()) << config.status();
  EXPECT_TRUE(config.ok() && MakeRunFolder(*config, "a").ok());
  ASSERT_EQ(chdir("/"), 0);
  const auto opened = OpenRunFolder(odd + "/runs/a");
  EXPECT_TRUE(opened.ok()) << opened.status();
  EXPECT_EQ(*AbsolutePath("."), odd);
  ASSERT_EQ(chdir(root.c_str()), 0);
}

// A folder of a run of the example configuration, started in the working folder of the tests.
class RunFoldersOnDisk : public RunFolders {
 protected:
  RunFoldersOnDisk() {
    absl::StatusOr<LoadedConfig> config = LoadRunConfig("configs/shapes.yaml", {"out=" + (dir_ / "runs")});
    EXPECT_TRUE(config.ok()) << config.status();
    absl::StatusOr<RunFolder> made = MakeRunFolder(*config, "a");
    EXPECT_TRUE(made.ok()) << made.status();
    path_ = made->path;
  }
  ~RunFoldersOnDisk() override { EXPECT_EQ(chdir(root_.c_str()), 0); }

  // The message of an attempt to open it that fails with this code.
  std::string Refusal(absl::StatusCode code, const std::string& working_folder = "") const {
    const absl::Status status = OpenRunFolder(path_, working_folder).status();
    EXPECT_EQ(status.code(), code) << status;
    return std::string(status.message());
  }
  // Replaces members of run.json.
  void Change(const nlohmann::json& members) const {
    nlohmann::json json = nlohmann::json::parse(*ReadFile(path_ + "/run.json"));
    json.update(members);
    ASSERT_TRUE(WriteFileAtomic(path_ + "/run.json", JsonText(json)).ok());
  }

  const std::string root_ = *AbsolutePath(".");
  std::string path_;
};

TEST_F(RunFoldersOnDisk, OpenAsTheyWereSaved) {
  absl::StatusOr<RunFolder> opened = OpenRunFolder(path_ + "/../a/");
  ASSERT_TRUE(opened.ok()) << opened.status();
  EXPECT_EQ(opened->path, path_);
  EXPECT_FALSE(opened->resumed);
  opened->resumed = true;
  opened->seconds = {{"training", 12.5}};
  ASSERT_TRUE(opened->Save().ok());
  const absl::StatusOr<RunFolder> again = OpenRunFolder(path_);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->run_id, "a");
  EXPECT_TRUE(again->resumed);
  EXPECT_EQ(again->seconds, opened->seconds);
  EXPECT_EQ(ConfigDigest(again->config.config), ConfigDigest(opened->config.config));
}

TEST_F(RunFoldersOnDisk, OfAnotherFormatAreRefusedWithTheProgramThatReadsThem) {
  for (const int format : {0, kRunFormat - 1, kRunFormat + 1}) {
    Change({{"format", format}, {"program", "0.0.9"}});
    EXPECT_THAT(
        Refusal(absl::StatusCode::kFailedPrecondition),
        AllOf(HasSubstr(path_ + " has run format " + std::to_string(format)), HasSubstr("version 0.0.9")));
  }
  Change({{"format", kRunFormat}});
  EXPECT_TRUE(OpenRunFolder(path_).ok());
}

TEST_F(RunFoldersOnDisk, DamagedOnesAreNamed) {
  std::vector<std::string> damaged = {"", "{", "[]", "7", "null", R"({"format":"one"})"};
  for (const char* member : {R"("run_id":7)", R"("resumed":"yes")", R"("seconds":[1])",
                             R"("working_folder":{})", R"("working_folder_hex":7)"})
    damaged.push_back(absl::StrCat(R"({"format":)", kRunFormat, ",", member, "}"));
  for (const std::string& text : damaged) {
    ASSERT_TRUE(WriteFileAtomic(path_ + "/run.json", text).ok());
    EXPECT_EQ(Refusal(absl::StatusCode::kDataLoss), path_ + "/run.json is damaged") << text;
  }
  ASSERT_TRUE(RemoveFile(path_ + "/run.json").ok());
  EXPECT_THAT(Refusal(absl::StatusCode::kNotFound), HasSubstr(path_ + " is not a run folder"));
  path_ += "/none";
  EXPECT_THAT(Refusal(absl::StatusCode::kNotFound), HasSubstr("is not a run folder"));
}

TEST_F(RunFoldersOnDisk, WithoutASoundConfigurationAreRefused) {
  ASSERT_TRUE(WriteFileAtomic(path_ + "/config.yaml", "train: {steps: many}\n").ok());
  EXPECT_THAT(std::string(OpenRunFolder(path_).status().message()), HasSubstr("train.steps"));
  ASSERT_TRUE(RemoveFile(path_ + "/config.yaml").ok());
  EXPECT_THAT(std::string(OpenRunFolder(path_).status().message()), HasSubstr(path_ + "/config.yaml"));
}

TEST_F(RunFoldersOnDisk, MayBeMoved) {
  const std::string moved = dir_ / "moved";
  std::filesystem::rename(path_, moved);
  const absl::StatusOr<RunFolder> opened = OpenRunFolder(moved);
  ASSERT_TRUE(opened.ok()) << opened.status();
  EXPECT_EQ(opened->path, moved);
  EXPECT_EQ(opened->Inside("logs"), moved + "/logs");
  EXPECT_EQ(opened->run_id, "a");
}

TEST_F(RunFoldersOnDisk, OfAnotherMachineAskForItsWorkingFolder) {
  const std::string gone = dir_ / "gone";
  Change({{"working_folder", gone}});
  EXPECT_THAT(Refusal(absl::StatusCode::kNotFound),
              AllOf(HasSubstr(gone), HasSubstr("--working-folder FOLDER says where")));
  EXPECT_THAT(Refusal(absl::StatusCode::kNotFound, dir_ / "wrong"),
              AllOf(HasSubstr(dir_ / "wrong"), Not(HasSubstr("--working-folder"))));
  absl::StatusOr<RunFolder> opened = OpenRunFolder(path_, root_);
  ASSERT_TRUE(opened.ok()) << opened.status();
  ASSERT_TRUE(opened->Save().ok());  // and from now on that is it
  EXPECT_TRUE(OpenRunFolder(path_).ok());
}

TEST_F(RunFoldersOnDisk, AskForItsWorkingFolderWhereItsFilesAreNot) {
  Change({{"working_folder", "/"}});
  EXPECT_THAT(Refusal(absl::StatusCode::kInvalidArgument),
              AllOf(HasSubstr("there is no assets/"), HasSubstr("relative to the working folder, /)"),
                    HasSubstr("--working-folder FOLDER says")));
}

// A folder as a coordinator that was started by hand makes it.
TEST_F(RunFoldersOnDisk, StartedByHandAreAsOthers) {
  const std::string by_hand = dir_ / "by-hand";
  const absl::StatusOr<LoadedConfig> config = LoadRunConfig("configs/shapes.yaml", {"train.steps=7"});
  ASSERT_TRUE(config.ok());
  EXPECT_TRUE(CheckRunConfig(by_hand, *config).ok());
  ASSERT_TRUE(CompleteRunFolder(by_hand + "/", *config).ok());
  EXPECT_TRUE(CheckRunConfig(by_hand, *config).ok());
  EXPECT_EQ(*ReadFile(by_hand + "/config.yaml"), PrintConfig(*config));
  const absl::StatusOr<RunFolder> opened = OpenRunFolder(by_hand);
  ASSERT_TRUE(opened.ok()) << opened.status();
  EXPECT_EQ(opened->run_id, "by-hand");
  EXPECT_EQ(opened->config.config.train().steps(), 7);
  const std::string json = *ReadFile(by_hand + "/run.json");
  ASSERT_TRUE(CompleteRunFolder(path_, *config).ok());  // what is there stays
  EXPECT_NE(*ReadFile(path_ + "/config.yaml"), PrintConfig(*config));
  const absl::StatusOr<LoadedConfig> other = LoadRunConfig("configs/shapes.yaml", {"train.steps=8"});
  const absl::Status refused = CheckRunConfig(by_hand, *other);
  EXPECT_TRUE(absl::IsFailedPrecondition(refused));
  EXPECT_THAT(std::string(refused.message()), HasSubstr("--config " + by_hand + "/config.yaml"));
  // Settings that decide no results may differ.
  EXPECT_TRUE(
      CheckRunConfig(by_hand, *LoadRunConfig("configs/shapes.yaml", {"train.steps=7", "name=other"})).ok());
}

TEST_F(RunFolders, AreNotMadeWhereTheyCannotBe) {
  config_.config.set_out(dir_.Write("file", ""));
  const absl::Status status = MakeRunFolder(config_, "a").status();
  EXPECT_FALSE(status.ok());
  EXPECT_THAT(std::string(status.message()), HasSubstr(dir_ / "file"));
}

TEST(RunId, NamesAFolderOnEveryMachine) {
  for (const std::string& id : {std::string("a"), std::string("A-b_c.9"), std::string(200, 'x')})
    EXPECT_TRUE(CheckRunId(id).ok()) << id;
  for (const std::string& id : {std::string(), std::string(201, 'x'), std::string("."), std::string("a\n"),
                                std::string("a\0b", 3), std::string("caf\xc3\xa9"), std::string("a:b")}) {
    const absl::Status status = CheckRunId(id);
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << id;
    EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr("--run-id"), Not(HasSubstr("\n"))));
  }
  EXPECT_TRUE(CheckRunId(FreshRunId("shapes")).ok());
}

}  // namespace
}  // namespace lvrpo
