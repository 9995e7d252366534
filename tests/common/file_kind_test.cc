#include "common/files/file_kind.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>

#include "absl/status/status.h"
#include "common/files/file.h"
#include "common/files/text_file.h"
#include "common/utf8.h"
#include "tests/testing/temporary_folder.h"

namespace lvrpo {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class FileKindTest : public ::testing::Test {
 protected:
  std::string Path(const std::string& name) const { return folder_ / name; }
  std::string Write(const std::string& name, const std::string& bytes) const {
    return folder_.Write(name, bytes);
  }

  const TemporaryFolder folder_;
};

TEST(FileKind, KnowsWhatStandsInPlaceOfFiles) {
  const struct {
    std::string bytes, says;
  } cases[] = {
      {"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 14617000000\n", "Git LFS pointer"},
      {"/annex/objects/SHA256E-s5--00.safetensors\n", "git-annex pointer"},
      {"<!DOCTYPE html><html><head><title>Sign in</title>", "web page (HTML)"},
      {"\n\n  <!doctype HTML>", "web page (HTML)"},
      {"\xef\xbb\xbf<html lang=en>", "web page (HTML)"},
      {"<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code>", "XML"},
      {"<Error><Code>NoSuchKey</Code></Error>", "XML"},
      {"\x1f\x8b\x08\x08", "gzip"},
      {"PK\x03\x04\x14", "ZIP"},
      {"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46", "Python pickle"},
      {"\x80\x04\x95\x1a", "Python pickle"},
      {std::string(300, 'a').replace(257, 5, "ustar"), "tar"},
      {"GGUF\x03", "llama.cpp"},
      {"\x93NUMPY\x01", "NumPy"},
      {"GIF89a", "GIF"},
      {"\x89PNG\r\n\x1a\n", "PNG"},
      {std::string("\0\0\0\x18"
                   "ftypheic",
                   12),
       "HEIC"},
      {std::string("\xff\xfe{\0\"\0", 6), "UTF-16"},
      {std::string("\xfe\xff\0{", 4), "UTF-16"},
      {std::string(1024, '\0'), "nothing but zero bytes"},
  };
  for (const auto& test : cases) {
    EXPECT_THAT(KnownFileKind(test.bytes), HasSubstr(test.says)) << test.bytes;
    EXPECT_EQ(FileKind(test.bytes), KnownFileKind(test.bytes));
    for (size_t length = 0; length < test.bytes.size(); ++length)
      (void)FileKind(test.bytes.substr(0, length));
  }
}

TEST(FileKind, SaysNothingOfWhatMayBeRight) {
  const std::string cases[] = {
      "",
      "{\"a\": 1}",
      "name: x\n",
      "version https://example.com\n",
      std::string("\x80\x02\0\0\0\0\0\0{\"a\"", 12),  // a safetensors header of 640 bytes
      std::string("\xff\xfe\0\0\0\0\0\0{\"a\"", 12),  // and one of 65,279
      std::string("\x1f\x8b\0\0\0\0\0\0{\"a\"", 12),  // 35,615
      std::string(8, '\0'),
      "<p>text of a prompt</p>",
  };
  for (const std::string& bytes : cases) EXPECT_EQ(KnownFileKind(bytes), "") << bytes;
  EXPECT_EQ(FileKind(""), "empty");
  EXPECT_EQ(FileKind("{\"error\":\n\"Repository not found\"}"),
            "a text that begins \"{\"error\": \"Repository not found\"}\"");
  EXPECT_EQ(FileKind("\x01\x02\x03"), "");
}

TEST_F(FileKindTest, KnowsWhatStandsAtAPath) {
  EXPECT_EQ(WhatIsAt(Path("nothing")), "");
  EXPECT_EQ(WhatIsAt(folder_.path()), "a folder");
  EXPECT_EQ(WhatIsAt(Write("empty", "")), "empty");
  EXPECT_THAT(WhatIsAt(Write("page", "<html>")), HasSubstr("web page"));
  EXPECT_THAT(WhatIsAt("/dev/null"), HasSubstr("device"));
  ASSERT_EQ(symlink("../blobs/3f2a", Path("link").c_str()), 0);
  EXPECT_EQ(WhatIsAt(Path("link")), "a link to ../blobs/3f2a, which is not there");
  ASSERT_EQ(symlink("round", Path("round").c_str()), 0);
  EXPECT_THAT(WhatIsAt(Path("round")),
              AllOf(HasSubstr("a link to round"), HasSubstr("levels of symbolic links")));
  ASSERT_EQ(symlink(Path("page").c_str(), Path("good").c_str()), 0);
  EXPECT_THAT(WhatIsAt(Path("good")), HasSubstr("web page"));
  ASSERT_EQ(mkfifo(Path("pipe").c_str(), 0600), 0);
  EXPECT_THAT(WhatIsAt(Path("pipe")), HasSubstr("pipe"));  // and does not wait for a writer
  if (geteuid() != 0) {
    ASSERT_EQ(chmod(Path("page").c_str(), 0), 0);
    EXPECT_THAT(WhatIsAt(Path("page")), HasSubstr("Permission denied"));
  }
}

TEST_F(FileKindTest, AddsItToARefusal) {
  const absl::Status refused = absl::DataLossError("x is damaged");
  EXPECT_EQ(WithFileKind(refused, Write("x", "")).message(), "x is damaged; it is empty");
  EXPECT_EQ(WithFileKind(absl::DataLossError("x is empty"), Path("x")).message(), "x is empty");
  EXPECT_EQ(WithFileKind(refused, Path("y")), refused);
  const absl::Status none = absl::NotFoundError("cannot read link");
  EXPECT_EQ(WithFileKind(none, Path("y")), none);
  ASSERT_EQ(symlink("nowhere", Path("link").c_str()), 0);
  EXPECT_TRUE(absl::IsInvalidArgument(WithFileKind(none, Path("link"))));
  EXPECT_TRUE(absl::IsInvalidArgument(ReadTextFile(Path("link")).status()));
  EXPECT_TRUE(WithFileKind(absl::OkStatus(), Path("x")).ok());
}

TEST_F(FileKindTest, TextFilesComeWithoutTheirMark) {
  EXPECT_EQ(*ReadTextFile(Write("t", "\xef\xbb\xbf{}\n")), "{}\n");
  EXPECT_EQ(*ReadTextFile(Write("t", "{}\n\xef\xbb\xbf")), "{}\n\xef\xbb\xbf");
  EXPECT_EQ(*ReadTextFile(Write("t", "\xef\xbb\xbf")), "");
  EXPECT_EQ(*ReadTextFile(Write("t", "caf\xe9")), "caf\xe9");
  const auto page = ReadTextFile(Write("t", "<html>404"));
  EXPECT_TRUE(absl::IsInvalidArgument(page.status()));
  EXPECT_THAT(std::string(page.status().message()), AllOf(HasSubstr(Path("t")), HasSubstr("web page")));
  EXPECT_TRUE(absl::IsNotFound(ReadTextFile(Path("none")).status()));
}

TEST(NotUtf8, NamesTheFirstByteThatIsNone) {
  EXPECT_EQ(NotUtf8("caf\xc3\xa9"), "");
  EXPECT_EQ(NotUtf8(""), "");
  EXPECT_EQ(NotUtf8("caf\xe9 x"), "not UTF-8 at byte 4 (0xe9): save the file as UTF-8");
  EXPECT_EQ(NotUtf8("\xef\xbf\xbd\x80"),
            "not UTF-8 at byte 4 (0x80): save the file as UTF-8");  // U+FFFD is right
  // Cut characters that begin as U+FFFD does.
  for (const char* cut : {"a\xef", "a\xef\nb", "a\xef\xbf", "a\xef\xbf z"})
    EXPECT_EQ(NotUtf8(cut), "not UTF-8 at byte 2 (0xef): save the file as UTF-8");
  EXPECT_EQ(NotUtf8("a\xc3"), "not UTF-8 at byte 2 (0xc3): save the file as UTF-8");
  EXPECT_EQ(NotUtf8("a\xed\xa0\x80"), "not UTF-8 at byte 2 (0xed): save the file as UTF-8");
}

TEST(OneLine, IsSafeToShowWhateverTheTextHolds) {
  EXPECT_EQ(OneLine("plain text"), "plain text");
  EXPECT_EQ(OneLine("a\nb\tc\rd"), "a b c d");
  EXPECT_EQ(OneLine("\x1b[2Jx\x7f\x9b"), " [2Jx \xef\xbf\xbd");
  EXPECT_EQ(OneLine("\xc2\x9b"
                    "31m"),
            " 31m");  // C1: CSI in one character
  EXPECT_EQ(OneLine("a\xe2\x80\xae"
                    "b\xe2\x81\xa6"
                    "c"),
            "a b c");  // right to left
  EXPECT_EQ(OneLine("a\xe2\x80\x8b"
                    "b\xef\xbb\xbf"
                    "c"),
            "a b c");  // zero width
  EXPECT_EQ(OneLine("caf\xc3\xa9 \xe6\x97\xa5 \xf0\x9f\x8d\x8e"),
            "caf\xc3\xa9 \xe6\x97\xa5 \xf0\x9f\x8d\x8e");
  EXPECT_EQ(OneLine("caf\xe9"), "caf\xef\xbf\xbd");
  EXPECT_EQ(OneLine(std::string(80, 'x')), std::string(80, 'x'));
  EXPECT_EQ(OneLine(std::string(81, 'x')), std::string(80, 'x') + "...");
  EXPECT_EQ(OneLine("\xc3\xa9\xc3\xa9\xc3\xa9", 2), "\xc3\xa9\xc3\xa9...");
  EXPECT_EQ(OneLine(std::string(5000, '\xe9'), 3), "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd...");
}

}  // namespace
}  // namespace lvrpo
