#include "cli/status_command.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/run_status.h"
#include "tests/testing/temporary_folder.h"

namespace lvrpo {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(StatusCommand, TellsOfRunningRuns) {
  v1::GetStatusResponse status = Status(3, 2, {{"zero_variance", 4}});
  status.set_run_id("r");
  status.set_run_epoch(2);
  (*status.mutable_groups_by_state())["leased"] = 5;
  (*status.mutable_recent_reward_means())["reward"] = .5;
  v1::Member& member = *status.add_members();
  member.set_member_id("reward-0");
  member.set_role(v1::ROLE_REWARD_SERVER);
  const nlohmann::json json = RunningStatus(status, 125);
  EXPECT_EQ(json["state"], "running");
  EXPECT_EQ(json["step"], 3);
  EXPECT_EQ(json["seconds_left"], 125);
  EXPECT_EQ(json["members"][0]["role"], "reward server");
  EXPECT_EQ(json["groups_retired_by_reason"]["zero_variance"], 4);
  EXPECT_THAT(FormatStatus(json),
              AllOf(HasSubstr("run r, epoch 2: running  step 3/10  2 min 05 s left  waiting for rollout-0"),
                    HasSubstr("leased 5"), HasSubstr("retired 4 (zero_variance: all rewards"),
                    HasSubstr("reward-0")));
  EXPECT_THAT(FormatStatus(RunningStatus(status, std::nullopt)), Not(HasSubstr(" left")));
  status.set_finished(true);
  EXPECT_EQ(RunningStatus(status, 125)["seconds_left"], nullptr);
  EXPECT_EQ(RunningStatus(status, 125)["state"], "finished");
}

TEST(StatusCommand, TellsOfStoppedRunsFromTheirRecords) {
  const nlohmann::json records = {{"steps", 4},
                                  {"total_steps", 10},
                                  {"run_epochs", 3},
                                  {"trained", false},
                                  {"groups_consumed", 32},
                                  {"groups_retired_by_reason", {{"stale", 1}}},
                                  {"weights_digest", "0123456789abcdef"},
                                  {"checkpoint", "checkpoints/step_000004"},
                                  {"events", {{{"unix_seconds", 1}, {"kind", "drain"}, {"text", "signal"}}}}};
  EXPECT_THAT(FormatStatus(StoppedStatus("/runs/a", records)),
              AllOf(HasSubstr("run a, epoch 3: stopped  step 4/10"), HasSubstr("checkpoints/step_000004"),
                    HasSubstr("consumed 32"), HasSubstr("retired 1 (stale)"),
                    HasSubstr("last event: drain signal"), Not(HasSubstr("member "))));
  nlohmann::json finished = records;
  finished["trained"] = true;
  EXPECT_EQ(StoppedStatus("/runs/a", finished)["state"], "finished");
  EXPECT_EQ(StoppedStatus("/runs/a", nlohmann::json::object())["step"], 0);
}

TEST(StatusCommand, ReadsWhenStepsWereTaken) {
  const std::vector<StepTime> times = StepTimes({{{"step", 0}, {"unix_seconds", 100}},
                                                 {{"step", "x"}, {"unix_seconds", 100}},
                                                 nlohmann::json::array(),
                                                 {{"step", 1}, {"unix_seconds", 102.5}}});
  ASSERT_EQ(times.size(), 2u);
  EXPECT_EQ(times[1].steps, 2);
  EXPECT_EQ(times[1].seconds, 102.5);
}

TEST(StatusCommand, FindsTheCoordinatorOrSaysWhyNot) {
  const TemporaryFolder run;
  const auto written = [&run](const std::string& text) {
    run.Write("coordinator.json", text);
    return CoordinatorAddress(run.path(), "");
  };
  EXPECT_EQ(*CoordinatorAddress("", "host:1"), "host:1");
  const absl::Status missing = CoordinatorAddress(run.path(), "").status();
  EXPECT_TRUE(absl::IsNotFound(missing));
  EXPECT_THAT(std::string(missing.message()), AllOf(HasSubstr(run.path()), HasSubstr("was it started?")));
  EXPECT_EQ(*written(R"({"address":"127.0.0.1:4000","pid":7})"), "127.0.0.1:4000");
  EXPECT_EQ(*CoordinatorAddress(run.path(), "host:1"), "host:1");
  for (const char* damaged :
       {"", "{", "[]", "7", R"({"pid":7})", R"({"address":7})", R"({"address":null})"}) {
    const absl::Status status = written(damaged).status();
    EXPECT_TRUE(absl::IsDataLoss(status)) << damaged;
    EXPECT_THAT(std::string(status.message()), HasSubstr("coordinator.json is damaged"));
  }
}

TEST(StatusCommand, OfAFolderWithoutARunSaysSo) {
  const TemporaryFolder folder;
  const absl::Status status = ShowStatus(folder.path(), "", /*json=*/true);
  EXPECT_TRUE(absl::IsNotFound(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr("is it a run folder"));
}

TEST(StatusCommand, TellsOfEveryMemberAndOfDraining) {
  v1::GetStatusResponse status = Status(0, 75, {});
  status.set_draining(true);
  status.mutable_current_version()->set_digest("0123456789abcdef");
  for (const auto& [id, role] :
       {std::pair("learner-0", v1::ROLE_LEARNER), {"r\xc3\xa9", v1::ROLE_ROLLOUT_WORKER}}) {
    v1::Member& member = *status.add_members();
    member.set_member_id(id);
    member.set_role(role);
    member.set_state("ready");
    member.set_load(3.6);
    member.set_seconds_since_heartbeat(1.25);
    member.set_address("10.0.0.1:99");
  }
  const nlohmann::json json = RunningStatus(status, std::nullopt);
  EXPECT_EQ(json["state"], "draining");
  EXPECT_EQ(json["seconds_left"], nullptr);
  const std::string text = FormatStatus(json);
  EXPECT_THAT(text, AllOf(HasSubstr("draining  step 0/10"), HasSubstr("version 0 (0123456789ab)"),
                          HasSubstr("last progress 75 s ago"), HasSubstr("learner-0      learner "),
                          HasSubstr("r\xc3\xa9"), HasSubstr("1.2 s ago"), HasSubstr("10.0.0.1:99")));
  // A finished run that drains has finished.
  status.set_finished(true);
  EXPECT_EQ(RunningStatus(status, std::nullopt)["state"], "finished");
}

TEST(StatusCommand, TellsWhoRunsAnotherVersion) {
  v1::GetStatusResponse status = Status(0, 75, {});
  status.mutable_build()->set_version("0.2.0");
  status.set_blocked_on("no_learner");
  for (const auto& [id, version, commit] :
       {std::tuple("reward-0", "0.2.0", ""), {"rollout-0", "0.1.0", "1a2b"}}) {
    v1::Member& member = *status.add_members();
    member.set_member_id(id);
    member.mutable_build()->set_version(version);
    member.mutable_build()->set_commit(commit);
  }
  const nlohmann::json json = RunningStatus(status, std::nullopt);
  EXPECT_EQ(json["blocked_on"], "no_learner");
  const std::string text = FormatStatus(json);
  EXPECT_THAT(text, HasSubstr("rollout-0 runs version 0.1.0 (1a2b), and the coordinator 0.2.0\n"));
  EXPECT_THAT(text, ::testing::Not(HasSubstr("reward-0 runs")));
}

}  // namespace
}  // namespace lvrpo
