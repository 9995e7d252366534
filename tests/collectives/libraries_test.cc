// What is said where NCCL or CUDA is missing.
#include <cstdlib>

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

}  // namespace
}  // namespace lvrpo
