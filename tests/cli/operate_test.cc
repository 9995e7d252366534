// Operator's view of a run: restarts, stalls, log lines, status, completion.
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "cli/completion.h"
#include "cli/local/disk.h"
#include "cli/local/log_lines.h"
#include "cli/local/process.h"
#include "cli/local/restarts.h"
#include "cli/local/run_folder.h"
#include "cli/local/stall.h"
#include "cli/status_command.h"
#include "common/exit_code.h"
#include "common/files/file.h"
#include "common/files/filesystem.h"
#include "common/flags/flag_checks.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace lvrpo {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

TEST(Restarts, WaitLongerEachTimeAndEnd) {
  Restarts restarts(10);
  std::vector<double> waits;
  for (int i = 0; i < 8; ++i)
    waits.push_back(absl::ToDoubleSeconds(*restarts.Next("learner", absl::Seconds(1))));
  EXPECT_THAT(waits, ElementsAre(0, 1, 2, 4, 8, 16, 30, 30));
  EXPECT_EQ(restarts.Next("reward-0", absl::Seconds(1)), absl::ZeroDuration());  // each role for itself
  EXPECT_EQ(restarts.Next("learner", absl::Minutes(2)), absl::ZeroDuration());   // it had settled
  EXPECT_EQ(restarts.Next("rollout-0", absl::Hours(1)), std::nullopt);           // ten in all
  EXPECT_EQ(restarts.used(), 10);
  EXPECT_EQ(Restarts(0).Next("learner", absl::Hours(1)), std::nullopt);
}

TEST(LogLines, AreReadInEveryForm) {
  struct Case {
    const char* line;
    const char* message;
    bool complaint;
  };
  for (const Case& c : std::initializer_list<Case>{
           {"13:14:15.926 warning [reward-0] scorer 'x' answered 401", "scorer 'x' answered 401", true},
           {"13:14:15.926 error [learner-0] cannot write a: [b] c", "cannot write a: [b] c", true},
           {"13:14:15.926 info  [learner-0] step 3", "step 3", false},
           {R"({"level":"error","member":"l","msg":"no memory left","ts":1.5})", "no memory left", true},
           {R"({"level":"info","member":"l","msg":"fine","ts":1.5})", "fine", false},
           {"lvrpo-learner: the disk is full", "the disk is full", true},
           {"terminate called", "terminate called", false},
           {"{broken", "{broken", false},
           {"", "", false},
       }) {
    EXPECT_EQ(MessageOfLine(c.line), c.message);
    EXPECT_EQ(LastComplaint(c.line), c.complaint ? c.message : "");
  }
  EXPECT_EQ(
      LastComplaint("13:14:15.926 error [a] one\n13:14:15.926 warning [a] two\n13:14:15.926 info  [a] x\n"),
      "two");
  EXPECT_EQ(MessageOfLine("\xff"), "\xef\xbf\xbd");
  EXPECT_LT(MessageOfLine(std::string(1 << 20, 'x')).size(), 400u);
}

TEST(Disk, SaysWhyNothingCanBeWritten) {
  const DiskFacts sound = {.free_bytes = int64_t{1} << 30, .files = 100, .free_files = 50};
  EXPECT_EQ(DiskProblem(sound), "");
  EXPECT_EQ(DiskProblem({.free_bytes = 4096, .files = 100, .free_files = 50}), "full");
  EXPECT_EQ(DiskProblem({.free_bytes = int64_t{1} << 30, .files = 100, .free_files = 0}),
            "out of file entries");
  EXPECT_EQ(DiskProblem({.free_bytes = int64_t{1} << 30}), "");  // a file system without such a limit
  EXPECT_EQ(DiskProblem({.free_bytes = int64_t{1} << 30, .read_only = true}), "read-only");
  EXPECT_EQ(DiskProblemOf("/no/such/folder"), "");
}

v1::GetStatusResponse Status(int64_t step, double idle, const std::map<std::string, int64_t>& retired) {
  v1::GetStatusResponse status;
  status.set_step(step);
  status.set_total_steps(10);
  status.set_seconds_since_progress(idle);
  status.set_waiting_for("rollout-0 (ordinal 7)");
  for (const auto& [reason, count] : retired) (*status.mutable_groups_retired_by_reason())[reason] = count;
  return status;
}

TEST(Stall, SpeaksWithinHalfAMinuteAndThenEveryMinute) {
  const absl::Time start = absl::UnixEpoch();
  StallWatch watch(start);
  std::vector<int> spoke;
  for (int second = 0; second <= 200; ++second) {
    if (watch.Look(Status(3, second, {{"zero_variance", 10 + second}}), start + absl::Seconds(second)))
      spoke.push_back(second);
  }
  EXPECT_THAT(spoke, ElementsAre(15, 75, 135, 195));
  EXPECT_EQ(watch.Facts(start + absl::Seconds(200)).retired["zero_variance"], 200);
  // A step resets the count: earlier retirements are not reported again.
  EXPECT_FALSE(watch.Look(Status(4, 0, {{"zero_variance", 300}}), start + absl::Seconds(201)));
  EXPECT_TRUE(watch.moved());
  EXPECT_THAT(watch.Facts(start + absl::Seconds(201)).retired, IsEmpty());
  EXPECT_TRUE(watch.Look(Status(4, 15, {{"zero_variance", 304}}), start + absl::Seconds(216)));
  EXPECT_EQ(watch.Facts(start + absl::Seconds(216)).retired["zero_variance"], 4);
}

TEST(Stall, ANewReasonIsToldSoon) {
  const absl::Time start = absl::UnixEpoch();
  StallWatch watch(start);
  std::vector<int> spoke;
  for (int second = 0; second <= 100; ++second) {  // roles load for 17 s, then groups are retired
    const std::map<std::string, int64_t> retired =
        second < 18   ? std::map<std::string, int64_t>{}
        : second < 40 ? std::map<std::string, int64_t>{{"stale", 1}}
                      : std::map<std::string, int64_t>{{"stale", 2}, {"no_reward", 1}};
    if (watch.Look(Status(0, second, retired), start + absl::Seconds(second))) spoke.push_back(second);
  }
  EXPECT_THAT(spoke, ElementsAre(15, 20, 40, 100));
}

TEST(Stall, SlowRunsAreNoneAndSilentCoordinatorsAre) {
  const absl::Time start = absl::UnixEpoch();
  StallWatch slow(start);
  for (int second = 0; second <= 600; ++second)  // a step takes ten minutes, but groups come
    EXPECT_FALSE(slow.Look(Status(0, second % 14, {}), start + absl::Seconds(second))) << second;
  StallWatch silent(start);
  EXPECT_FALSE(silent.LookAtSilence(start + absl::Seconds(5)));
  EXPECT_TRUE(silent.LookAtSilence(start + absl::Seconds(20)));
  EXPECT_FALSE(silent.LookAtSilence(start + absl::Seconds(79)));
  EXPECT_THAT(FormatStall(silent.Facts(start + absl::Seconds(20))),
              HasSubstr("coordinator, which does not answer"));
}

TEST(Stall, NamesEveryReason) {
  StallFacts facts;
  facts.since_step = absl::Seconds(31);
  EXPECT_EQ(FormatStall(facts), "no step for 31 s");
  facts.waiting_for = "rollout-0 (ordinal 7)";
  facts.retired = {{"zero_variance", 40}, {"my_reason", 1}};
  facts.complaints = {"rollout-0: external scorer 'x' answered 401"};
  facts.disk = "the disk of /runs/a is full";
  EXPECT_EQ(
      FormatStall(facts),
      "no step for 31 s: waiting for rollout-0 (ordinal 7); the disk of /runs/a is full; 1 group was retired "
      "(my_reason); 40 groups were retired (zero_variance: all rewards of a group were equal, so there is "
      "nothing to learn from); rollout-0: external scorer 'x' answered 401");
}

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

class RunFolders : public ::testing::Test {
 protected:
  RunFolders()
      : dir_(std::filesystem::temp_directory_path() / ("lvrpo-folders-" + std::to_string(getpid()))) {
    std::filesystem::remove_all(dir_);
    config_.config.set_name("shapes");
    config_.config.set_out(dir_.string());
  }
  ~RunFolders() override { std::filesystem::remove_all(dir_); }

  const std::filesystem::path dir_;
  LoadedConfig config_;
};

TEST_F(RunFolders, FreshOnesNeverCollide) {
  std::set<std::string> names;
  for (int i = 0; i < 5; ++i) {
    const auto folder = MakeRunFolder(config_, "");
    ASSERT_TRUE(folder.ok()) << folder.status();
    names.insert(folder->run_id);
  }
  EXPECT_EQ(names.size(), 5u);
  ASSERT_TRUE(MakeRunFolder(config_, "mine").ok());
  EXPECT_TRUE(absl::IsAlreadyExists(MakeRunFolder(config_, "mine").status()));
  for (const char* id : {"../x", ".", "..", ".hidden", "a/b", "a b", "\xff"})
    EXPECT_TRUE(absl::IsInvalidArgument(MakeRunFolder(config_, id).status())) << id;
}

TEST_F(RunFolders, GoOnInAFolderWhoseNameIsNotUtf8) {
  const std::string root = *AbsolutePath("."), odd = dir_.string() + "/lat\xe9";
  std::filesystem::create_directories(odd);
  std::filesystem::create_directory_symlink(root + "/assets", odd + "/assets");
  ASSERT_EQ(chdir(odd.c_str()), 0);
  const auto config = LoadRunConfig(root + "/configs/shapes.yaml", {});
  EXPECT_TRUE(config.ok()) << config.status();
  EXPECT_TRUE(config.ok() && MakeRunFolder(*config, "a").ok());
  ASSERT_EQ(chdir("/"), 0);
  const auto opened = OpenRunFolder(odd + "/runs/a");
  EXPECT_TRUE(opened.ok()) << opened.status();
  EXPECT_EQ(*AbsolutePath("."), odd);
  ASSERT_EQ(chdir(root.c_str()), 0);
}

// A program's commands: one with options, one with a subcommand, one forwarded.
nlohmann::json Tree() {
  CLI::App app("test", "lvrpo");
  std::string text;
  int number = 0;
  bool flag = false;
  CLI::App* run = app.add_subcommand("run", "train: 'all' [roles]");
  run->add_option("--config", text, "settings");
  run->add_option("--dtype", text, "of weights")->check(CLI::IsMember({"fp32", "bf16"}));
  run->add_option("-n,--n", number);
  run->add_flag("--json", flag, "as JSON");
  app.add_subcommand("watermark", "marks")->add_subcommand("check", "look")->add_flag("--quiet", flag);
  return FlagTree(app);
}

// The words that bash would offer for a command line whose last word is being typed.
std::string Offered(const std::string& script, const std::vector<std::string>& line) {
  std::string words;
  for (const std::string& word : line) words += " '" + word + "'";
  const absl::StatusOr<std::string> offered =
      Capture({"/bin/bash", "-c",
               script + "\nCOMP_WORDS=(" + words +
                   "); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _lvrpo; "
                   "echo \"${COMPREPLY[*]}\""});
  EXPECT_TRUE(offered.ok()) << offered.status();
  return offered.value_or("");
}

TEST(Completion, BashOffersCommandsOptionsAndValues) {
  const std::string script = BashCompletion(Tree());
  EXPECT_THAT(Offered(script, {"lvrpo", ""}), AllOf(HasSubstr("run"), HasSubstr("watermark")));
  EXPECT_EQ(Offered(script, {"lvrpo", "wa"}), "watermark\n");
  EXPECT_THAT(Offered(script, {"lvrpo", "run", "--"}), AllOf(HasSubstr("--config"), HasSubstr("--n")));
  EXPECT_EQ(Offered(script, {"lvrpo", "run", "--json", "--co"}), "--config\n");
  EXPECT_EQ(Offered(script, {"lvrpo", "run", "--dtype", ""}), "fp32 bf16\n");
  EXPECT_EQ(Offered(script, {"lvrpo", "run", "--dtype", "b"}), "bf16\n");
  EXPECT_EQ(Offered(script, {"lvrpo", "run", "--config", ""}), "\n");  // file names, by `-o default`
  EXPECT_EQ(Offered(script, {"lvrpo", "watermark", "ch"}), "check\n");
  EXPECT_THAT(Offered(script, {"lvrpo", "watermark", "check", "--q"}), HasSubstr("--quiet"));
}

TEST(Completion, ZshDescribesThemAll) {
  const std::string script = ZshCompletion(Tree());
  EXPECT_THAT(script,
              AllOf(HasSubstr("#compdef lvrpo"), HasSubstr(R"('run:train\: '\''all'\'' \[roles\]')"),
                    HasSubstr("'*--dtype[of weights]:value:(fp32 bf16)'"), HasSubstr("'*--json[as JSON]'"),
                    HasSubstr("_lvrpo_watermark_check()"), HasSubstr("'*--quiet[]'")));
}

}  // namespace
}  // namespace lvrpo
