// What /metrics shows of the coordinator's work, as alerts and dashboards read it.

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "tests/coordinator/service_fixture.h"

namespace lvrpo {
namespace {

class ServiceMetricsTest : public StartedServiceTest {
 protected:
  // The value of a series; -1: it is not there.
  double Value(const std::string& series) {
    service_->Tick();
    const std::string page = metrics_.Render(), line = absl::StrCat("\n", series, " ");
    const size_t at = page.find(line);
    double value = -1;
    if (at == std::string::npos) return -1;
    const size_t begin = at + line.size();
    return absl::SimpleAtod(page.substr(begin, page.find('\n', begin) - begin), &value) ? value : -1;
  }
};

TEST_F(ServiceMetricsTest, CountLeasesAndMembersThatWereLost) {
  ASSERT_TRUE(Lease(worker_, 0).has_lease());
  EXPECT_EQ(Value("lvrpo_coordinator_members{role=\"rollout\"}"), 1);
  EXPECT_EQ(Value("lvrpo_coordinator_members_lost_total{role=\"rollout\"}"),
            -1);                 // no role says so at 0 here
  for (int i = 0; i < 3; ++i) {  // the worker is silent, and the others are not
    clock_.Advance(absl::Seconds(4));
    ASSERT_TRUE(Beat(learner_).ok());
  }
  EXPECT_EQ(Value("lvrpo_coordinator_members{role=\"rollout\"}"), 0);
  EXPECT_EQ(Value("lvrpo_coordinator_members_lost_total{role=\"rollout\"}"), 1);
  EXPECT_EQ(Value("lvrpo_coordinator_members_lost_total{role=\"learner\"}"), -1);
  EXPECT_EQ(Value("lvrpo_coordinator_leases_expired_total"), 1);
}

TEST_F(ServiceMetricsTest, ProgressIsATimestamp) {
  const double begin = absl::ToDoubleSeconds(clock_.Now() - absl::UnixEpoch());
  const char progress[] = "lvrpo_coordinator_last_progress_timestamp_seconds";
  EXPECT_EQ(Value(progress), begin);
  clock_.Advance(absl::Seconds(3));
  EXPECT_EQ(Value(progress), begin);
  TakeStep(learner_, worker_, 0);
  EXPECT_EQ(Value(progress), begin + 3);
}

TEST_F(ServiceMetricsTest, TheRecordsSizeAndWritesAreMeasured) {
  EXPECT_GT(Value("lvrpo_coordinator_database_bytes"), 4096);
  const double writes = Value("lvrpo_coordinator_database_write_seconds_count");
  EXPECT_GT(writes, 0);
  TakeStep(learner_, worker_, 0);
  EXPECT_GT(Value("lvrpo_coordinator_database_write_seconds_count"), writes);
  EXPECT_EQ(Value("lvrpo_coordinator_groups_total{outcome=\"accepted\"}"), 1);
  EXPECT_EQ(Value("lvrpo_coordinator_open_groups{state=\"leased\"}"), 0);
}

}  // namespace
}  // namespace lvrpo
