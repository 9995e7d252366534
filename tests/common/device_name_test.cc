#include "common/config/device_name.h"

#include <cstdlib>

#include "gtest/gtest.h"

namespace lvrpo {
namespace {

using Kind = DeviceName::Kind;

TEST(ParseDeviceName, ReadsWhatASettingMaySay) {
  EXPECT_EQ(*ParseDeviceName("cpu"), (DeviceName{Kind::kCpu, -1}));
  EXPECT_EQ(*ParseDeviceName("cuda"), (DeviceName{Kind::kCuda, -1}));
  EXPECT_EQ(*ParseDeviceName("cuda:0"), (DeviceName{Kind::kCuda, 0}));
  EXPECT_EQ(*ParseDeviceName("cuda:63"), (DeviceName{Kind::kCuda, 63}));
}

TEST(ParseDeviceName, RefusesEverythingElse) {
  for (const char* text : {"", "gpu", "CUDA", "cuda:", "cuda:-1", "cuda:+1", "cuda: 1", "cuda:01", "cuda:1 ",
                           "cuda:64", "cuda:99999999999", "cuda:x", "cpu:0", " cpu", "cuda,1"}) {
    const absl::Status refused = ParseDeviceName(text).status();
    EXPECT_TRUE(absl::IsInvalidArgument(refused)) << text;
  }
  EXPECT_EQ(ParseDeviceName("gpu").status().message(),
            "'gpu' is no device: use cpu, cuda or cuda:0 to cuda:63");
}

TEST(WeightsDevice, IsTheOneThatComputesUnlessTheEnvironmentSaysAnother) {
  unsetenv("LVRPO_WEIGHTS_DEVICE");
  EXPECT_EQ(WeightsDevice("cuda:2"), "cuda:2");
  setenv("LVRPO_WEIGHTS_DEVICE", "cuda", 1);
  EXPECT_EQ(WeightsDevice("cpu"), "cuda");
  unsetenv("LVRPO_WEIGHTS_DEVICE");
}

}  // namespace
}  // namespace lvrpo
