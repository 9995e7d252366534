#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <set>

#include "common/files/file.h"
#include "data/image/png.h"
#include "data/prompts/prompt_order.h"
#include "data/prompts/prompts.h"
#include "data/safetensors/safetensors.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace lvrpo {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

std::string TempPath(const std::string& name) {
  return (std::filesystem::temp_directory_path() / ("lvrpo-data-" + std::to_string(getpid()) + "-" + name))
      .string();
}

RgbImage Picture(int width, int height) {
  RgbImage image{width, height, {}};
  for (int i = 0; i < width * height * 3; ++i) image.pixels.push_back(static_cast<uint8_t>(i * 37));
  return image;
}

TEST(Png, KeepsEveryPixelAndRefusesDamage) {
  const RgbImage image = Picture(17, 9);
  const std::string bytes = *EncodePng(image);
  const auto back = DecodePng(bytes);
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(back->width, 17);
  EXPECT_EQ(back->pixels, image.pixels);
  // Cut anywhere before the end of its pixels it is an error (after them are a checksum and the last chunk,
  // which is empty); with a header byte changed never a crash.
  for (size_t size = 0; size < bytes.size() - 4 - 12; ++size)
    EXPECT_FALSE(DecodePng(bytes.substr(0, size)).ok()) << size;
  for (size_t i = 0; i < 40; ++i) {
    std::string damaged = bytes;
    damaged[i] ^= 0x55;
    (void)DecodePng(damaged);
  }
  EXPECT_FALSE(DecodePng("not a picture").ok());
}

TEST(Png, Grid) {
  const RgbImage grid = MakeGrid({Picture(4, 4), Picture(4, 4), Picture(4, 4)}, 2, 1, 2);
  EXPECT_EQ(grid.width, 2 * 8 + 3);  // a gap on every side
  EXPECT_EQ(grid.height, 2 * 8 + 3);
}

TEST(Prompts, ErrorsNameFileAndLine) {
  const std::string path = TempPath("prompts.jsonl");
  const auto error = [&](const std::string& text) {
    EXPECT_TRUE(WriteFileAtomic(path, text).ok());
    const auto records = ReadPromptFile(path);
    EXPECT_FALSE(records.ok());
    return std::string(records.status().message());
  };
  const std::string good = R"({"id":"a","task":"TASK_KIND_IMAGE","text":"a circle"})";
  EXPECT_THAT(error(good + "\n{\"id\": \n"), HasSubstr("prompts.jsonl:2"));
  EXPECT_THAT(error(good + "\n\n" + good + "\n"), AllOf(HasSubstr("prompts.jsonl:3"), HasSubstr("a")));
  EXPECT_THAT(error(R"({"id":"a","text":"no task"})"), HasSubstr("prompts.jsonl:1"));
  EXPECT_THAT(error(R"({"id":"a","task":"TASK_KIND_TEXT","text":"what ?"})"), HasSubstr("prompts.jsonl:1"));
  EXPECT_THAT(error(R"({"id":"a","task":"TASK_KIND_IMAGE","text":"x","colour":"red"})"), HasSubstr("colour"));
  std::filesystem::remove(path);
  EXPECT_TRUE(absl::IsNotFound(ReadPromptFile("/no/such/prompts.jsonl").status()));
}

// A message is one line, whatever the file holds.
TEST(Prompts, DamagedLinesGetOneLineOfExplanation) {
  const std::string path = TempPath("damaged.jsonl");
  const std::string good = R"({"id":"a","task":"TASK_KIND_IMAGE","text":"a circle"})";
  for (const std::string& line :
       {std::string(R"({"id": )"), std::string(R"({"id": "b" "text"})"), std::string("[]"), std::string("{"),
        std::string("no json"), std::string("\x01\x02\r"), std::string("{\"id\": \"\xff\"}"), good + "x",
        R"({"id":"b","task":"TASK_KIND_SOUND","text":"x"})" + std::string(500, ' '),
        std::string(R"({"id":"b\nc","task":"TASK_KIND_IMAGE"})"), std::string(1000, '{')}) {
    ASSERT_TRUE(WriteFileAtomic(path, good + "\n" + line + "\n").ok());
    const absl::Status status = ReadPromptFile(path).status();
    const std::string message(status.message());
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << line;
    EXPECT_THAT(message, HasSubstr("damaged.jsonl:2: ")) << line;
    EXPECT_TRUE(std::none_of(message.begin(), message.end(), [](char c) { return c > 0 && c < ' '; }))
        << message;
    EXPECT_LT(message.size(), path.size() + 250) << message;
  }
  std::filesystem::remove(path);
}

TEST(Prompts, BoundsWhatARecordMayHold) {
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
  const std::string path = TempPath("bounds.jsonl");
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
  std::filesystem::remove(path);
}

TEST(PromptOrder, EveryPromptOnceBeforeAnyTwice) {
  const PromptOrder order(10, 5, 1.0 / 3, 7);
  std::multiset<size_t> images, texts;
  for (int64_t ordinal = 0; ordinal < 30; ++ordinal) {
    const PromptOrder::Choice choice = order.At(ordinal);
    (choice.text ? texts : images).insert(choice.index);
  }
  EXPECT_EQ(images.size(), 20u);
  EXPECT_EQ(texts.size(), 10u);
  for (size_t i = 0; i < 10; ++i) EXPECT_EQ(images.count(i), 2u);
  for (size_t i = 0; i < 5; ++i) EXPECT_EQ(texts.count(i), 2u);
  EXPECT_EQ(order.At(17).index, PromptOrder(10, 5, 1.0 / 3, 7).At(17).index);
  int moved = 0;
  for (int64_t ordinal = 0; ordinal < 30; ++ordinal)
    moved += order.At(ordinal).index != PromptOrder(10, 5, 1.0 / 3, 8).At(ordinal).index;
  EXPECT_GT(moved, 10);
}

TEST(PromptOrder, OneTaskAlone) {
  for (int64_t ordinal = 0; ordinal < 20; ++ordinal) {
    EXPECT_FALSE(PromptOrder(3, 0, 0.5, 1).At(ordinal).text);
    EXPECT_TRUE(PromptOrder(0, 3, 0.5, 1).At(ordinal).text);
  }
}

TEST(Safetensors, WritesWhatItReads) {
  const std::string path = TempPath("a.safetensors");
  const std::string floats(24, '\1'), bytes(3, '\2');
  ASSERT_TRUE(WriteSafetensors(path, {{"a.weight", {"F32", {2, 3}, floats}}, {"mask", {"U8", {3}, bytes}}},
                               {{"made_by", "test"}})
                  .ok());
  const auto file = SafetensorsFile::Open(path);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ((*file)->entries().at("a.weight").bytes, floats);
  EXPECT_EQ((*file)->entries().at("mask").shape, (std::vector<uint64_t>{3}));
  EXPECT_EQ((*file)->metadata().at("made_by"), "test");
  // Cut anywhere, it is refused.
  const std::string whole = *ReadFile(path);
  for (size_t size = 0; size < whole.size(); size += 5) {
    ASSERT_TRUE(WriteFileAtomic(path, whole.substr(0, size)).ok());
    EXPECT_TRUE(absl::IsDataLoss(SafetensorsFile::Open(path).status())) << size;
  }
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace lvrpo
