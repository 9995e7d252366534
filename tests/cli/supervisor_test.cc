#include "cli/local/supervisor.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <set>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/clock.h"
#include "common/exit_code.h"
#include "common/files/file.h"
#include "common/files/filesystem.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/testing/temporary_folder.h"

namespace lvrpo {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

constexpr char kPublish[] = R"(echo '{"address":"host:1"}' > RUN/new && mv RUN/new RUN/coordinator.json)";
constexpr char kStay[] = "exec sleep 1000";

// A supervisor whose roles are shell scripts. Each tells of its start, "learner-0 --config ...", through a
// named pipe, so that tests wait for events and not for time.
class Scripted : public ::testing::Test {
 protected:
  Scripted() {
    EXPECT_TRUE(MakeFolder(here_ / "run/logs").ok());
    folder_.path = here_ / "run";
    v1::LocalConfig& local = *folder_.config.config.mutable_local();
    local.set_reward_servers(1);
    local.set_rollout_workers(2);
    local.set_max_restarts(1);
    EXPECT_EQ(mkfifo((here_ / "events").c_str(), 0600), 0);
    events_ = open((here_ / "events").c_str(), O_RDWR | O_CLOEXEC);
    Role("coordinator", absl::StrCat(kPublish, "\n", kStay));
    for (const char* role : {"learner", "reward-server", "rollout-worker"}) Role(role, kStay);
  }
  ~Scripted() override {
    if (supervisor_.has_value()) supervisor_->Stop(absl::Seconds(20));
    close(events_);
  }

  // What a role does when it runs. RUN: the run's folder; ONCE: where only the first start goes on.
  void Role(const std::string& name, const std::string& script) const {
    const std::string path =
        here_.Write("bin/lvrpo-" + name,
                    absl::StrReplaceAll(
                        absl::StrCat("#!/bin/sh\necho ", name, " \"$@\" > HERE/events\n", script, "\n"),
                        {{"RUN", folder_.path},
                         {"HERE", here_.path()},
                         {"ONCE", absl::StrCat("mkdir ", here_.path(), "/once-", name, " 2>/dev/null")}}));
    EXPECT_EQ(chmod(path.c_str(), 0755), 0);
  }
  Supervisor& New() {
    supervisor_.emplace(
        folder_, [this](const std::string& line) { said_.push_back(line); }, here_ / "bin");
    return *supervisor_;
  }
  absl::Status Start() {
    return New().Start([] { return false; });
  }
  // The next start of a role.
  std::string Event() {
    while (true) {
      if (const size_t end = heard_.find('\n'); end != std::string::npos) {
        const std::string line = heard_.substr(0, end);
        heard_.erase(0, end + 1);
        return line;
      }
      pollfd wait = {.fd = events_, .events = POLLIN, .revents = 0};
      if (poll(&wait, 1, 20000) <= 0) return "no event";
      char buffer[4096];
      const ssize_t got = read(events_, buffer, sizeof(buffer));
      heard_.append(buffer, static_cast<size_t>(std::max<ssize_t>(got, 0)));
    }
  }
  std::set<std::string> Events(int count) {
    std::set<std::string> events;
    for (int i = 0; i < count; ++i) events.insert(Event());
    return events;
  }
  // Tends until something is said or goes wrong.
  absl::Status TendUntilSaid(bool ending = false) {
    const size_t before = said_.size();
    const absl::Time end = RealClock().Now() + absl::Seconds(20);
    while (said_.size() == before && RealClock().Now() < end) {
      if (absl::Status status = supervisor_->Tend(ending, !ending); !status.ok()) return status;
      std::this_thread::yield();
    }
    return absl::OkStatus();
  }
  pid_t PidOf(const std::string& role) const {
    return nlohmann::json::parse(*ReadFile(folder_.Inside("processes.json")))[role].get<pid_t>();
  }

  const TemporaryFolder here_;
  RunFolder folder_;
  std::optional<Supervisor> supervisor_;
  std::vector<std::string> said_;
  int events_ = -1;
  std::string heard_;
};

TEST_F(Scripted, EveryRoleStartsWithTheRunsConfigurationAndCoordinator) {
  ASSERT_TRUE(Start().ok());
  EXPECT_EQ(supervisor_->coordinator(), "host:1");
  const std::string config = " --config " + folder_.path + "/config.yaml";
  EXPECT_EQ(Event(), "coordinator" + config + " --run-dir " + folder_.path);
  const std::string join = config + " --coordinator host:1 --member-id ";
  EXPECT_EQ(Events(4),
            (std::set<std::string>{"learner" + join + "learner-0 --run-dir " + folder_.path,
                                   "reward-server" + join + "reward-0", "rollout-worker" + join + "rollout-0",
                                   "rollout-worker" + join + "rollout-1"}));
  EXPECT_THAT(said_, IsEmpty());
  std::set<pid_t> pids;
  for (const char* role : {"coordinator", "learner-0", "reward-0", "rollout-0", "rollout-1"})
    pids.insert(PidOf(role));
  EXPECT_THAT(pids, SizeIs(5));
}

TEST_F(Scripted, AnAddressOfAnEarlierSessionIsNotBelieved) {
  ASSERT_TRUE(WriteFileAtomic(folder_.Inside("coordinator.json"), R"({"address":"old:1"})").ok());
  ASSERT_TRUE(Start().ok());
  EXPECT_EQ(supervisor_->coordinator(), "host:1");
}

TEST_F(Scripted, ACoordinatorThatDiesAtOnceIsStartedAgain) {
  Role("coordinator", absl::StrCat("if ONCE; then exit 75; fi\n", kPublish, "\n", kStay));
  ASSERT_TRUE(Start().ok());
  EXPECT_THAT(said_, ElementsAre(AllOf(HasSubstr("coordinator ended with exit code 75"),
                                       HasSubstr("restart 1 of at most 1"))));
}

TEST_F(Scripted, ACoordinatorWhoseConfigurationIsBadEndsTheRunWithItsWords) {
  Role("coordinator", "echo 'lvrpo-coordinator: seed: no number'; exit 64");
  const absl::Status status = Start();
  EXPECT_TRUE(absl::IsFailedPrecondition(status));
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("exit code 64"), HasSubstr("seed: no number"),
                    HasSubstr("logs/coordinator.log"), Not(HasSubstr("used up"))));
  EXPECT_EQ(supervisor_->ended_code(), kExitConfig);
}

TEST_F(Scripted, ADamagedAddressIsAnError) {
  for (const char* text : {"{", "[]", "{\"address\":7}"}) {
    Role("coordinator",
         absl::StrCat("echo '", text, "' > RUN/new; mv RUN/new RUN/coordinator.json\n", kStay));
    const absl::Status status = Start();
    EXPECT_TRUE(absl::IsDataLoss(status)) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr("coordinator.json is damaged"));
    supervisor_->Stop(absl::Seconds(20));
  }
}

TEST_F(Scripted, StartingCanBeGivenUp) {
  Role("coordinator", kStay);
  EXPECT_TRUE(absl::IsCancelled(New().Start([this] { return Event() != ""; })));
}

TEST_F(Scripted, AProgramThatIsMissingIsNamed) {
  ASSERT_TRUE(RemoveFile(here_ / "bin/lvrpo-learner").ok());
  const absl::Status status = Start();
  EXPECT_TRUE(absl::IsNotFound(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr("bin/lvrpo-learner"));
}

TEST_F(Scripted, ARoleThatIsKilledComesBackOnce) {
  Role("learner", absl::StrCat("if ONCE; then kill -9 $$; fi\n", kStay));
  ASSERT_TRUE(Start().ok());
  Events(5);
  ASSERT_TRUE(TendUntilSaid().ok());
  EXPECT_THAT(
      said_,
      ElementsAre(HasSubstr("learner-0 was killed by signal 9; starting it again (restart 1 of at most 1)")));
  EXPECT_THAT(Event(), HasSubstr("--member-id learner-0"));
  ASSERT_EQ(kill(PidOf("learner-0"), SIGKILL), 0);
  const absl::Status status = TendUntilSaid();
  EXPECT_THAT(std::string(status.message()), HasSubstr("restarts are used up"));
  EXPECT_EQ(supervisor_->ended_code(), 128 + SIGKILL);
}

TEST_F(Scripted, RanksOfTheLearnerThatEndTogetherUseUpOneRestart) {
  folder_.config.config.mutable_local()->set_learner_ranks(2);
  ASSERT_TRUE(Start().ok());
  EXPECT_THAT(Events(6),
              Contains(AllOf(HasSubstr("--member-id learner-1"), HasSubstr("--rank 1 --ranks 2"))));
  for (const char* rank : {"learner-0", "learner-1"}) ASSERT_EQ(kill(PidOf(rank), SIGKILL), 0);
  while (said_.size() < 2) ASSERT_TRUE(TendUntilSaid().ok());
  EXPECT_THAT(said_, Contains(HasSubstr("starting it again (restart 1 of at most 1)")));
  EXPECT_THAT(said_, Contains(HasSubstr("starting it again with the other ranks")));
  EXPECT_THAT(Events(2), Contains(HasSubstr("--member-id learner-0")));
}

TEST_F(Scripted, ARoleThatHangsIsKilledAndComesBack) {
  folder_.config.config.mutable_local()->set_silent_seconds(60);
  ASSERT_TRUE(Start().ok());
  Events(5);
  v1::GetStatusResponse status;
  for (const char* member : {"learner-0", "reward-0", "rollout-0", "rollout-1"})
    status.add_members()->set_member_id(member);
  absl::Time now = RealClock().Now();
  supervisor_->Hear(status, now, now);
  ASSERT_EQ(kill(PidOf("learner-0"), SIGSTOP), 0);
  status.mutable_members()->DeleteSubrange(0, 1);
  for (int i = 0; i < 12; ++i) {
    ASSERT_TRUE(supervisor_->Tend(/*ending=*/false, /*goes_on=*/true).ok());
    EXPECT_THAT(said_, IsEmpty());
    now += absl::Seconds(5);
    supervisor_->Hear(status, now, now);
  }
  EXPECT_TRUE(supervisor_->Tend(/*ending=*/true, /*goes_on=*/false).ok());  // it would be left alone
  ASSERT_TRUE(TendUntilSaid().ok());
  EXPECT_THAT(said_, ElementsAre("learner-0 was killed: the coordinator had heard nothing from it for 60 s; "
                                 "starting it again (restart 1 of at most 1)"));
  EXPECT_THAT(Event(), HasSubstr("--member-id learner-0"));
  ASSERT_TRUE(supervisor_->Tend(/*ending=*/false, /*goes_on=*/true).ok());  // the new one loads
  EXPECT_THAT(said_, SizeIs(1));
}

// Code 0 may be that of a run that ends, of which the supervisor hears a moment later: after each start.
TEST_F(Scripted, ARoleThatLeavesIsGivenAMomentEachTime) {
  Role("learner", "exit 0");
  ASSERT_TRUE(Start().ok());
  Events(5);
  const auto tend_after_its_end = [this] {
    siginfo_t info;
    EXPECT_EQ(waitid(P_PID, static_cast<id_t>(PidOf("learner-0")), &info, WEXITED | WNOWAIT), 0);
    return supervisor_->Tend(/*ending=*/false, /*goes_on=*/true);
  };
  EXPECT_TRUE(tend_after_its_end().ok());
  EXPECT_THAT(said_, IsEmpty());
  EXPECT_TRUE(supervisor_->Tend(/*ending=*/false, /*goes_on=*/true).ok());
  EXPECT_THAT(said_, ElementsAre(HasSubstr("learner-0 ended with exit code 0")));
  EXPECT_THAT(Event(), HasSubstr("--member-id learner-0"));
  EXPECT_TRUE(tend_after_its_end().ok());
  EXPECT_THAT(std::string(supervisor_->Tend(/*ending=*/false, /*goes_on=*/true).message()),
              HasSubstr("restarts are used up"));
}

TEST_F(Scripted, ACoordinatorThatComesBackHasItsOldAddress) {
  ASSERT_TRUE(Start().ok());
  Events(5);
  ASSERT_EQ(kill(PidOf("coordinator"), SIGKILL), 0);
  ASSERT_TRUE(TendUntilSaid().ok());
  EXPECT_THAT(Event(), AllOf(HasSubstr("coordinator "), HasSubstr(" --listen host:1")));
}

TEST_F(Scripted, DivergenceEndsTheRun) {
  Role("learner", "echo 'lvrpo-learner: the loss is not finite'; exit 76");
  ASSERT_TRUE(Start().ok());
  const absl::Status status = TendUntilSaid();
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("learner-0 ended with exit code 76"), HasSubstr("the loss is not finite")));
  EXPECT_EQ(supervisor_->ended_code(), kExitDiverged);
  EXPECT_THAT(said_, IsEmpty());
}

TEST_F(Scripted, AtTheEndNothingIsStartedAgain) {
  Role("learner", "exit 70");
  ASSERT_TRUE(Start().ok());
  Events(5);
  EXPECT_FALSE(supervisor_->AllEnded());
  ASSERT_TRUE(TendUntilSaid(/*ending=*/true).ok());
  EXPECT_THAT(said_, ElementsAre("learner-0 ended with exit code 70"));
  supervisor_->Stop(absl::Seconds(20));
  EXPECT_TRUE(supervisor_->AllEnded());
  EXPECT_THAT(said_, SizeIs(1));
}

TEST_F(Scripted, MembersLeaveAndTheCoordinatorStays) {
  ASSERT_TRUE(Start().ok());
  Events(5);
  supervisor_->TellMembersToLeave();
  while (said_.size() < 4) ASSERT_TRUE(TendUntilSaid(/*ending=*/true).ok());
  EXPECT_THAT(said_, AllOf(SizeIs(4), Contains("rollout-1 was killed by signal 15"),
                           Not(Contains(HasSubstr("coordinator")))));
  EXPECT_FALSE(supervisor_->AllEnded());
}

TEST_F(Scripted, OneThatDoesNotLeaveIsKilled) {
  Role("reward-server", "trap '' TERM; echo stubborn > HERE/events\nexec sleep 1000");
  ASSERT_TRUE(Start().ok());
  Events(6);
  supervisor_->Stop(absl::ZeroDuration());
  EXPECT_THAT(said_, Contains("reward-0 did not leave in time and is killed"));
  EXPECT_TRUE(supervisor_->AllEnded());
}

TEST_F(Scripted, ComplaintsAreTheNewestOfThisSession) {
  const std::string log = folder_.Inside("logs/learner-0.log");
  const auto append = [&log](const std::string& text) { EXPECT_TRUE(AppendToFile(log, text).ok()); };
  append("13:14:15.926 error [learner-0] of yesterday\n");
  ASSERT_TRUE(Start().ok());
  EXPECT_THAT(supervisor_->Complaints(), IsEmpty());
  append("13:14:15.926 warning [learner-0] caf\xe9\n13:14:15.926 info  [learner-0] fine\n13:14:15.926 err");
  EXPECT_THAT(supervisor_->Complaints(), ElementsAre("learner-0: caf\xef\xbf\xbd"));
  supervisor_->MarkLogs();
  EXPECT_THAT(supervisor_->Complaints(), IsEmpty());
}

TEST_F(Scripted, ARunWhoseFolderIsRemovedEnds) {
  ASSERT_TRUE(Start().ok());
  Events(5);
  ASSERT_TRUE(RemoveTree(folder_.path).ok());
  const absl::Status status = supervisor_->Tend(/*ending=*/false, /*goes_on=*/true);
  EXPECT_TRUE(absl::IsNotFound(status));
  EXPECT_EQ(supervisor_->ended_code(), kExitData);
}

}  // namespace
}  // namespace lvrpo
