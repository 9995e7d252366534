#include "common/files/machine_memory.h"

#include "gtest/gtest.h"

namespace lvrpo {
namespace {

TEST(MachineMemory, ReadsALimitOfAControlGroup) {
  EXPECT_EQ(ParseMemoryMax("1073741824\n"), int64_t{1} << 30);
  for (const char* text : {"max\n", "", "0", "-5", "12 MB", "99999999999999999999"})
    EXPECT_FALSE(ParseMemoryMax(text).has_value()) << text;
}

TEST(MachineMemory, IsThere) {
  const std::optional<int64_t> bytes = MachineMemory();
  ASSERT_TRUE(bytes.has_value());
  EXPECT_GT(*bytes, int64_t{64} << 20);
}

}  // namespace
}  // namespace lvrpo
