#include "data/safetensors/safetensors.h"

#include "common/files/file.h"
#include "gtest/gtest.h"
#include "tests/testing/temporary_folder.h"

namespace lvrpo {
namespace {

TEST(Safetensors, WritesWhatItReads) {
  const TemporaryFolder folder;
  const std::string path = folder / "a.safetensors";
  const std::string floats(24, '\1'), bytes(3, '\2');
  ASSERT_TRUE(WriteSafetensors(path, {{"a.weight", {"F32", {2, 3}, floats}}, {"mask", {"U8", {3}, bytes}}},
                               {{"made_by", "test"}})
                  .ok());
  const auto file = SafetensorsFile::Open(path);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ((*file)->entries().at("a.weight").bytes, floats);
  EXPECT_EQ((*file)->entries().at("mask").shape, (std::vector<uint64_t>{3}));
  EXPECT_EQ((*file)->metadata().at("made_by"), "test");
  // Cut anywhere, it is refused.
  const std::string whole = *ReadFile(path);
  for (size_t size = 0; size < whole.size(); size += 5) {
    ASSERT_TRUE(WriteFileAtomic(path, whole.substr(0, size)).ok());
    EXPECT_TRUE(absl::IsDataLoss(SafetensorsFile::Open(path).status())) << size;
  }
}

}  // namespace
}  // namespace lvrpo
