#include "common/files/file_reader.h"

#include "common/hash.h"
#include "gtest/gtest.h"
#include "tests/testing/temporary_folder.h"

namespace lvrpo {
namespace {

TEST(FileReader, GivesPiecesUntilTheEnd) {
  const TemporaryFolder folder;
  const auto file = FileReader::Open(folder.Write("a", "0123456789"));
  ASSERT_TRUE(file.ok());
  EXPECT_EQ(*(*file)->Read(4), "0123");
  EXPECT_EQ(*(*file)->Read(6), "456789");
  EXPECT_EQ(*(*file)->Read(4), "");
  EXPECT_TRUE(absl::IsNotFound(FileReader::Open(folder / "none").status()));
}

TEST(FileSha256Hex, IsTheDigestOfAllBytes) {
  const TemporaryFolder folder;
  const std::string bytes((3 << 20) + 7, 'x');
  EXPECT_EQ(*FileSha256Hex(folder.Write("a", bytes)), Sha256Hex(bytes));
  EXPECT_EQ(*FileSha256Hex(folder.Write("b", "")), Sha256Hex(""));
  EXPECT_FALSE(FileSha256Hex(folder.path()).ok());
}

}  // namespace
}  // namespace lvrpo
