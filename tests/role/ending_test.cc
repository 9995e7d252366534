#include "role/ending.h"

#include "common/exit_code.h"
#include "gtest/gtest.h"

namespace lvrpo {
namespace {

// What a supervisor sees of a learner. 0: the run needs it no more; 75: it does.
TEST(Ending, ALearnerThatWasToldToLeaveIsWantedBack) {
  const absl::Status ok, away = absl::UnavailableError("the coordinator did not answer"),
                         slow = absl::DeadlineExceededError("too slow"),
                         stopped = absl::CancelledError("stopped");
  struct {
    const char* what;
    TrainingEnd end;
    int code;
  } cases[] = {
      {"the run has finished", {.status = ok, .complete = true}, kExitDone},
      {"it was drained", {.status = ok, .drained = true}, kExitDone},
      {"told while it goes on", {.status = ok, .told = true}, kExitRetry},
      {"told at the end", {.status = ok, .complete = true, .told = true}, kExitDone},
      {"told while it drains", {.status = ok, .drained = true, .told = true}, kExitDone},
      {"another rank was told", {.status = ok}, kExitRetry},
      {"told, and the coordinator, too", {.status = away, .told = true}, kExitRetry},
      {"told, and the coordinator is slow", {.status = slow, .told = true}, kExitRetry},
      {"told before it had joined", {.status = stopped, .told = true}, kExitRetry},
      {"told with the last step, which is not recorded",
       {.status = away, .complete = true, .told = true},
       kExitRetry},
      {"the coordinator is away", {.status = away}, kExitUnavailable},
      {"told, with wrong data", {.status = absl::DataLossError("damaged"), .told = true}, kExitData},
      {"told, and another run is there",
       {.status = absl::FailedPreconditionError("another"), .told = true},
       kExitData},
      {"told, and its disk is full",
       {.status = absl::ResourceExhaustedError("full"), .told = true},
       kExitRetry},
      {"its ranks are gone", {.status = absl::AbortedError("gone")}, kExitRetry},
  };
  for (const auto& c : cases) EXPECT_EQ(ExitCodeFor(EndingOf(c.end)), c.code) << c.what;
}

TEST(Ending, AMemberThatWasToldToLeaveNeedsNoCoordinator) {
  EXPECT_TRUE(EndingOfMember(absl::UnavailableError("away"), /*told=*/true).ok());
  EXPECT_TRUE(EndingOfMember(absl::OkStatus(), /*told=*/false).ok());
  EXPECT_TRUE(absl::IsUnavailable(EndingOfMember(absl::UnavailableError("away"), /*told=*/false)));
  EXPECT_TRUE(absl::IsDataLoss(EndingOfMember(absl::DataLossError("a scorer changed"), /*told=*/true)));
}

}  // namespace
}  // namespace lvrpo
