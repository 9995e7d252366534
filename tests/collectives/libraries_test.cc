// What is said where NCCL or CUDA is missing.
#include <cstdlib>
#include <optional>
#include <thread>

#include "collectives/cuda_device.h"
#include "collectives/nccl_library.h"
#include "gmock/gmock.h"

namespace lvrpo {
namespace {

using testing::AllOf;
using testing::HasSubstr;

std::string Message(const absl::Status& status) { return std::string(status.message()); }

TEST(LoadNccl, SaysWhatIsMissing) {
  const auto none = LoadNccl("/nowhere/libnccl.so");
  EXPECT_EQ(none.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(Message(none.status()),
              AllOf(HasSubstr("no NCCL: /nowhere/libnccl.so: "), HasSubstr("LVRPO_NCCL_LIBRARY")));
  const auto other = LoadNccl("libm.so.6");
  EXPECT_EQ(other.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(Message(other.status()), HasSubstr("libm.so.6 has no ncclGetVersion, ncclGetUniqueId, "));
}

TEST(LoadNccl, TakesTheLibraryThatTheEnvironmentNames) {
  setenv("LVRPO_NCCL_LIBRARY", LVRPO_NCCL_DOUBLE_BARE, 1);
  const auto bare = LoadNccl();
  setenv("LVRPO_NCCL_LIBRARY", LVRPO_NCCL_DOUBLE, 1);
  const auto newest = LoadNccl();
  unsetenv("LVRPO_NCCL_LIBRARY");
  ASSERT_TRUE(bare.ok()) << bare.status();
  EXPECT_EQ(InWords(*bare), "2.28.0 (" LVRPO_NCCL_DOUBLE_BARE "): no shrink, no revoke, no grow");
  ASSERT_TRUE(newest.ok()) << newest.status();
  EXPECT_EQ(InWords(*newest), "2.32.3 (" LVRPO_NCCL_DOUBLE "): shrink, revoke, grow");
}

TEST(OpenCudaDevice, SaysWhatIsMissing) {
  setenv("LVRPO_CUDART_LIBRARY", "/nowhere/libcudart.so", 1);
  const auto none = OpenCudaDevice(0);
  setenv("LVRPO_CUDART_LIBRARY", "libm.so.6", 1);
  const auto other = OpenCudaDevice(0);
  unsetenv("LVRPO_CUDART_LIBRARY");
  EXPECT_EQ(none.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(Message(none.status()), AllOf(HasSubstr("no CUDA runtime: /nowhere/libcudart.so: "),
                                            HasSubstr("LVRPO_CUDART_LIBRARY")));
  EXPECT_EQ(other.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(Message(other.status()), HasSubstr("libm.so.6 has no cudaGetErrorString, "));
}

// Over the double of the runtime, whose GPUs are the host.
TEST(OpenCudaDevice, MakesTheRuntimesCalls) {
  setenv("LVRPO_CUDART_LIBRARY", LVRPO_CUDART_DOUBLE, 1);
  const auto opened = OpenCudaDevice(3), none = OpenCudaDevice(8);
  unsetenv("LVRPO_CUDART_LIBRARY");
  EXPECT_EQ(none.status(), absl::OutOfRangeError("there is no GPU 8: this machine has 8"));
  ASSERT_TRUE(opened.ok()) << opened.status();
  DeviceApi& device = **opened;
  EXPECT_EQ(device.Place(), "0000:03:00.0");
  EXPECT_EQ(device.Reaches("0000:03:00.0"), true);
  EXPECT_EQ(device.Reaches("0000:07:00.0"), true);
  EXPECT_EQ(device.Reaches("0000:99:00.0"), std::nullopt);
  EXPECT_EQ(device.Reaches(""), std::nullopt);

  const DeviceStream first = device.CreateStream().value(), second = device.CreateStream().value();
  auto* const memory = static_cast<char*>(device.Allocate(4).value());
  char out[4] = "";
  ASSERT_TRUE(device.CopyAsync(memory, "abc", 4, first).ok());
  const DeviceEvent copied = device.Record(first).value();
  ASSERT_TRUE(device.WaitFor(second, copied).ok());
  ASSERT_TRUE(device.CopyAsync(out, memory, 4, second).ok());
  const DeviceEvent end = device.Record(second).value();
  while (!device.IsDone(end).value()) std::this_thread::yield();
  EXPECT_STREQ(out, "abc");
  device.Release(copied);
  device.Release(end);
  EXPECT_TRUE(device.DestroyStream(first).ok());
  EXPECT_TRUE(device.DestroyStream(second).ok());
  EXPECT_TRUE(device.Free(memory).ok());
}

}  // namespace
}  // namespace lvrpo
