#include "common/hash.h"

#include "gtest/gtest.h"

namespace lvrpo {
namespace {

TEST(Hash, KnownValues) {
  EXPECT_EQ(Sha256Hex("abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");  // FIPS 180-2, B.1
  EXPECT_EQ(Crc32("123456789"), 0xCBF43926u);                                     // the CRC-32 check value
  Sha256 parts;
  parts.Update("a");
  parts.Update("bc");
  EXPECT_EQ(parts.FinishHex(), Sha256Hex("abc"));
}

}  // namespace
}  // namespace lvrpo
