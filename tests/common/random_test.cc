#include "common/random.h"

#include "gtest/gtest.h"

namespace lvrpo {
namespace {

TEST(Random, IsSplitMix64) {
  Random random(1234567);  // first values of the reference implementation for this seed (Vigna, splitmix64.c)
  EXPECT_EQ(random.Next(), 6457827717110365317u);
  EXPECT_EQ(random.Next(), 3203168211198807973u);
}

}  // namespace
}  // namespace lvrpo
