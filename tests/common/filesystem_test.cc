#include "common/files/filesystem.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>

#include "common/files/file.h"
#include "common/files/identity.h"
#include "common/files/line_reader.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/temporary_folder.h"

namespace lvrpo {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class Filesystem : public ::testing::Test {
 protected:
  std::string In(const std::string& name) const { return JoinPath(root_, name); }

  const TemporaryFolder folder_;
  const std::string root_ = folder_.path();
};

TEST_F(Filesystem, NamesOfAnyBytes) {
  for (const std::string name : {"plain", "\xff\xfe", "a\nb", "\xc3\xa4", " ", "-x", "*"}) {
    EXPECT_EQ(*KindOf(In(name)), PathKind::kMissing);
    ASSERT_TRUE(WriteFileAtomic(In(name), "12345").ok()) << name;
    EXPECT_EQ(*KindOf(In(name)), PathKind::kFile);
    EXPECT_EQ(*FileSize(In(name)), 5);
    EXPECT_EQ(*ReadFile(In(name)), "12345");
    EXPECT_THAT(*ListFolder(root_), ElementsAre(name));
    EXPECT_EQ(FileName(In(name)), name);
    EXPECT_EQ(ParentFolder(In(name)), root_);
    EXPECT_TRUE(Rename(In(name), In("other")).ok());
    EXPECT_FALSE(Exists(In(name)));
    EXPECT_TRUE(RemoveFile(In("other")).ok());
    EXPECT_TRUE(RemoveFile(In("other")).ok()) << "none is fine";
  }
}

TEST_F(Filesystem, SaysWhatIsThere) {
  ASSERT_TRUE(MakeFolder(In("a/b/c")).ok());
  ASSERT_EQ(mkfifo(In("pipe").c_str(), 0600), 0);
  ASSERT_EQ(symlink("nowhere", In("broken").c_str()), 0);
  ASSERT_EQ(symlink("a", In("link").c_str()), 0);
  ASSERT_EQ(symlink("loop", In("loop").c_str()), 0);
  EXPECT_EQ(*KindOf(In("a/b")), PathKind::kFolder);
  EXPECT_EQ(*KindOf(In("link")), PathKind::kFolder);
  EXPECT_EQ(*KindOf(In("pipe")), PathKind::kOther);
  EXPECT_EQ(*KindOf(In("broken")), PathKind::kMissing);
  EXPECT_FALSE(KindOf(In("loop")).ok());
  EXPECT_FALSE(Exists(In("loop")));
  EXPECT_TRUE(absl::IsNotFound(FileSize(In("none")).status()));
  EXPECT_TRUE(absl::IsNotFound(ListFolder(In("none")).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(ListFolder(In("pipe")).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(ReadFile(In("a")).status()));
  EXPECT_TRUE(absl::IsNotFound(ReadFile(In("none")).status()));
  EXPECT_TRUE(RemoveTree(In("a")).ok());
  EXPECT_FALSE(Exists(In("a")));
}

TEST_F(Filesystem, LongNamesAreRefused) {
  const std::string name(300, 'x');
  EXPECT_TRUE(absl::IsInvalidArgument(KindOf(In(name)).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(WriteFileAtomic(In(name), "x")));
  EXPECT_TRUE(absl::IsInvalidArgument(MakeFolder(In(name))));
}

TEST_F(Filesystem, AbsolutePaths) {
  EXPECT_EQ(*AbsolutePath("/a/./b/../c//"), "/a/c");
  EXPECT_EQ(*AbsolutePath("/"), "/");
  EXPECT_EQ(JoinPath(*AbsolutePath("."), "x"), *AbsolutePath("x"));
}

// Runs `holds` as a user for whom permissions count, in a separate process.
template <typename F>
void ExpectAsNobody(F holds) {
  EXPECT_EXIT(
      {
        if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0)) _exit(3);
        _exit(holds() ? 0 : 1);
      },
      testing::ExitedWithCode(0), "");
}

TEST_F(Filesystem, FoldersThatMayNotBeEntered) {
  ASSERT_TRUE(WriteFileAtomic(In("locked/file"), "x").ok() || MakeFolder(In("locked")).ok());
  ASSERT_TRUE(WriteFileAtomic(In("locked/file"), "x").ok());
  ASSERT_EQ(chmod(root_.c_str(), 0755), 0);
  ASSERT_EQ(chmod(In("locked").c_str(), geteuid() == 0 ? 0700 : 0), 0);
  const std::string file = In("locked/file");
  ExpectAsNobody([&] {
    return absl::IsPermissionDenied(KindOf(file).status()) && !Exists(file) && !IsFile(file) &&
           !IsFolder(file) && absl::IsPermissionDenied(FileSize(file).status()) &&
           absl::IsPermissionDenied(ReadFile(file).status()) &&
           absl::IsPermissionDenied(ListFolder(In("locked")).status()) &&
           absl::IsPermissionDenied(MakeFolder(file + "/x")) &&
           absl::IsPermissionDenied(WriteFileAtomic(file, "")) &&
           absl::IsPermissionDenied(AppendToFile(file, "x")) && absl::IsPermissionDenied(RemoveFile(file)) &&
           absl::IsPermissionDenied(Rename(file, file + "2")) &&
           absl::IsPermissionDenied(LineReader::Open(file).status());
  });
  ASSERT_EQ(chmod(In("locked").c_str(), 0700), 0);
}

TEST_F(Filesystem, WorkingFolderThatIsGone) {
  ASSERT_TRUE(MakeFolder(In("gone")).ok());
  ExpectAsNobody([&] {
    if (chdir("/") != 0) return false;
    return AbsolutePath("x").ok();
  });
  EXPECT_EXIT(
      {
        if (chdir(In("gone").c_str()) != 0 || rmdir(In("gone").c_str()) != 0) _exit(3);
        const absl::Status status = AbsolutePath("x").status();
        _exit(absl::IsNotFound(status) && absl::IsNotFound(KindOf("x").status()) == false ? 0 : 1);
      },
      testing::ExitedWithCode(0), "");
}

TEST_F(Filesystem, KnowsWhetherAFolderIsStillTheSame) {
  ASSERT_TRUE(MakeFolder(In("run/spool")).ok());
  const std::string identity = IdentityOf(In("run"));
  EXPECT_FALSE(IsGone(In("run"), identity));
  ASSERT_TRUE(Rename(In("run"), In("moved")).ok());
  EXPECT_TRUE(IsGone(In("run"), identity));
  ASSERT_TRUE(MakeFolder(In("run")).ok());
  EXPECT_TRUE(IsGone(In("run"), identity));
  EXPECT_FALSE(IsGone(In("moved"), identity));
  for (int i = 0; i < 20; ++i) {  // removed and made again at once, where the inode's number comes again
    const std::string before = IdentityOf(In("run"));
    ASSERT_TRUE(RemoveTree(In("run")).ok() && MakeFolder(In("run")).ok());
    EXPECT_TRUE(IsGone(In("run"), before));
  }
  EXPECT_FALSE(IsGone(In("run"), ""));
  EXPECT_EQ(IdentityOf(In("none")), "");
}

TEST_F(Filesystem, AppendsWholeRecords) {
  EXPECT_TRUE(AppendToFile(In("log"), "one\n").ok());
  EXPECT_TRUE(AppendToFile(In("log"), "two\n").ok());
  EXPECT_EQ(*ReadFile(In("log")), "one\ntwo\n");
  EXPECT_TRUE(absl::IsResourceExhausted(AppendToFile("/dev/full", "x")));
}

TEST_F(Filesystem, ReadsLineByLine) {
  const std::string longer(200000, 'x');
  for (const auto& [text, lines] : std::vector<std::pair<std::string, std::vector<std::string>>>{
           {"", {}},
           {"\n", {""}},
           {"a", {"a"}},
           {"a\nb", {"a", "b"}},
           {"a\n\nb\n", {"a", "", "b"}},
           {"a\r\n\xff\n", {"a\r", "\xff"}},
           {longer + "\n" + longer, {longer, longer}},
           {std::string("a\0b\n", 4), {std::string("a\0b", 3)}}}) {
    ASSERT_TRUE(WriteFileAtomic(In("lines"), text).ok());
    auto reader = LineReader::Open(In("lines"));
    ASSERT_TRUE(reader.ok());
    std::vector<std::string> read;
    for (std::string line; *(*reader)->Next(&line);) read.push_back(line);
    EXPECT_EQ(read, lines);
  }
  EXPECT_TRUE(absl::IsNotFound(LineReader::Open(In("none")).status()));
}

}  // namespace
}  // namespace lvrpo
