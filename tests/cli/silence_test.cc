#include "cli/local/silence.h"

#include "gtest/gtest.h"

namespace lvrpo {
namespace {

absl::Time At(double seconds) { return absl::FromUnixSeconds(1000000000) + absl::Seconds(seconds); }

// What one look finds.
struct Seen {
  enum What { kHeard, kMissing, kNoAnswer, kOtherError } what = kHeard;
  int64_t run_epoch = 1;
  double old = 0;  // kHeard: seconds since the newest heartbeat
};

absl::StatusOr<v1::GetStatusResponse> Answer(const Seen& seen) {
  if (seen.what == Seen::kNoAnswer) return absl::UnavailableError("it does not answer");
  if (seen.what == Seen::kOtherError) return absl::InternalError("it answers");
  v1::GetStatusResponse status;
  status.set_run_epoch(seen.run_epoch);
  if (seen.what == Seen::kMissing) return status;
  v1::Member& member = *status.add_members();
  member.set_member_id("learner-1");
  member.set_seconds_since_heartbeat(seen.old);
  return status;
}

// One look a second from `first` on, `count` times the same.
void Look(SilenceWatch& watch, double first, int count, const Seen& seen) {
  for (int i = 0; i < count; ++i) watch.Look(Answer(seen), At(first + i), At(first + i));
}

// Of a process that started at 0, with a limit of 60 s.
TEST(Silence, IsTooLongOrNot) {
  constexpr Seen kHere = {}, kGone = {.what = Seen::kMissing}, kSilent = {.what = Seen::kNoAnswer},
                 kError = {.what = Seen::kOtherError};
  struct Span {
    double first;
    int count;
    Seen seen;
  };
  struct {
    const char* what;
    std::vector<Span> looks;
    double member, coordinator;  // seconds of silence that are too long; 0: none
  } cases[] = {
      {"nobody has looked", {}, 0, 0},
      {"it works", {{1, 300, kHere}}, 0, 0},
      {"it loads, for as long as it takes", {{1, 300, kGone}}, 0, 0},
      {"an older process of its name was heard", {{1, 1, {.old = 2}}, {2, 300, kGone}}, 0, 0},
      {"it is missing, not for long enough", {{1, 10, kHere}, {11, 59, kGone}}, 0, 0},
      {"it is missing for as long as allowed", {{1, 10, kHere}, {11, 60, kGone}}, 60, 0},
      {"it is listed and silent", {{1, 60, kHere}, {61, 20, {.old = 59}}, {81, 1, {.old = 60}}}, 60, 0},
      {"it comes back", {{1, 10, kHere}, {11, 100, kGone}, {111, 1, kHere}}, 0, 0},
      {"the coordinator does not answer either, not for long enough",
       {{1, 10, kHere}, {11, 29, kSilent}},
       0,
       0},
      {"or for as long as allowed", {{1, 10, kHere}, {11, 30, kSilent}}, 0, 30},
      {"it loads, for as long as it takes: the coordinator", {{1, 300, kSilent}}, 0, 0},
      {"the coordinator answers with an error", {{1, 10, kHere}, {11, 300, kError}}, 0, 0},
      {"after such a gap members have time to join again",
       {{1, 10, kHere}, {11, 100, kSilent}, {111, 59, kGone}},
       0,
       0},
      {"but not for ever", {{1, 10, kHere}, {11, 100, kSilent}, {111, 60, kGone}}, 60, 0},
      {"and so after a restart of the coordinator between two looks",
       {{1, 10, kHere}, {11, 50, kGone}, {61, 60, {.what = Seen::kMissing, .run_epoch = 2}}},
       0,
       0},
      {"lvrpo run was stopped meanwhile, and nobody looked", {{1, 10, kHere}, {1000, 59, kGone}}, 0, 0},
      {"while the coordinator was away", {{1, 10, kHere}, {1000, 29, kSilent}}, 0, 0},
  };
  for (const auto& c : cases) {
    SilenceWatch watch(absl::Seconds(60)), patient(absl::ZeroDuration());
    for (const Span& span : c.looks) {
      Look(watch, span.first, span.count, span.seen);
      Look(patient, span.first, span.count, span.seen);
    }
    const auto seconds = [&](const char* role) {
      return absl::ToDoubleSeconds(watch.TooLong(role, At(0)).value_or(absl::ZeroDuration()));
    };
    EXPECT_EQ(seconds("learner-1"), c.member) << c.what;
    EXPECT_EQ(seconds(kCoordinatorRole), c.coordinator) << c.what;
    EXPECT_EQ(patient.TooLong("learner-1", At(0)), std::nullopt) << c.what;
    EXPECT_EQ(patient.TooLong(kCoordinatorRole, At(0)), std::nullopt) << c.what;
  }
}

TEST(Silence, AnAnswerThatComesLateIsAsOldAsItsQuestion) {
  SilenceWatch watch(absl::Seconds(60));
  watch.Look(Answer({}), At(10), At(12));
  EXPECT_EQ(watch.TooLong("learner-1", At(11)), std::nullopt);  // may be of the process before
  Look(watch, 13, 60, {.what = Seen::kMissing});
  EXPECT_EQ(watch.TooLong("learner-1", At(11)), std::nullopt);
  EXPECT_EQ(watch.TooLong("learner-1", At(9)), absl::Seconds(60));
}

}  // namespace
}  // namespace lvrpo
