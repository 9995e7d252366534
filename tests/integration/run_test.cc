// The real binaries, end to end, with settings small enough for seconds.

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <map>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "cli/local/process.h"
#include "cli/report/run_summary.h"
#include "common/exit_code.h"
#include "common/files/file.h"
#include "common/files/file_lock.h"
#include "common/files/filesystem.h"
#include "common/telemetry/log_group.h"
#include "data/prompts/prompts.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/testing/fake_s3.h"
#include "tests/testing/temporary_folder.h"

namespace lvrpo {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

const std::string kLvrpo = std::string(LVRPO_BIN_DIR) + "/lvrpo";

struct Outcome {
  int code = -1;
  std::string text;  // both outputs
};

class RunTest : public ::testing::Test {
 protected:
  void TearDown() override {
    if (!HasFailure()) return;
    folder_.Keep();
    std::fprintf(stderr, "what the run wrote is in %s\n", dir_.c_str());
  }

  std::vector<std::string> RunCommand(const std::string& run_id, std::vector<std::string> settings) const {
    std::vector<std::string> command = {kLvrpo, "run", "--config", "configs/shapes.yaml", "--run-id", run_id};
    for (const char* setting : {"train.steps=4", "train.groups_per_step=2", "train.checkpoint_every=2",
                                "rollout.group_size=4", "rollout.timesteps=4", "rollout.window_size=1",
                                "rollout.window_hi=2", "evaluation.prompts_per_kind=1", "evaluation.every=0",
                                "evaluation.timesteps=3", "train.image.warmup_steps=0"}) {
      settings.insert(settings.begin(), setting);
    }
    settings.push_back("out=" + dir_);
    for (const std::string& setting : settings) command.insert(command.end(), {"--set", setting});
    return command;
  }
  Outcome Finish(Process& process, const std::string& log) const {
    Outcome outcome;
    const std::optional<int> code = process.Wait(absl::Minutes(4));
    if (!code.has_value()) process.Signal(SIGKILL);
    outcome.code = code.value_or(-1);
    outcome.text = ReadFile(log).value_or("");
    return outcome;
  }
  Outcome Run(const std::vector<std::string>& command,
              const std::map<std::string, std::string>& environment = {}) const {
    const std::string log = absl::StrCat(dir_, "/output-", ++outputs_);
    auto process = Process::Start({.command = command, .log = log, .environment = environment, .nice = 0});
    EXPECT_TRUE(process.ok()) << process.status();
    return Finish(*process, log);
  }
  // Until `ready`, or the process has ended. Real processes report by files: there is nothing else to wait
  // on.
  static void AwaitReady(Process& process, const std::function<bool()>& ready) {
    const absl::Time deadline = absl::Now() + absl::Minutes(2);
    while (!ready() && !process.Wait(absl::Milliseconds(10)).has_value()) {
      ASSERT_LT(absl::Now(), deadline) << "a process did not get ready";
    }
  }
  // Starts a run, waits until `ready`, disturbs it, and lets it end.
  Outcome RunDisturbed(const std::vector<std::string>& command, const std::function<bool()>& ready,
                       const std::function<void(Process&)>& disturb,
                       const std::map<std::string, std::string>& environment = {}) const {
    const std::string log = absl::StrCat(dir_, "/output-", ++outputs_);
    auto process = Process::Start({.command = command, .log = log, .environment = environment, .nice = 0});
    EXPECT_TRUE(process.ok()) << process.status();
    AwaitReady(*process, ready);
    disturb(*process);
    return Finish(*process, log);
  }
  size_t Steps(const std::string& run_id) const {
    return ReadJsonLines(absl::StrCat(dir_, "/", run_id, "/metrics.jsonl")).size();
  }
  nlohmann::json Json(const std::string& path) const {
    return nlohmann::json::parse(ReadFile(dir_ + "/" + path).value_or(""), nullptr, false);
  }
  // The JSON lines of the run's processes; all of them are.
  std::vector<nlohmann::json> LogLines(const std::string& run_id) const {
    std::vector<nlohmann::json> lines;
    for (const auto& file : std::filesystem::directory_iterator(absl::StrCat(dir_, "/", run_id, "/logs"))) {
      if (file.path().filename() == "evaluate.log") continue;  // a command, no role
      const std::string log = ReadFile(file.path().string()).value_or("");
      for (const absl::string_view line : absl::StrSplit(log, '\n', absl::SkipEmpty())) {
        nlohmann::json fields = nlohmann::json::parse(line.begin(), line.end(), nullptr, false);
        for (const char* field : {"ts", "level", "role", "member", "msg"})
          EXPECT_TRUE(fields.is_object() && fields.contains(field)) << file.path() << ": " << line;
        if (fields.is_object()) lines.push_back(std::move(fields));
      }
    }
    return lines;
  }
  // One group's way through the logs of the four roles: what is said under its trace, by role.
  static std::map<std::string, std::string> Traced(const std::vector<nlohmann::json>& lines,
                                                   const GroupId& group) {
    std::map<std::string, std::string> said;
    for (const nlohmann::json& line : lines) {
      if (line.value("trace", "") != TraceIdOf(group)) continue;
      EXPECT_EQ(line.value("run", ""), group.run) << line;
      EXPECT_EQ(line.value("group", ""), absl::StrCat(group.ordinal, "/", group.attempt)) << line;
      absl::StrAppend(&said[line.value("role", "")], line.value("msg", ""), "\n");
    }
    return said;
  }
  void ExpectSoundRun(const std::string& run_id) const {
    const Outcome audit = Run({kLvrpo, "audit", dir_ + "/" + run_id});
    EXPECT_EQ(audit.code, kExitDone) << audit.text;
  }

  TemporaryFolder folder_;
  const std::string dir_ = folder_.path();
  mutable int outputs_ = 0;
};

TEST_F(RunTest, TrainsAndReports) {
  // A dead proxy in the environment does not affect the roles.
  const Outcome outcome =
      Run(RunCommand("short", {"data.text_fraction=0.5"}), {{"http_proxy", "http://127.0.0.1:9"},
                                                            {"grpc_proxy", "http://127.0.0.1:9"},
                                                            {"LVRPO_LOG", "json"},
                                                            {"LVRPO_LOG_LEVEL", "debug"}});
  ASSERT_EQ(outcome.code, kExitDone) << outcome.text;
  EXPECT_THAT(outcome.text, HasSubstr("held-out score"));
  const nlohmann::json summary = Json("short/summary.json");
  for (const char* field :
       {"run_id", "steps", "heldout_score_before", "heldout_score_after", "heldout_images",
        "reward_means_first_10_steps", "reward_means_last_10_steps", "wall_seconds", "seconds_by_phase",
        "groups_consumed", "groups_retired_by_reason", "resumed", "weights_digest", "by_kind",
        "text_exact_match_before", "text_exact_match_after"}) {
    EXPECT_TRUE(summary.contains(field)) << field;
  }
  EXPECT_EQ(summary.value("steps", 0), 4);
  EXPECT_EQ(summary.value("groups_consumed", 0), 8);
  EXPECT_FALSE(summary.value("resumed", true));
  for (const nlohmann::json& step : ReadJsonLines(dir_ + "/short/metrics.jsonl")) {
    EXPECT_EQ(step.value("ratio_deviation_first_update", 1.0), 0);
    ASSERT_TRUE(step.contains("image_loss") || step.contains("text_loss"));
    if (step.contains("image_loss")) {
      EXPECT_EQ(step.value("sampler_log_prob_difference_same_version", 1.0), 0);
    }
  }
  const std::string report = ReadFile(dir_ + "/short/report.html").value_or("");
  EXPECT_THAT(report, HasSubstr("<svg"));
  EXPECT_THAT(report, HasSubstr("data:image/png;base64,"));
  EXPECT_THAT(report, HasSubstr("instruction"));
  ExpectSoundRun("short");
  const std::vector<nlohmann::json> lines = LogLines("short");
  const auto consumed = std::find_if(lines.begin(), lines.end(), [](const nlohmann::json& line) {
    return absl::StrContains(line.value("msg", ""), " is consumed, step 2");
  });
  ASSERT_NE(consumed, lines.end());
  const auto group = ParseGroupId("short/" + consumed->value("group", ""));
  ASSERT_TRUE(group.has_value()) << *consumed;
  std::map<std::string, std::string> said = Traced(lines, *group);
  EXPECT_THAT(said["coordinator"], AllOf(HasSubstr("is leased"), HasSubstr("is complete"),
                                         HasSubstr("is assigned, step 2"), HasSubstr("is consumed, step 2")));
  EXPECT_THAT(said["rollout"],
              AllOf(HasSubstr("samples ordinal"), HasSubstr("was scored by reward-"), HasSubstr("accepted")));
  EXPECT_THAT(said["reward"], HasSubstr(" samples in "));
  EXPECT_THAT(said["learner"], AllOf(HasSubstr("stored ordinal"), HasSubstr("in step 2")));
  EXPECT_EQ(said.size(), 4u);
  // Its status comes from the records.
  const Outcome status = Run({kLvrpo, "status", dir_ + "/short"});
  EXPECT_EQ(status.code, kExitDone);
  EXPECT_THAT(status.text, HasSubstr("run short, epoch 1: finished  step 4/4"));
  const nlohmann::json json =
      nlohmann::json::parse(Run({kLvrpo, "status", "--json", dir_ + "/short"}).text, nullptr, false);
  EXPECT_EQ(json.value("state", ""), "finished");
  EXPECT_EQ(json.value("step", 0), 4);
  // It cannot be extended.
  const std::string config = ReadFile(dir_ + "/short/config.yaml").value_or("");
  ASSERT_THAT(config, HasSubstr("\n  steps: 4"));
  ASSERT_TRUE(WriteFileAtomic(dir_ + "/short/config.yaml",
                              absl::StrReplaceAll(config, {{"\n  steps: 4", "\n  steps: 6"}}))
                  .ok());
  const Outcome longer = Run({kLvrpo, "run", "--resume", dir_ + "/short"});
  EXPECT_EQ(longer.code, kExitData);
  EXPECT_THAT(longer.text, HasSubstr("is a finished run of 4 steps and cannot be extended"));
  ASSERT_TRUE(WriteFileAtomic(dir_ + "/short/config.yaml", config).ok());
  // On a machine without the folder in which it was started.
  const std::string run_json = ReadFile(dir_ + "/short/run.json").value_or("");
  const std::string here = std::filesystem::current_path().string();
  ASSERT_THAT(run_json, HasSubstr(here));
  ASSERT_TRUE(
      WriteFileAtomic(dir_ + "/short/run.json", absl::StrReplaceAll(run_json, {{here, "/no/such/folder"}}))
          .ok());
  const Outcome homeless = Run({kLvrpo, "run", "--resume", dir_ + "/short"});
  EXPECT_EQ(homeless.code, kExitData);
  EXPECT_THAT(homeless.text, HasSubstr("--working-folder"));
  const Outcome moved = Run({kLvrpo, "run", "--resume", dir_ + "/short", "--working-folder", here});
  EXPECT_EQ(moved.code, kExitDone) << moved.text;
  EXPECT_THAT(ReadFile(dir_ + "/short/run.json").value_or(""), HasSubstr(here));
  // A finished run can be reported again, and not started again.
  EXPECT_EQ(Run({kLvrpo, "report", dir_ + "/short"}).code, kExitDone);
  const Outcome again = Run(RunCommand("short", {}));
  EXPECT_EQ(again.code, kExitData);
  EXPECT_THAT(again.text, HasSubstr("exists"));
  // One `lvrpo run` at a time works in a folder.
  const auto held = FileLock::Take(dir_ + "/short/run.lock", absl::ZeroDuration());
  ASSERT_TRUE(held.ok()) << held.status();
  const Outcome second = Run({kLvrpo, "run", "--resume", dir_ + "/short"});
  EXPECT_EQ(second.code, kExitUnavailable);
  EXPECT_THAT(second.text, HasSubstr("another process holds"));
}

// Roles that are started one by one leave the folder that `lvrpo run` leaves.
TEST_F(RunTest, RolesByHandLeaveTheSameFolder) {
  std::vector<std::string> settings = RunCommand("", {});
  settings.erase(settings.begin(), settings.begin() + 6);
  const auto start = [&](const std::string& role, std::vector<std::string> flags) {
    std::vector<std::string> command = {absl::StrCat(LVRPO_BIN_DIR, "/lvrpo-", role), "--config",
                                        "configs/shapes.yaml"};
    command.insert(command.end(), settings.begin(), settings.end());
    command.insert(command.end(), flags.begin(), flags.end());
    auto process = Process::Start(
        {.command = command, .log = absl::StrCat(dir_, "/", role, ".log"), .environment = {}, .nice = 0});
    EXPECT_TRUE(process.ok()) << process.status();
    return *std::move(process);
  };
  const std::string run = dir_ + "/hand";
  std::map<std::string, Process> roles;
  roles.emplace("coordinator", start("coordinator", {"--run-dir", run}));
  AwaitReady(roles.at("coordinator"), [&] { return Exists(run + "/coordinator.json"); });
  const std::string address = Json("hand/coordinator.json").value("address", "");
  for (const char* role : {"learner", "reward-server", "rollout-worker", "evaluate"}) {
    std::vector<std::string> flags = {"--coordinator", address};
    if (role == std::string("learner") || role == std::string("evaluate"))
      flags.insert(flags.end(), {"--run-dir", run});
    if (role == std::string("evaluate")) flags.push_back("--follow");
    roles.emplace(role, start(role, flags));
  }
  for (auto& [role, process] : roles)
    EXPECT_EQ(Finish(process, absl::StrCat(dir_, "/", role, ".log")).code, kExitDone)
        << role << ": " << ReadFile(absl::StrCat(dir_, "/", role, ".log")).value_or("");
  for (const char* file :
       {"config.yaml", "run.json", "metrics.jsonl", "summary.json", "report.html", "coordinator.sqlite",
        "checkpoints/step_000004/policy.safetensors", "images/before/scores.json", "images/after/scores.json",
        "images/before/rewards.json", "images/after/samples.json"})
    EXPECT_TRUE(Exists(JoinPath(run, file))) << file;
  EXPECT_EQ(Json("hand/summary.json").value("steps", 0), 4);
  EXPECT_GT(Json("hand/summary.json").value("wall_seconds", 0.0), 0);
  EXPECT_THAT(ReadFile(run + "/config.yaml").value_or(""), HasSubstr("# --set"));
  EXPECT_THAT(ReadFile(run + "/report.html").value_or(""), HasSubstr("data:image/png;base64,"));
  ExpectSoundRun("hand");
  const nlohmann::json status =
      nlohmann::json::parse(Run({kLvrpo, "status", "--json", run}).text, nullptr, false);
  EXPECT_EQ(status.value("state", ""), "finished");
  EXPECT_EQ(status.at("heldout").value("step", 0), 4);
}

// Strict on-policy: whatever happens to the processes, the final weights are the same.
TEST_F(RunTest, StrictRunsEndTheSameWhateverHappens) {
  const std::vector<std::string> strict = {"train.max_staleness=0", "coordinator.member_timeout_seconds=2",
                                           "rollout.lease_seconds=5"};
  ASSERT_EQ(Run(RunCommand("whole", strict)).code, kExitDone);
  const std::string digest = Json("whole/summary.json").value("weights_digest", "");
  ASSERT_EQ(digest.size(), 64u);

  // Stopped by a terminal that is closed, and resumed.
  const Outcome stopped = RunDisturbed(
      RunCommand("resumed", strict), [&] { return Steps("resumed") >= 1; },
      [](Process& process) { process.Signal(SIGHUP); });
  EXPECT_EQ(stopped.code, kExitDone) << stopped.text;
  EXPECT_THAT(Run({kLvrpo, "status", dir_ + "/resumed"}).text, HasSubstr("run resumed, epoch 1: stopped"));
  EXPECT_THAT(stopped.text, HasSubstr("--resume"));
  EXPECT_LT(Steps("resumed"), 4u);
  // Resumed over TLS, where it was plain text before.
  ASSERT_EQ(Run({kLvrpo, "certs", "--out", dir_ + "/certs"}).code, kExitDone);
  const Outcome resumed = Run({kLvrpo, "run", "--resume", dir_ + "/resumed", "--tls", dir_ + "/certs"});
  ASSERT_EQ(resumed.code, kExitDone) << resumed.text;
  EXPECT_EQ(Json("resumed/summary.json").value("weights_digest", ""), digest);
  EXPECT_TRUE(Json("resumed/summary.json").value("resumed", false));
  ExpectSoundRun("resumed");

  // The learner is told to leave while the run goes on: it saves, and is restarted.
  const Outcome told = RunDisturbed(
      RunCommand("told", strict), [&] { return Steps("told") >= 1; },
      [&](Process&) { kill(Json("told/processes.json").value("learner-0", 0), SIGTERM); });
  ASSERT_EQ(told.code, kExitDone) << told.text;
  EXPECT_THAT(told.text,
              HasSubstr("learner-0 ended with exit code 75 (stopped by a signal after saving a checkpoint"));
  EXPECT_EQ(Json("told/summary.json").value("weights_digest", ""), digest);
  ExpectSoundRun("told");

  // The learner dies and all checkpoints but the first are damaged: it continues from that one.
  std::vector<std::string> often = strict;
  often.insert(often.end(), {"train.checkpoint_every=1", "checkpoints.kept.last=9"});
  const Outcome repaired = RunDisturbed(
      RunCommand("damaged", often),
      [&] {
        return ReadFile(dir_ + "/damaged/logs/coordinator.log").value_or("").find("step_000002 after") !=
               std::string::npos;
      },
      [&](Process&) {
        const int pid = Json("damaged/processes.json").value("learner-0", 0);
        ASSERT_GT(pid, 0);
        kill(pid, SIGSTOP);
        for (int step = 2; step <= 4; ++step) {
          const std::string weights =
              absl::StrFormat("%s/damaged/checkpoints/step_%06d/policy.safetensors", dir_, step);
          if (std::filesystem::exists(weights)) std::filesystem::resize_file(weights, 1000);
        }
        kill(pid, SIGKILL);
      });
  ASSERT_EQ(repaired.code, kExitDone) << repaired.text;
  EXPECT_THAT(ReadFile(dir_ + "/damaged/logs/learner-0.log").value_or(""),
              HasSubstr("going on from checkpoints/step_000001 after 1 steps"));
  EXPECT_EQ(Json("damaged/summary.json").value("weights_digest", ""), digest);
  ExpectSoundRun("damaged");

  // The learner is killed while a checkpoint is on its way to the store, which then goes on as if nothing had
  // been.
  FakeS3 store;
  setenv("AWS_ACCESS_KEY_ID", FakeS3::kAccessKey, 1);
  setenv("AWS_SECRET_ACCESS_KEY", FakeS3::kSecretKey, 1);
  std::vector<std::string> stored = strict;
  stored.insert(stored.end(),
                {"checkpoints.store=s3://bucket/runs", "checkpoints.endpoint=" + store.url(),
                 absl::StrCat("checkpoints.region=", FakeS3::kRegion), "checkpoints.path_style=true"});
  store.Fail({.kind = FakeS3::Kind::kHold, .method = "PUT", .path = "policy.safetensors"});
  const Outcome uploading = RunDisturbed(
      RunCommand("uploading", stored), [&] { return store.AwaitHeld(1, absl::ZeroDuration()); },
      [&](Process&) {
        kill(Json("uploading/processes.json").value("learner-0", 0), SIGKILL);
        EXPECT_FALSE(store.objects().contains("runs/uploading/step_000002/COMPLETE"));
        store.Release();
      });
  ASSERT_EQ(uploading.code, kExitDone) << uploading.text;
  EXPECT_THAT(uploading.text, HasSubstr("learner-0 was killed by signal 9; starting it again"));
  EXPECT_EQ(Json("uploading/summary.json").value("weights_digest", ""), digest);
  EXPECT_TRUE(store.objects().contains("runs/uploading/step_000004/COMPLETE"));
  EXPECT_EQ(store.open_uploads(), 0u);
  ExpectSoundRun("uploading");

  // A run whose checkpoints are in the store alone goes on from there.
  const Outcome left = RunDisturbed(
      RunCommand("fetched", stored), [&] { return Steps("fetched") >= 1; },
      [](Process& process) { process.Signal(SIGHUP); });
  EXPECT_EQ(left.code, kExitDone) << left.text;
  std::filesystem::remove_all(dir_ + "/fetched/checkpoints");
  ExpectSoundRun("fetched");
  const Outcome fetched = Run({kLvrpo, "run", "--resume", dir_ + "/fetched"});
  ASSERT_EQ(fetched.code, kExitDone) << fetched.text;
  EXPECT_THAT(ReadFile(dir_ + "/fetched/logs/learner-0.log").value_or(""),
              HasSubstr("fetching it from s3://bucket/runs/fetched/step_"));
  EXPECT_EQ(Json("fetched/summary.json").value("weights_digest", ""), digest);
  ExpectSoundRun("fetched");

  // The learner is killed, with copies of its steps in memory and no checkpoint: it goes on where it was.
  std::vector<std::string> copied = strict;
  copied.insert(copied.end(), {"train.checkpoint_every=100", "learner.step_copies=" + dir_ + "/memory"});
  const Outcome went_on = RunDisturbed(
      RunCommand("copied", copied), [&] { return Steps("copied") >= 2; },
      [&](Process&) { kill(Json("copied/processes.json").value("learner-0", 0), SIGKILL); });
  ASSERT_EQ(went_on.code, kExitDone) << went_on.text;
  const std::string its_log = ReadFile(dir_ + "/copied/logs/learner-0.log").value_or("");
  EXPECT_THAT(its_log, HasSubstr("going on from copies of the newest step"));
  EXPECT_THAT(its_log, HasSubstr("; 0 steps are trained again"));
  EXPECT_EQ(Json("copied/summary.json").value("weights_digest", ""), digest);
  EXPECT_FALSE(std::filesystem::exists(dir_ + "/memory/copied"));
  ExpectSoundRun("copied");

  // Every role is killed in mid-run, without warning.
  for (const std::string role : {"rollout-0", "learner-0", "coordinator", "reward-0"}) {
    const std::string run_id = "killed-" + role;
    const Outcome outcome = RunDisturbed(
        RunCommand(run_id, strict), [&] { return Steps(run_id) >= 1; },
        [&](Process&) {
          const int pid = Json(run_id + "/processes.json").value(role, 0);
          ASSERT_GT(pid, 0);
          kill(pid, SIGKILL);
        });
    ASSERT_EQ(outcome.code, kExitDone) << role << "\n" << outcome.text;
    EXPECT_THAT(outcome.text, HasSubstr(role + " was killed by signal 9; starting it again"));
    EXPECT_EQ(Json(run_id + "/summary.json").value("weights_digest", ""), digest) << role;
    ExpectSoundRun(run_id);
  }
}

TEST_F(RunTest, EndsWithItsFolder) {
  const Outcome outcome = RunDisturbed(
      RunCommand("gone",
                 {"train.steps=1000", "data.heldout_image_prompts=\"\"", "data.heldout_text_prompts=\"\""}),
      [&] { return Steps("gone") >= 1; },
      [&](Process&) {
        std::error_code ignored;  // roles may write there meanwhile
        while (std::filesystem::exists(dir_ + "/gone")) std::filesystem::remove_all(dir_ + "/gone", ignored);
      });
  EXPECT_EQ(outcome.code, kExitData) << outcome.text;
  EXPECT_THAT(outcome.text, HasSubstr("is gone"));
}

TEST_F(RunTest, BadInputGetsOneSentenceAndItsExitCode) {
  const auto expect = [&](const std::vector<std::string>& command, int code, const std::string& words) {
    const Outcome outcome = Run(command);
    EXPECT_EQ(outcome.code, code) << outcome.text;
    EXPECT_THAT(outcome.text, HasSubstr(words));
  };
  ASSERT_TRUE(WriteFileAtomic(dir_ + "/bad.yaml", "train:\n  stepz: 3\n  groups_per_step: many\n").ok());
  expect({kLvrpo, "validate", "--config", dir_ + "/bad.yaml"}, kExitConfig, "bad.yaml:2");
  expect({kLvrpo, "validate", "--config", dir_ + "/bad.yaml"}, kExitConfig, "bad.yaml:3");
  expect({kLvrpo, "run", "--config", dir_ + "/bad.yaml"}, kExitConfig, "steps");
  expect({kLvrpo, "run", "--config", dir_ + "/none.yaml"}, kExitConfig, "none.yaml");
  expect({kLvrpo, "run"}, kExitUsage, "--config");
  expect({kLvrpo, "rnu"}, kExitUsage, "did you mean 'run'?");
  expect({kLvrpo, "status", "--coordinator", "127.0.0.1"}, kExitUsage, "no port");
  expect({kLvrpo, "run", "--config", "configs/shapes.yaml", "--set", "model.policy=/no/such/folder"},
         kExitConfig, "/no/such/folder");
  expect({kLvrpo, "status", dir_}, kExitData, "run folder");
  expect({kLvrpo, "report", dir_}, kExitData, "run folder");
  expect({kLvrpo, "drain", "--coordinator", "127.0.0.1:1"}, kExitUnavailable, "is it running there?");
  expect({kLvrpo, "run", "--config", "configs/shapes.yaml", "--run-id", "../x", "--set", "out=" + dir_},
         kExitUsage, "--run-id");
  expect({kLvrpo, "run", "--config", "configs/shapes.yaml", "--set", "out=/proc/no/runs"}, kExitData,
         "/proc/no");
  expect({kLvrpo, "run", "--resume", dir_}, kExitData, "run folder");

  // Damaged weights.
  std::filesystem::copy("assets/shapes/policy", dir_ + "/policy");
  std::string weights = *ReadFile(dir_ + "/policy/ema.safetensors");
  ASSERT_TRUE(WriteFileAtomic(dir_ + "/policy/ema.safetensors", weights.substr(0, weights.size() / 2)).ok());
  expect(RunCommand("damaged", {"model.policy=" + dir_ + "/policy"}), kExitData, "ema.safetensors");

  // A prompt file with a bad line.
  ASSERT_TRUE(WriteFileAtomic(dir_ + "/prompts.jsonl", "{\"id\": \"a\"\n").ok());
  expect(RunCommand("prompts", {"data.image_prompts=[" + dir_ + "/prompts.jsonl]"}), kExitData,
         "prompts.jsonl:1");

  // A run folder of another version.
  std::filesystem::create_directories(dir_ + "/future");
  ASSERT_TRUE(WriteFileAtomic(dir_ + "/future/run.json", "{\"format\": 99, \"run_id\": \"future\"}").ok());
  expect({kLvrpo, "run", "--resume", dir_ + "/future"}, kExitData, "run format 99");

  // A port that is taken: by the coordinator of another run.
  std::filesystem::create_directories(dir_ + "/ports");
  const std::string bin = LVRPO_BIN_DIR;
  auto first = Process::Start({.command = {bin + "/lvrpo-coordinator", "--config", "configs/shapes.yaml",
                                           "--run-dir", dir_ + "/ports"},
                               .log = dir_ + "/first",
                               .environment = {},
                               .nice = 0});
  ASSERT_TRUE(first.ok());
  AwaitReady(*first, [&] { return std::filesystem::exists(dir_ + "/ports/coordinator.json"); });
  const std::string taken = Json("ports/coordinator.json").value("address", "");
  expect({bin + "/lvrpo-coordinator", "--config", "configs/shapes.yaml", "--run-dir", dir_ + "/ports2",
          "--listen", taken},
         kExitUnavailable, taken);
  EXPECT_FALSE(
      std::filesystem::exists(dir_ + "/ports2/coordinator.sqlite"));  // no epoch for one that cannot serve
  for (const auto& [flag, value] : std::vector<std::pair<std::string, std::string>>{
           {"--listen", "0.0.0.0:0"}, {"--listen", "::1:0"}, {"--metrics-listen", "127.0.0.1:65536"}}) {
    expect({bin + "/lvrpo-coordinator", "--config", "configs/shapes.yaml", "--run-dir", dir_ + "/ports2",
            flag, value},
           kExitUsage, flag.substr(2));
  }
  first->Signal(SIGTERM);
  EXPECT_EQ(first->Wait(absl::Seconds(10)), kExitRetry);  // the run goes on
}

TEST_F(RunTest, CommandsSayWhatTheyDo) {
  for (const char* binary : {"lvrpo", "lvrpo-coordinator", "lvrpo-learner", "lvrpo-rollout-worker",
                             "lvrpo-reward-server", "lvrpo-evaluate", "lvrpo-pretrain"}) {
    const Outcome help = Run({absl::StrCat(LVRPO_BIN_DIR, "/", binary), "--help"});
    EXPECT_EQ(help.code, kExitDone) << binary;
    EXPECT_GT(help.text.size(), 200u) << binary;
  }
  ASSERT_TRUE(WriteFileAtomic(dir_ + "/metadata.jsonl",
                              R"({"tag": "counting", "include": [{"class": "bench", "count": 2}], "prompt": )"
                              R"("a photo of two benches"})"
                              "\n")
                  .ok());
  const Outcome imported = Run({kLvrpo, "import-geneval", dir_ + "/metadata.jsonl", dir_ + "/prompts.jsonl"});
  EXPECT_EQ(imported.code, kExitDone) << imported.text;
  const auto prompts = ReadPromptFile(dir_ + "/prompts.jsonl");
  ASSERT_TRUE(prompts.ok()) << prompts.status();
  EXPECT_EQ((*prompts)[0].rules(0).detected_objects().include(0).count(), 2);
  EXPECT_EQ(Run({kLvrpo, "import-geneval", dir_ + "/none", dir_ + "/prompts.jsonl"}).code, kExitData);

  const Outcome version = Run({kLvrpo, "version", "--json"});
  EXPECT_TRUE(nlohmann::json::parse(version.text, nullptr, false).contains("version")) << version.text;
  const Outcome config = Run({kLvrpo, "print-config", "--config", "configs/shapes.yaml", "--set", "seed=5"});
  EXPECT_THAT(config.text, HasSubstr("seed: 5"));
  EXPECT_THAT(config.text, HasSubstr("--set"));
}

// Weights over the doubles of NCCL and CUDA (docs/development.md), and over gRPC: the same run.
TEST_F(RunTest, BroadcastsWeightsWithTheSameResult) {
  const std::vector<std::string> strict = {"train.max_staleness=0", "train.steps=4",
                                           "local.rollout_workers=2", "rollout.lease_seconds=5",
                                           "coordinator.member_timeout_seconds=2"};
  ASSERT_EQ(Run(RunCommand("grpc", strict)).code, kExitDone);
  const std::string digest = Json("grpc/summary.json").value("weights_digest", "");
  ASSERT_EQ(digest.size(), 64u);

  std::vector<std::string> broadcast = strict;
  broadcast.insert(broadcast.end(), {"weights.transport=nccl", "weights.gather_seconds=2"});
  const std::map<std::string, std::string> doubles = {{"LVRPO_WEIGHTS_DEVICE", "cuda"},
                                                      {"LVRPO_CUDART_LIBRARY", LVRPO_CUDART_DOUBLE},
                                                      {"LVRPO_NCCL_LIBRARY", LVRPO_NCCL_DOUBLE}};
  const Outcome nccl = Run(RunCommand("nccl", broadcast), doubles);
  ASSERT_EQ(nccl.code, kExitDone) << nccl.text;
  EXPECT_EQ(Json("nccl/summary.json").value("weights_digest", ""), digest);
  const std::string learner = ReadFile(dir_ + "/nccl/logs/learner-0.log").value_or("");
  EXPECT_THAT(learner, HasSubstr("GB/s in the preflight, rank 0: the learner, GPU 0 at 0000:00:00.0"));
  for (const char* version : {"1", "2", "3"})
    EXPECT_THAT(learner, HasSubstr(absl::StrCat("version ", version, " was broadcast to rollout-")));
  EXPECT_THAT(learner, Not(HasSubstr("broken rule")));

  // A worker's GPU never does the first operation after the preflight's ten: that version takes
  // rpc.timeout_seconds, then comes over gRPC, and the next is broadcast again.
  std::vector<std::string> impatient = broadcast;
  impatient.push_back("rpc.timeout_seconds=3");
  std::map<std::string, std::string> faulty = doubles;
  faulty["NCCL_DOUBLE_FAULTS"] = "drop rank=1 op=10";
  const Outcome stuck = Run(RunCommand("stuck", impatient), faulty);
  ASSERT_EQ(stuck.code, kExitDone) << stuck.text;
  EXPECT_EQ(Json("stuck/summary.json").value("weights_digest", ""), digest);
  const std::string log = ReadFile(dir_ + "/stuck/logs/learner-0.log").value_or("");
  EXPECT_THAT(log, HasSubstr("version 1 could not be broadcast over NCCL to rollout-"));
  EXPECT_THAT(log, HasSubstr("version 2 was broadcast to rollout-"));

  // A worker is killed while it takes part, and comes back.
  const Outcome killed = RunDisturbed(
      RunCommand("killed", broadcast), [&] { return Steps("killed") >= 1; },
      [&](Process&) { kill(Json("killed/processes.json").value("rollout-1", 0), SIGKILL); }, doubles);
  ASSERT_EQ(killed.code, kExitDone) << killed.text;
  EXPECT_EQ(Json("killed/summary.json").value("weights_digest", ""), digest);
  ExpectSoundRun("killed");
}

}  // namespace
}  // namespace lvrpo
