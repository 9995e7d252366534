#include "cli/local/run_monitor.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/temporary_folder.h"

namespace lvrpo {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class SetClock : public Clock {
 public:
  absl::Time Now() override { return now; }
  absl::Time now = absl::FromUnixSeconds(1000000000);
};

class Monitor : public ::testing::Test {
 protected:
  Monitor() {
    folder_.path = run_.path();
    folder_.config.config.mutable_train()->set_groups_per_step(4);
    folder_.config.config.mutable_rollout()->set_group_size(8);
  }

  static v1::GetStatusResponse At(int64_t step, double idle = 0) {
    v1::GetStatusResponse status;
    status.set_step(step);
    status.set_total_steps(100);
    status.set_seconds_since_progress(idle);
    return status;
  }
  // What is printed of a run that is at `step` after so many more seconds.
  std::string Shown(int64_t step, int seconds) {
    clock_.now += absl::Seconds(seconds);
    ::testing::internal::CaptureStderr();
    monitor_.ShowProgress(At(step));
    return ::testing::internal::GetCapturedStderr();
  }
  std::string Said(const absl::StatusOr<v1::GetStatusResponse>& status, int seconds) {
    clock_.now += absl::Seconds(seconds);
    ::testing::internal::CaptureStderr();
    monitor_.WatchForStall(status);
    return ::testing::internal::GetCapturedStderr();
  }

  const TemporaryFolder run_;
  RunFolder folder_;
  SetClock clock_;
  ProgressPrinter printer_;
  Supervisor supervisor_{folder_, [](const std::string&) {}};
  RunMonitor monitor_{folder_, supervisor_, printer_, clock_};
};

TEST_F(Monitor, KnowsTheTimeLeftAndTheSpeedOnceAStepWasTaken) {
  EXPECT_EQ(Shown(0, 0), "step 0/100\n");
  EXPECT_EQ(Shown(10, 20), "step 10/100  3 min 00 s left  16 samples/s\n");
  EXPECT_EQ(Shown(100, 180), "step 100/100  16 samples/s\n");
}

TEST_F(Monitor, CountsTheStepsOfThisSessionOnly) {
  EXPECT_EQ(Shown(60, 0), "step 60/100\n");  // resumed
  EXPECT_EQ(Shown(70, 20), "step 70/100  60 s left  16 samples/s\n");
}

TEST_F(Monitor, AfterGoingBackToACheckpointThereIsMoreToDo) {
  Shown(0, 0);
  EXPECT_THAT(Shown(40, 40), HasSubstr("60 s left"));
  EXPECT_THAT(Shown(20, 1), HasSubstr("80 s left"));
  EXPECT_THAT(Shown(30, 10), HasSubstr("70 s left"));
}

TEST_F(Monitor, SpeaksOfAStallOnceAndOfASilentCoordinator) {
  monitor_.Begin();
  EXPECT_EQ(Said(At(3, 1), 1), "");
  v1::GetStatusResponse stalled = At(3, 20);
  stalled.set_waiting_for("rollout-0");
  EXPECT_EQ(Said(stalled, 19), "no step for 20 s: waiting for rollout-0\n");
  EXPECT_EQ(Said(stalled, 1), "");
  EXPECT_THAT(Said(absl::UnavailableError("refused"), 60),
              AllOf(HasSubstr("no step for 81 s"), HasSubstr("the coordinator, which does not answer"),
                    Not(HasSubstr("refused"))));
  EXPECT_EQ(Said(At(4), 1), "");
}

}  // namespace
}  // namespace lvrpo
