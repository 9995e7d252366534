#include "coordinator/records/audit.h"

#include <sqlite3.h>

#include <fstream>
#include <limits>
#include <set>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/files/file.h"
#include "coordinator/records/statement.h"
#include "google/protobuf/message.h"
#include "tests/coordinator/service_fixture.h"

namespace lvrpo {
namespace {

using ::testing::HasSubstr;

// A finished run of three steps with a retired group, abandoned steps and several checkpoints. Each test
// changes copies of it.
class AuditTest : public ServiceTest {
 protected:
  void SetUp() override {
    ServiceTest::SetUp();
    v1::Fence learner = Join("learner-0", v1::ROLE_LEARNER, "l:1");
    const v1::Fence worker = Join("rollout-0", v1::ROLE_ROLLOUT_WORKER);
    ASSERT_TRUE(Start(learner, 0).ok());
    ASSERT_TRUE(Return(worker, Lease(worker, 0).lease(), v1::RETURN_BAD_PROMPT, "no words").ok());
    TakeStep(learner, worker, 0);
    ASSERT_TRUE(Checkpoint(learner, 1).ok());
    TakeStep(learner, worker, 1);
    ASSERT_TRUE(Checkpoint(learner, 2).ok());
    ASSERT_TRUE(Start(learner, 1).ok());  // the newest checkpoint was damaged
    TakeStep(learner, worker, 1);
    ASSERT_TRUE(Checkpoint(learner, 2).ok());
    TakeStep(learner, worker, 2);
    ASSERT_TRUE(Checkpoint(learner, 3).ok());
    v1::ReportEvaluationRequest evaluated;
    *evaluated.mutable_fence() = Join("evaluation-0", v1::ROLE_EVALUATION);
    evaluated.mutable_evaluation()->set_step(3);
    evaluated.mutable_evaluation()->set_digest(Status().current_version().digest());
    evaluated.mutable_evaluation()->set_score(.5);
    evaluated.mutable_evaluation()->set_images(2);
    v1::ReportEvaluationResponse recorded;
    ASSERT_TRUE(service_->ReportEvaluation(nullptr, &evaluated, &recorded).ok());
    service_.reset();
    store_ = nullptr;
    whole_ = ReadFile(DatabasePath()).value_or("");
  }
  void PutBack() {
    for (const char* suffix : {"-wal", "-shm"}) std::filesystem::remove(DatabasePath() + suffix);
    ASSERT_TRUE(WriteFileAtomic(DatabasePath(), whole_).ok());
  }
  // The sentences of violated invariants, without those about changed tables.
  std::string Broken(bool tables = false) {
    const auto proofs = AuditRun(dir_.string());
    if (!proofs.ok()) return proofs.status().ToString();
    std::vector<std::string> broken;
    for (const Proof& proof : *proofs) {
      const bool about_tables = proof.sentence.find("by anything but the coordinator") != std::string::npos;
      if (!proof.holds && about_tables == tables) broken.push_back(proof.sentence);
    }
    return absl::StrJoin(broken, "\n");
  }
  // A change that keeps the sums of the tables right, so that only the records themselves can tell.
  void Forge(const std::function<absl::Status(Store&)>& change) {
    auto store = Store::Open(DatabasePath(), "run", "config");
    ASSERT_TRUE(store.ok()) << store.status();
    const absl::Status status = (*store)->Transaction([&] { return change(**store); });
    ASSERT_TRUE(status.ok()) << status;
  }
  std::string whole_;
};

TEST_F(AuditTest, AnHonestRunHolds) {
  EXPECT_EQ(Broken(), "");
  EXPECT_EQ(Broken(/*tables=*/true), "");
}

// Consistent forgeries: what records say of each other.
TEST_F(AuditTest, FindsWhatTheRecordsContradict) {
  const auto group_of = [](int64_t ordinal, const std::function<void(v1::GroupRecord*)>& edit) {
    return [ordinal, edit](Store& store) {
      v1::GroupRecord record = *store.Group(ordinal);
      edit(&record);
      return store.PutGroup(record);
    };
  };
  const auto group = [&](const std::function<void(v1::GroupRecord*)>& edit) { return group_of(1, edit); };
  const auto step = [](int64_t number, const std::function<void(v1::StepRecord*)>& edit) {
    return [number, edit](Store& store) {
      v1::StepRecord record = (*store.StepsFrom(number))[0];
      edit(&record);
      Statement remove(store.database(), "DELETE FROM steps WHERE step = ?");
      if (absl::Status status = remove.Bind(number).Run(); !status.ok()) return status;
      return store.PutStep(record);
    };
  };
  const auto checkpoint = [](const std::function<void(v1::CheckpointRecord*)>& edit) {
    return [edit](Store& store) {
      v1::CheckpointRecord record = store.Checkpoints()->back();
      edit(&record);
      return store.PutCheckpoint(record);
    };
  };
  const auto evaluation = [](const std::function<void(v1::EvaluationRecord*)>& edit) {
    return [edit](Store& store) {
      v1::EvaluationRecord record = store.Evaluations()->back();
      edit(&record);
      return store.PutEvaluation(record);
    };
  };
  const auto sql = [](const std::string& statement) {
    return [statement](Store& store) { return Statement(store.database(), statement).Run(); };
  };
  const float nan = std::numeric_limits<float>::quiet_NaN();
  struct {
    const char* what;
    std::function<absl::Status(Store&)> change;
    const char* found;  // a part of the sentence
  } cases[] = {
      {"a scorer failed", group([](auto* g) {
         g->mutable_samples(0)->mutable_scores(0)->set_outcome(v1::ComponentScore::SCORER_FAILED);
       }),
       "ordinal 1 could not be trained on: reward_failed"},
      {"a NaN score", group([&](auto* g) { g->mutable_samples(1)->mutable_scores(0)->set_score(nan); }),
       "reward_not_finite"},
      {"a NaN reward", group([&](auto* g) { g->mutable_samples(1)->set_reward(nan); }), "reward_not_finite"},
      {"no scores", group([](auto* g) { g->mutable_samples(0)->clear_scores(); }), "no_reward"},
      {"no variance", group([](auto* g) { g->mutable_samples(1)->mutable_scores(0)->set_score(0); }),
       "the same scores for all samples"},
      {"another reward", group([](auto* g) { g->mutable_samples(1)->set_reward(2); }),
       "step 0 consumed other groups than are recorded"},
      {"another trajectory", group([](auto* g) { g->set_trajectory_digest("other"); }),
       "step 0 consumed other groups"},
      {"no trajectory", group([](auto* g) { g->clear_trajectory_digest(); }), "has no trajectory"},
      {"a sample less", group([](auto* g) { g->mutable_samples()->RemoveLast(); }), "has 1 samples"},
      {"a slot twice", group([](auto* g) { g->mutable_samples(1)->set_slot(0); }), "lacks slot 1"},
      {"another step", group([](auto* g) { g->set_step(2); }), "does not say step 0"},
      {"not consumed", group([](auto* g) { g->set_state(v1::COMPLETE); }), "does not say step 0"},
      {"another worker", group([](auto* g) { g->set_member_id("rollout-9"); }), "had not acknowledged"},
      {"another process", group([](auto* g) { g->set_incarnation(7); }), "had not acknowledged"},
      {"another base", group([](auto* g) { g->mutable_version()->set_digest("dx"); }),
       "more than one digest"},
      {"weights of the future", group([](auto* g) { g->mutable_version()->set_number(2); }),
       "came from version 2"},
      {"another kind", group([](auto* g) { g->set_kind("other"); }), "step 0 consumed other groups"},
      {"another attempt", group([](auto* g) { g->set_attempt(3); }), "step 0 consumed other groups"},
      {"no lease", group([](auto* g) { g->clear_member_id(); }), "has no lease"},
      {"too old",
       group_of(3,
                [](auto* g) {
                  g->mutable_version()->set_number(1);
                  g->mutable_version()->set_digest("d1");
                }),
       "NOT TRUE: no group was more than 0 steps old (ordinal 3 in step 2 came from version 1)"},
      {"planned before steps were abandoned", group_of(3, [](auto* g) { g->set_generation(0); }),
       "ordinal 3 was planned before steps were abandoned"},
      {"a group is gone", sql("DELETE FROM groups WHERE ordinal = 1"),
       "ordinal 1 of step 0 has no sound record"},
      {"the retired group is gone", sql("DELETE FROM groups WHERE ordinal = 0"), "ordinal 0 has no record"},
      {"retired without a reason",
       [](Store& store) {
         v1::GroupRecord record = *store.Group(0);
         record.clear_retired_reason();
         return store.PutGroup(record);
       },
       "retired without a reason"},
      {"retired for another reason",
       [](Store& store) {
         v1::GroupRecord record = *store.Group(0);
         record.set_retired_reason(v1::RETIRE_ZERO_VARIANCE);
         return store.PutGroup(record);
       },
       "counts of retired groups"},
      {"trained by a rank that was not there",
       [](Store& store) {
         v1::GroupRecord record = *store.Group(1);
         record.set_rank(1);
         return store.PutGroup(record);
       },
       "was for rank 1 of the learner, which had no such rank"},
      {"a group too many",
       [](Store& store) {
         v1::GroupRecord record = *store.Group(1);
         record.set_ordinal(4);
         return store.PutGroup(record);
       },
       "ordinal 4 says it was consumed, but no step names it"},
      {"an open group",
       [](Store& store) {
         v1::GroupRecord record;
         record.set_ordinal(4);
         record.set_state(v1::PLANNED);
         return store.PutGroup(record);
       },
       "ordinal 4 is still open"},
      {"the row's state", sql("UPDATE groups SET state = 6 WHERE ordinal = 1"), "not what its row says"},
      {"the row's step", sql("UPDATE groups SET step = 1 WHERE ordinal = 1"), "not what its row says"},
      {"fewer ordinals planned", sql("UPDATE meta SET value = 3 WHERE key = 'next_ordinal'"),
       "was never planned"},
      {"more ordinals planned", sql("UPDATE meta SET value = 9 WHERE key = 'next_ordinal'"),
       "ordinal 4 has no record"},
      {"another group size", sql("UPDATE meta SET value = 3 WHERE key = 'group_size'"), "has 2 samples"},
      {"more groups a step", sql("UPDATE meta SET value = 2 WHERE key = 'groups_per_step'"), "step 0 has 1"},
      {"a longer run", sql("UPDATE meta SET value = 9 WHERE key = 'total_steps'"), "what the run is"},
      {"more staleness", sql("UPDATE meta SET value = 1 WHERE key = 'max_staleness'"), "what the run is"},
      {"no filter", sql("UPDATE meta SET value = 0 WHERE key = 'filter_zero_variance'"), "what the run is"},
      {"another configuration", sql("UPDATE meta SET value = 'config2' WHERE key = 'config_digest'"),
       "what the run is"},
      {"another run", sql("UPDATE meta SET value = 'run2' WHERE key = 'run_id'"), "what the run is"},
      {"another base digest", sql("UPDATE meta SET value = 'dx' WHERE key = 'base_digest'"),
       "more than one digest"},
      {"a step is gone", sql("DELETE FROM steps WHERE step = 1"), "step 1 is missing"},
      {"the last step is gone", sql("DELETE FROM steps WHERE step = 2"), "is recorded with other weights"},
      {"a step's weights", step(0, [](auto* s) { s->mutable_new_version()->set_digest("dx"); }),
       "step 1 follows another record than that of step 0"},
      {"the last step's weights", step(2, [](auto* s) { s->mutable_new_version()->set_digest("dx"); }),
       "is recorded with other weights than its step made"},
      {"a step's version", step(1, [](auto* s) { s->mutable_new_version()->set_number(7); }),
       "made version 7"},
      {"a step's figures", step(1, [](auto* s) { (*s->mutable_metrics())["reward"] = .75; }),
       "step 2 follows another record than that of step 1"},
      {"a step's time", step(0, [](auto* s) { s->set_unix_seconds(1); }), "step 1 follows another record"},
      {"a step's plan", step(2, [](auto* s) { s->set_next_ordinal(1); }), "planned 1 ordinals"},
      {"a step's groups", step(1, [](auto* s) { s->set_ordinals(0, 1); }),
       "ordinal 1 went into steps 0 and 1"},
      {"a step's chain", step(1, [](auto* s) { s->set_previous_digest("x"); }),
       "step 1 follows another record"},
      {"a chain that ends", step(2, [](auto* s) { s->clear_groups_digest(); }),
       "step 2 consumed other groups"},
      {"a checkpoint's digest", checkpoint([](auto* c) { c->set_digest("x"); }), "another manifest"},
      {"a checkpoint's weights", checkpoint([](auto* c) { c->mutable_version()->set_digest("d2"); }),
       "is recorded with other weights"},
      {"a checkpoint's path", checkpoint([](auto* c) { c->set_path("checkpoints/step_000002"); }),
       "another manifest"},
      {"an evaluation's weights", evaluation([](auto* e) { e->set_digest("dx"); }),
       "that of step 3 is of other weights"},
      {"an evaluation of no step", evaluation([](auto* e) { e->set_step(4); }), "a step that was not taken"},
      {"an evaluation's score", evaluation([](auto* e) { e->set_score(2); }), "a score that is not possible"},
      {"an acknowledgement of nothing", sql("INSERT INTO acknowledgements VALUES('rollout-0', 1, 3, 'dx')"),
       "which no step made"},
      {"an acknowledgement is gone", sql("DELETE FROM acknowledgements WHERE version = 2"),
       "had not acknowledged"},
  };
  std::set<std::string> broken;  // beginnings of promises
  for (const auto& c : cases) {
    PutBack();
    Forge(c.change);
    EXPECT_THAT(Broken(), HasSubstr(c.found)) << c.what;
    const std::vector<std::string> sentences = absl::StrSplit(Broken(), '\n');
    for (const std::string& sentence : sentences) broken.insert(sentence.substr(0, 24));
  }
  // Each promise that a consistent forgery can break was broken by one of them.
  PutBack();
  const auto proofs = AuditRun(dir_.string());
  ASSERT_TRUE(proofs.ok());
  for (const Proof& proof : *proofs) {
    if (proof.sentence.find("by anything but the coordinator") == std::string::npos) {
      EXPECT_TRUE(broken.contains(absl::StrCat("NOT TRUE: ", proof.sentence).substr(0, 24)))
          << proof.sentence;
    }
  }
}

// Files of checkpoints.
TEST_F(AuditTest, FindsCheckpointsThatAreNotTheirSteps) {
  const std::string folder = (dir_ / "checkpoints/step_000003").string();
  const std::string manifest = ReadFile(folder + "/manifest.json").value();
  const std::string weights = ReadFile(folder + "/policy.safetensors").value();
  ASSERT_TRUE(WriteFileAtomic(folder + "/policy.safetensors", "other").ok());
  EXPECT_THAT(Broken(), HasSubstr("has a damaged policy.safetensors"));
  std::filesystem::remove(folder + "/policy.safetensors");
  EXPECT_THAT(Broken(), HasSubstr("has a damaged policy.safetensors"));
  ASSERT_TRUE(WriteFileAtomic(folder + "/policy.safetensors", weights).ok());
  EXPECT_EQ(Broken(), "");
  // A manifest that its record agrees with, but not the step.
  for (const auto& [from, to, found] : {std::tuple<std::string, std::string, const char*>{
                                            "d3", "dx", "holds other weights than its step made"},
                                        {"\"step\":3", "\"step\":2", "the manifest of another step"},
                                        {"config", "other", "is of another configuration"},
                                        {"files", "lines", "names no files"}}) {
    std::string forged = manifest;
    ASSERT_NE(forged.find(from), std::string::npos) << from;
    forged.replace(forged.find(from), from.size(), to);
    ASSERT_TRUE(WriteFileAtomic(folder + "/manifest.json", forged).ok());
    PutBack();
    Forge([&](Store& store) {
      v1::CheckpointRecord record = store.Checkpoints()->back();
      record.set_digest(RecordDigest(forged));
      return store.PutCheckpoint(record);
    });
    EXPECT_THAT(Broken(), HasSubstr(found)) << to;
  }
  std::filesystem::remove_all(folder);
  PutBack();
  EXPECT_THAT(Broken(), HasSubstr("has no manifest"));
}

// Calls `visit` once for each field that is set, at all depths, with that field changed.
void ForEachChangedField(google::protobuf::Message* root, google::protobuf::Message* message,
                         const std::string& path, const std::function<void(const std::string&)>& visit) {
  using Field = google::protobuf::FieldDescriptor;
  const google::protobuf::Reflection& reflection = *message->GetReflection();
  std::vector<const Field*> fields;
  reflection.ListFields(*message, &fields);
  for (const Field* field : fields) {
    const std::string name = absl::StrCat(path, ".", field->name());
    if (field->is_repeated() && field->cpp_type() == Field::CPPTYPE_MESSAGE) {
      ForEachChangedField(root, reflection.MutableRepeatedMessage(message, field, 0), name, visit);
      continue;
    }
    if (field->cpp_type() == Field::CPPTYPE_MESSAGE) {
      ForEachChangedField(root, reflection.MutableMessage(message, field), name, visit);
      continue;
    }
    std::unique_ptr<google::protobuf::Message> before(message->New());
    before->CopyFrom(*message);
    if (field->is_repeated()) {
      reflection.AddInt64(message, field, 77);
    } else if (field->cpp_type() == Field::CPPTYPE_STRING) {
      reflection.SetString(message, field, reflection.GetString(*message, field) + "x");
    } else if (field->cpp_type() == Field::CPPTYPE_INT64) {
      reflection.SetInt64(message, field, reflection.GetInt64(*message, field) + 1);
    } else if (field->cpp_type() == Field::CPPTYPE_INT32) {
      reflection.SetInt32(message, field, reflection.GetInt32(*message, field) + 1);
    } else if (field->cpp_type() == Field::CPPTYPE_FLOAT) {
      reflection.SetFloat(message, field, reflection.GetFloat(*message, field) + .25f);
    } else if (field->cpp_type() == Field::CPPTYPE_DOUBLE) {
      reflection.SetDouble(message, field, reflection.GetDouble(*message, field) + .25);
    } else if (field->cpp_type() == Field::CPPTYPE_ENUM) {
      reflection.SetEnumValue(message, field, reflection.GetEnumValue(*message, field) + 1);
    } else {
      ADD_FAILURE() << "a field of a kind that this test does not change: " << name;
    }
    visit(name);
    reflection.ListFields(*message, &fields);
    message->CopyFrom(*before);
  }
}

// An audit detects a change of any field of any row.
TEST_F(AuditTest, TheNewestCheckpointMayBeInTheObjectStoreAlone) {
  std::filesystem::remove_all(dir_ / "checkpoints" / "step_000003");
  EXPECT_THAT(Broken(), HasSubstr("step_000003 has no manifest"));
  const auto store = Store::Open(DatabasePath(), "", "");
  ASSERT_TRUE(store.ok()) << store.status();
  v1::CheckpointRecord record = (*store)->Checkpoints()->back();
  record.set_store("s3://bucket/runs/run/step_000003");
  ASSERT_TRUE((*store)->Transaction([&] { return (*store)->PutCheckpoint(record); }).ok());
  EXPECT_EQ(Broken(), "");
}

TEST_F(AuditTest, FindsEveryFieldThatWasChanged) {
  int changed = 0;
  const auto check_records = [&](const std::string& table, google::protobuf::Message* record) {
    sqlite3* database = nullptr;
    ASSERT_EQ(sqlite3_open(DatabasePath().c_str(), &database), SQLITE_OK);
    const absl::Cleanup close = [&] { EXPECT_EQ(sqlite3_close(database), SQLITE_OK); };
    Statement select(database, "SELECT rowid, record FROM " + table);
    std::map<int64_t, std::string> rows;
    while (*select.Step()) rows[select.Integer(0)] = select.Bytes(1);
    EXPECT_FALSE(rows.empty()) << table;
    for (const auto& [rowid, bytes] : rows) {
      ASSERT_TRUE(record->ParseFromString(bytes));
      ForEachChangedField(record, record, table, [&, rowid = rowid](const std::string& name) {
        Statement update(database, "UPDATE " + table + " SET record = ? WHERE rowid = ?");
        ASSERT_TRUE(update.BindBlob(record->SerializeAsString()).Bind(rowid).Run().ok());
        EXPECT_NE(Broken() + Broken(true), "") << name << " of row " << rowid;
        ++changed;
      });
      Statement restore(database, "UPDATE " + table + " SET record = ? WHERE rowid = ?");
      ASSERT_TRUE(restore.BindBlob(bytes).Bind(rowid).Run().ok());
      ASSERT_EQ(Broken() + Broken(true), "");
    }
  };
  v1::GroupRecord group;
  v1::StepRecord step;
  v1::CheckpointRecord checkpoint;
  check_records("groups", &group);
  check_records("steps", &step);
  check_records("abandoned_steps", &step);
  check_records("checkpoints", &checkpoint);
  check_records("abandoned_checkpoints", &checkpoint);
  EXPECT_GT(changed, 100);
}

TEST_F(AuditTest, FindsEveryColumnAndRowThatWasChanged) {
  for (const SummedTable& table : SummedTables()) {
    for (const std::string& column : table.columns) {
      PutBack();
      Sql(absl::StrCat("UPDATE OR IGNORE ", table.name, " SET ", column, " = ", column, " || '1'"));
      EXPECT_NE(Broken() + Broken(true), "") << table.name << "." << column;
    }
    PutBack();
    Sql(absl::StrCat("DELETE FROM ", table.name));
    EXPECT_NE(Broken() + Broken(true), "") << table.name;
  }
  for (const char* statement :
       {"UPDATE sums SET sum = 'x'", "DELETE FROM sums WHERE name = 'groups'",
        "INSERT INTO acknowledgements SELECT 'w', incarnation, version, digest FROM acknowledgements",
        "INSERT INTO events(unix_seconds, kind, text) VALUES(1, 'finished', '')",
        "INSERT INTO abandoned_steps(step, record) SELECT step, record FROM steps",
        "INSERT INTO contract VALUES('k', 'v', 1)", "UPDATE steps SET record = x'ff' WHERE step = 1",
        "UPDATE groups SET record = x'ff' WHERE ordinal = 2"}) {
    PutBack();
    Sql(statement);
    EXPECT_NE(Broken() + Broken(true), "") << statement;
  }
}

// A running run, and one that was stopped before its last checkpoint, pass too.
TEST_F(AuditTest, ARunThatWasStoppedBeforeItsLastCheckpointHolds) {
  PutBack();
  std::filesystem::remove_all(dir_);
  std::filesystem::create_directories(dir_);
  Open();
  const v1::Fence learner = Join("learner-0", v1::ROLE_LEARNER, "l:1");
  const v1::Fence worker = Join("rollout-0", v1::ROLE_ROLLOUT_WORKER);
  ASSERT_TRUE(Start(learner, 0).ok());
  for (int64_t step = 0; step < 3; ++step) {
    TakeStep(learner, worker, step);
    EXPECT_EQ(Broken() + Broken(true), "") << step;
  }
}

}  // namespace
}  // namespace lvrpo
