#include "coordinator/records/store.h"

#include "common/files/file.h"
#include "coordinator/records/audit.h"
#include "coordinator/records/describe.h"
#include "tests/coordinator/service_fixture.h"

namespace lvrpo {
namespace {

using ::testing::HasSubstr;
using StoreTest = ServiceTest;

TEST_F(StoreTest, ARunFolderOfAnotherConfigurationOrVersionIsRefused) {
  service_.reset();
  const auto other = Store::Open(DatabasePath(), "run", "another");
  EXPECT_TRUE(absl::IsFailedPrecondition(other.status()));
  for (const int64_t format : {1, 99}) {  // an older program's, a newer one's
    Sql("UPDATE meta SET value = " + std::to_string(format) + " WHERE key = 'format'");
    for (const absl::Status& status :
         {Store::Open(DatabasePath(), "run", "config").status(), Store::OpenReadOnly(DatabasePath()).status(),
          AuditRun(dir_.string()).status(), DescribeRun(dir_.string()).status()}) {
      EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
      EXPECT_THAT(std::string(status.message()), HasSubstr("has run format " + std::to_string(format) +
                                                           "; this program reads format 2: use the "
                                                           "program that wrote it"));
    }
  }
  ASSERT_TRUE(WriteFileAtomic(DatabasePath(), "this is not a database").ok());
  EXPECT_TRUE(absl::IsDataLoss(Store::Open(DatabasePath(), "run", "config").status()));
  EXPECT_TRUE(absl::IsDataLoss(AuditRun(dir_.string()).status()));
}

TEST_F(StoreTest, ADatabaseWithoutAFirstTransactionCountsAsAbsent) {
  service_.reset();
  const auto clear = [&] {
    for (const char* suffix : {"", "-wal", "-shm", "-journal", ".new", ".new-journal"})
      std::filesystem::remove(DatabasePath() + suffix);
    std::filesystem::remove(dir_ / "metrics.jsonl");
  };
  ASSERT_TRUE(WriteFileAtomic((dir_ / "run.json").string(), "{}").ok());
  for (const char* left : {"nothing", "an empty file", "tables only", "an unfinished new one"}) {
    clear();
    const std::string what = left;
    if (what == "an empty file") {
      ASSERT_TRUE(WriteFileAtomic(DatabasePath(), "").ok());
    }
    if (what == "tables only") Sql("PRAGMA journal_mode=WAL; CREATE TABLE meta(key TEXT PRIMARY KEY, value)");
    if (what == "an unfinished new one") {
      ASSERT_TRUE(WriteFileAtomic(DatabasePath() + ".new", "half").ok());
    }
    const auto described = DescribeRun(dir_.string());
    ASSERT_TRUE(described.ok()) << what << described.status();
    EXPECT_EQ(described->value("steps", -1), 0);
    EXPECT_FALSE(described->value("trained", true));
    EXPECT_TRUE(absl::IsNotFound(AuditRun(dir_.string()).status())) << what;
    Open();
    EXPECT_EQ(service_->starts(), 1) << what;
    Join("learner-0", v1::ROLE_LEARNER, "l:1");
    service_.reset();
    EXPECT_FALSE(std::filesystem::exists(DatabasePath() + ".new"));
  }
  std::filesystem::remove(dir_ / "run.json");
  clear();
  EXPECT_TRUE(absl::IsNotFound(DescribeRun(dir_.string()).status()));  // no run folder at all
}

TEST_F(StoreTest, RecordsThatAreGoneAreNotBegunAnew) {
  const v1::Fence learner = Join("learner-0", v1::ROLE_LEARNER, "l:1");
  const v1::Fence worker = Join("rollout-0", v1::ROLE_ROLLOUT_WORKER);
  ASSERT_TRUE(Start(learner, 0).ok());
  TakeStep(learner, worker, 0);
  ASSERT_TRUE(Checkpoint(learner, 1).ok());
  service_.reset();
  for (const char* suffix : {"", "-wal", "-shm"}) std::filesystem::remove(DatabasePath() + suffix);
  for (const char* trace : {"metrics.jsonl", "checkpoints"}) {
    const absl::Status status = Store::Open(DatabasePath(), "run", "config").status();
    EXPECT_TRUE(absl::IsDataLoss(status)) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(trace));
    std::filesystem::remove_all(dir_ / trace);
  }
  EXPECT_TRUE(Store::Open(DatabasePath(), "run", "config").ok());
}

TEST_F(StoreTest, TheFileIsThatOfARunBeforeItIsThere) {
  service_.reset();
  for (const char* suffix : {"", "-wal", "-shm"}) std::filesystem::remove(DatabasePath() + suffix);
  ASSERT_TRUE(Store::Open(DatabasePath(), "run", "config").ok());
  // Without its log: the file alone has the first transaction.
  for (const char* suffix : {"-wal", "-shm"}) std::filesystem::remove(DatabasePath() + suffix);
  const auto store = Store::OpenReadOnly(DatabasePath());
  ASSERT_TRUE(store.ok()) << store.status();
  EXPECT_EQ(*(*store)->GetText("config_digest"), "config");
}

TEST_F(StoreTest, ATransactionThatFailsLeavesNothing) {
  const auto failing = store_->Transaction([&]() -> absl::Status {
    if (absl::Status status = store_->SetNumber("generation", 7); !status.ok()) return status;
    return absl::UnavailableError("no");
  });
  EXPECT_FALSE(failing.ok());
  EXPECT_EQ(*store_->GetNumber("generation", 0), 0);
  EXPECT_TRUE(store_->ChangedTables()->empty());  // the sums went back with it
  ASSERT_TRUE(store_->Transaction([&] { return store_->SetNumber("generation", 7); }).ok());
  EXPECT_TRUE(store_->ChangedTables()->empty());
}

TEST_F(StoreTest, SumsFollowEveryKindOfWrite) {
  const auto expect_whole = [&](const char* after) {
    const auto changed = store_->ChangedTables();
    ASSERT_TRUE(changed.ok());
    EXPECT_TRUE(changed->empty()) << after << ": " << (changed->empty() ? "" : changed->front());
  };
  const auto write = [&](const char* what, const std::function<absl::Status()>& change) {
    ASSERT_TRUE(store_->Transaction(change).ok()) << what;
    expect_whole(what);
  };
  v1::GroupRecord group;
  for (int i = 0; i < 5; ++i) {
    group.set_ordinal(i);
    group.set_state(i % 2 == 0 ? v1::RETIRED : v1::PLANNED);
    group.set_retired_reason(v1::RETIRE_BAD_PROMPT);
    write("a group", [&] { return store_->PutGroup(group); });
  }
  EXPECT_EQ(store_->RetiredByReason()->at(v1::RETIRE_BAD_PROMPT), 3);
  group.set_kind("again");
  write("a group again", [&] { return store_->PutGroup(group); });
  v1::StepRecord step;
  v1::CheckpointRecord checkpoint;
  for (int i = 0; i < 4; ++i) {
    step.set_step(i);
    write("a step", [&] { return store_->PutStep(step); });
    checkpoint.set_step(i + 1);
    write("a checkpoint", [&] { return store_->PutCheckpoint(checkpoint); });
  }
  checkpoint.set_digest("another");
  write("another checkpoint", [&] { return store_->PutCheckpoint(checkpoint); });
  write("the same checkpoint", [&] { return store_->PutCheckpoint(checkpoint); });
  checkpoint.set_store("s3://bucket/run/step_000003");
  write("the same checkpoint, in the store too", [&] { return store_->PutCheckpoint(checkpoint); });
  write("abandoned steps", [&] { return store_->AbandonStepsFrom(2); });
  EXPECT_EQ(store_->AbandonedCheckpoints()->size(), 3u);
  EXPECT_EQ(store_->Checkpoints()->size(), 2u);
  write("forgotten groups", [&] { return store_->DeleteGroupsFrom(2); });
  EXPECT_EQ(store_->RetiredByReason()->at(v1::RETIRE_BAD_PROMPT), 1);
  write("an acknowledgement", [&] { return store_->PutAcknowledgement({"w", 1, Version(0)}); });
  write("the same acknowledgement", [&] { return store_->PutAcknowledgement({"w", 1, Version(0)}); });
  write("a term", [&] { return store_->PutContract("k", {"v", v1::ROLE_LEARNER}); });
  write("a text", [&] { return store_->SetText("base_digest", "b"); });
  Open();
  expect_whole("a restart");
  Sql("UPDATE groups SET step = 9 WHERE ordinal = 1");
  EXPECT_EQ(*store_->ChangedTables(), std::vector<std::string>{"groups"});
}

TEST_F(StoreTest, ThePlanIsKeptWhole) {
  Changes changes;
  changes.plan = PlanPosition{.next_ordinal = 9, .generation = 2, .first_attempt = 3, .highest_attempt = 5};
  ASSERT_TRUE(store_->Transaction([&] { return store_->Put(changes); }).ok());
  EXPECT_TRUE(*store_->Plan() == *changes.plan);
}

TEST_F(StoreTest, TheNewestOfTheRetiredAreRemembered) {
  v1::GroupRecord group;
  group.set_state(v1::RETIRED);
  group.set_retired_reason(v1::RETIRE_BAD_PROMPT);
  for (int i = 0; i < 4; ++i) {
    group.set_ordinal(i);
    ASSERT_TRUE(store_->PutGroup(group).ok());
  }
  const auto newest = store_->NewestRetired(2);
  ASSERT_EQ(newest->size(), 2u);
  EXPECT_EQ(newest->front().ordinal() + newest->back().ordinal(), 3 + 2);
}

TEST_F(StoreTest, AStartReadsWhatIsOnItsWayOnly) {
  const v1::Fence learner = Join("learner-0", v1::ROLE_LEARNER, "l:1");
  const v1::Fence worker = Join("rollout-0", v1::ROLE_ROLLOUT_WORKER);
  ASSERT_TRUE(Start(learner, 0).ok());
  ASSERT_TRUE(Return(worker, Lease(worker, 0).lease(), v1::RETURN_BAD_PROMPT).ok());
  TakeStep(learner, worker, 0);
  const v1::Lease lease = Lease(worker, 1).lease();
  Open();
  EXPECT_EQ(store_->OpenGroups()->size(), 1u);
  const v1::GetStatusResponse status = Status();
  EXPECT_EQ(status.step(), 1);
  EXPECT_EQ(status.groups_by_state().at("consumed"), 1);
  EXPECT_EQ(status.groups_by_state().at("leased"), 1);
  EXPECT_EQ(status.groups_retired_by_reason().at("bad_prompt"), 1);
  EXPECT_EQ(status.last_metrics().at("reward"), 0.5);
  // A submit whose answer was lost gets it from the records.
  v1::RegisterRequest request = Registration("rollout-0", v1::ROLE_ROLLOUT_WORKER);
  *request.add_held() = lease.id();
  v1::Fence again;
  ASSERT_TRUE(Register(request, &again).ok());
  v1::SubmitGroupResponse submitted;
  ASSERT_TRUE(Submit(again, lease, &submitted).ok());
  EXPECT_TRUE(submitted.accepted());
}

// The step log is rewritten when it lacks steps, and left alone otherwise.
TEST_F(StoreTest, TheLogOfStepsIsWholeAfterEachStart) {
  v1::Fence learner = Join("learner-0", v1::ROLE_LEARNER, "l:1");
  const v1::Fence worker = Join("rollout-0", v1::ROLE_ROLLOUT_WORKER);
  ASSERT_TRUE(Start(learner, 0).ok());
  TakeStep(learner, worker, 0);
  TakeStep(learner, worker, 1);
  const std::string log = (dir_ / "metrics.jsonl").string();
  const std::string whole = ReadFile(log).value();
  for (const std::string& left :
       {whole, std::string(), whole.substr(0, whole.find('\n') + 1), whole.substr(0, whole.size() - 3),
        whole + "{\"step\":2}\n", std::string("{}\n")}) {
    ASSERT_TRUE(WriteFileAtomic(log, left).ok());
    Open();
    EXPECT_EQ(ReadFile(log).value(), whole) << left;
  }
  // Steps that are abandoned leave it.
  learner = Join("learner-0", v1::ROLE_LEARNER, "l:1");
  ASSERT_TRUE(Start(learner, 0).ok());
  EXPECT_EQ(ReadFile(log).value(), "");
}

TEST_F(StoreTest, ADamagedDatabaseIsNamedAtTheStart) {
  const v1::Fence learner = Join("learner-0", v1::ROLE_LEARNER, "l:1");
  for (int i = 0; i < 300; ++i) Join("reward-0", v1::ROLE_REWARD_SERVER, "r:1");
  service_.reset();
  std::string bytes = ReadFile(DatabasePath()).value();
  ASSERT_GT(bytes.size(), 40000u);
  for (size_t i = 8192; i < bytes.size(); i += 512) bytes[i] = static_cast<char>(bytes[i] ^ 0x55);
  ASSERT_TRUE(WriteFileAtomic(DatabasePath(), bytes).ok());
  const auto store = Store::Open(DatabasePath(), "run", "config");
  const absl::Status status = store.ok() ? (*store)->CheckFile(int64_t{1} << 30) : store.status();
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
}

}  // namespace
}  // namespace lvrpo
