#include "common/exit_code.h"

#include "gtest/gtest.h"

namespace lvrpo {
namespace {

TEST(ExitCodes, FollowTheStatus) {
  EXPECT_EQ(ExitCodeFor(absl::OkStatus()), kExitDone);
  EXPECT_EQ(ExitCodeFor(absl::DataLossError("")), kExitData);
  EXPECT_EQ(ExitCodeFor(absl::NotFoundError("")), kExitData);
  EXPECT_EQ(ExitCodeFor(absl::UnavailableError("")), kExitUnavailable);
  EXPECT_EQ(ExitCodeFor(absl::AbortedError("")), kExitRetry);
  EXPECT_EQ(ExitCodeFor(absl::InternalError("")), kExitBug);
}

}  // namespace
}  // namespace lvrpo
