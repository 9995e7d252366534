#include "common/files/reused_file.h"

#include <unistd.h>

#include "common/files/file.h"
#include "gtest/gtest.h"
#include "tests/testing/temporary_folder.h"

namespace lvrpo {
namespace {

TEST(ReusedFile, HasTheNewBytesAlone) {
  const TemporaryFolder folder;
  const std::string path = folder / "file";
  for (const std::string& bytes : {std::string("long enough"), std::string("short"), std::string()}) {
    const auto file = ReusedFile::Open(path);
    ASSERT_TRUE(file.ok()) << file.status();
    ASSERT_TRUE((*file)->Append(bytes.substr(0, 2)).ok());
    ASSERT_TRUE((*file)->Append(bytes.size() > 2 ? bytes.substr(2) : "").ok());
    ASSERT_TRUE((*file)->Finish().ok());
    EXPECT_EQ(ReadFile(path).value_or("none"), bytes);
  }
}

TEST(ReusedFile, FollowsNoLink) {
  const TemporaryFolder folder;
  const std::string target = folder.Write("target", "precious");
  ASSERT_EQ(symlink(target.c_str(), (folder / "link").c_str()), 0);
  EXPECT_FALSE(ReusedFile::Open(folder / "link").ok());
  EXPECT_EQ(ReadFile(target).value_or(""), "precious");
}

}  // namespace
}  // namespace lvrpo
