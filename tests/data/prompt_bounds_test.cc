// What a record may hold at most.
#include <functional>

#include "data/prompts/prompts.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/temporary_folder.h"

namespace lvrpo {
namespace {

using ::testing::HasSubstr;

TEST(PromptBounds, BoundsWhatARecordMayHold) {
  const auto record = [](const std::function<void(v1::PromptRecord&)>& change) {
    v1::PromptRecord record;
    record.set_id("a");
    record.set_task(v1::TASK_KIND_IMAGE);
    record.set_text("a circle left of a ring");
    for (int i = 0; i < 2; ++i) record.mutable_constraints()->add_objects()->set_count(1);
    v1::RelationConstraint& relation = *record.mutable_constraints()->add_relations();
    relation.set_relation("left of");
    relation.set_object(1);
    change(record);
    return record;
  };
  const auto many = [](int count, const std::function<void()>& add) {
    for (int i = 0; i < count; ++i) add();
  };
  struct Case {
    v1::PromptRecord record;
    const char* message;  // "": it is fine
  };
  const auto count = [&](int count) {
    return record(
        [=](v1::PromptRecord& r) { r.mutable_constraints()->mutable_objects(1)->set_count(count); });
  };
  const auto relation = [&](int subject, const std::string& name, int object) {
    return record([=](v1::PromptRecord& r) {
      r.mutable_constraints()->mutable_relations(0)->set_subject(subject);
      r.mutable_constraints()->mutable_relations(0)->set_relation(name);
      r.mutable_constraints()->mutable_relations(0)->set_object(object);
    });
  };
  const auto objects = [&](int more) {
    return record([&](v1::PromptRecord& r) {
      many(more, [&] { r.mutable_constraints()->add_objects()->set_count(1); });
    });
  };
  const auto relations = [&](int more) {
    return record([&](v1::PromptRecord& r) {
      many(more, [&] { *r.mutable_constraints()->add_relations() = r.constraints().relations(0); });
    });
  };
  const auto phrases = [&](int more) {
    return record([&](v1::PromptRecord& r) { many(more, [&] { r.add_key_phrases("a circle"); }); });
  };
  const auto questions = [&](int more) {
    return record([&](v1::PromptRecord& r) { many(more, [&] { r.add_questions()->add_choices("yes"); }); });
  };
  const auto choices = [&](int more) {
    return record([&](v1::PromptRecord& r) {
      r.add_questions();
      many(more, [&] { r.mutable_questions(0)->add_choices("yes"); });
    });
  };
  const Case cases[] = {
      {count(1), ""},
      {count(64), ""},
      {count(0), "has an object constraint whose count is 0; it must be 1 to 64"},
      {count(-1), "has an object constraint whose count is -1; it must be 1 to 64"},
      {count(65), "has an object constraint whose count is 65; it must be 1 to 64"},
      {count(2147483647), "has an object constraint whose count is 2147483647; it must be 1 to 64"},
      {relation(0, "below", 1), ""},
      {relation(2, "below", 1), "has a relation to object 2 but lists 2 (the first is 0)"},
      {relation(0, "below", -1), "has a relation to object -1 but lists 2 (the first is 0)"},
      {relation(0, "beside", 1), "has the relation 'beside'"},
      {objects(62), ""},
      {objects(63), "has 65 object constraints; at most 64 are allowed"},
      {relations(63), ""},
      {relations(64), "has 65 relations; at most 64 are allowed"},
      {phrases(64), ""},
      {phrases(65), "has 65 key phrases; at most 64 are allowed"},
      {questions(64), ""},
      {questions(65), "has 65 questions; at most 64 are allowed"},
      {choices(64), ""},
      {choices(65), "has a question with 65 choices; at most 64 are allowed"},
  };
  const TemporaryFolder folder;
  const std::string path = folder / "bounds.jsonl";
  for (const Case& test : cases) {
    SCOPED_TRACE(test.message);
    ASSERT_TRUE(WritePromptFile(path, {test.record}).ok());
    const absl::Status read = ReadPromptFile(path).status(), checked = CheckPromptBounds(test.record);
    if (*test.message == 0) {
      EXPECT_TRUE(read.ok()) << read;
      EXPECT_TRUE(checked.ok()) << checked;
      continue;
    }
    EXPECT_TRUE(absl::IsInvalidArgument(read));
    EXPECT_THAT(std::string(read.message()),
                HasSubstr(std::string("bounds.jsonl:1: prompt 'a' ") + test.message));
    EXPECT_TRUE(absl::IsInvalidArgument(checked));
    EXPECT_THAT(std::string(checked.message()), HasSubstr(std::string("prompt 'a' ") + test.message));
  }
}

}  // namespace
}  // namespace lvrpo
