#include "common/files/file.h"

#include "common/files/filesystem.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/synced_so_far.h"
#include "tests/testing/temporary_folder.h"

namespace lvrpo {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(File, WritesWholeFilesOnly) {
  const TemporaryFolder folder;
  const std::string path = folder / "file";
  ASSERT_TRUE(WriteFileAtomic(path, "first").ok());
  ASSERT_TRUE(WriteFileAtomic(path, "second").ok());
  EXPECT_EQ(*ReadFile(path), "second");
  EXPECT_THAT(*ListFolder(folder.path()), ElementsAre("file"));
  EXPECT_FALSE(WriteFileAtomic(folder / "no/such/file", "x").ok());
  const auto missing = ReadFile(folder / "missing");
  EXPECT_TRUE(absl::IsNotFound(missing.status()));
  EXPECT_THAT(std::string(missing.status().message()), HasSubstr("missing"));
}

// A rename is durable once its folder is, and must not be durable before the content is.
TEST(File, SyncsTheContentThenTheFolder) {
  const TemporaryFolder folder;
  const SyncedSoFar synced;
  const auto file = AtomicFile::Create(folder / "file");
  ASSERT_TRUE(file.ok() && (*file)->Append("content").ok());
  EXPECT_EQ(synced.Kinds(), "");
  ASSERT_TRUE((*file)->Commit().ok());
  EXPECT_EQ(synced.Kinds(), "file folder");
}

}  // namespace
}  // namespace lvrpo
