#include "gtest/gtest.h"
#include "tests/parity/parity.h"
#include "tests/testing/test_device.h"

namespace lvrpo {
namespace {

// All that models and formulas compute, on a device that is no CPU, against the reference implementations.
TEST(ParityOnADevice, HoldsInEveryCase) {
  EXPECT_EQ(parity::RunCases({"tests/parity/cases"}, TestDevice()), 0);
}

}  // namespace
}  // namespace lvrpo
