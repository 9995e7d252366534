#include "cli/local/disk.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/temporary_folder.h"

namespace lvrpo {
namespace {

using ::testing::AnyOf;
using ::testing::StartsWith;

TEST(Disk, SaysWhyNothingCanBeWritten) {
  const DiskFacts sound = {.free_bytes = int64_t{1} << 30, .files = 100, .free_files = 50};
  EXPECT_EQ(DiskProblem(sound), "");
  EXPECT_EQ(DiskProblem({.free_bytes = 4096, .files = 100, .free_files = 50}), "full");
  EXPECT_EQ(DiskProblem({.free_bytes = int64_t{1} << 30, .files = 100, .free_files = 0}),
            "out of file entries");
  EXPECT_EQ(DiskProblem({.free_bytes = int64_t{1} << 30}), "");  // a file system without such a limit
  EXPECT_EQ(DiskProblem({.free_bytes = int64_t{1} << 30, .read_only = true}), "read-only");
  EXPECT_EQ(DiskProblemOf("/no/such/folder"), "");
}

TEST(Disk, ChecksTheWorstFirst) {
  const DiskFacts nothing = {.free_bytes = 0, .files = 100, .free_files = 0, .read_only = true};
  EXPECT_EQ(DiskProblem(nothing), "read-only");
  EXPECT_EQ(DiskProblem({.free_bytes = 0, .files = 100, .free_files = 0}), "full");
  // A few bytes are left, but no record and its journal fit into them.
  EXPECT_EQ(DiskProblem({.free_bytes = (256 << 10) - 1, .files = 1, .free_files = 1}), "full");
  EXPECT_EQ(DiskProblem({.free_bytes = 256 << 10, .files = 1, .free_files = 1}), "");
}

TEST(Disk, NamesTheFolder) {
  const TemporaryFolder folder;
  EXPECT_THAT(DiskProblemOf(folder.path()), AnyOf("", StartsWith("the disk of " + folder.path() + " is ")));
}

}  // namespace
}  // namespace lvrpo
