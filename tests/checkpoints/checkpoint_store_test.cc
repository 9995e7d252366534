#include "learner/checkpoints/checkpoint_store.h"

#include <limits>
#include <thread>

#include "common/files/file.h"
#include "gmock/gmock.h"
#include "tests/checkpoints/store_fixture.h"

namespace lvrpo {
namespace {

using ::testing::HasSubstr;
using Kind = FakeS3::Kind;

TEST_F(CheckpointStoreTest, BringsACheckpointToAFreshNode) {
  const v1::CheckpointRecord record = Write(25, "a");
  const auto place = Upload(*MakeStore(), record);
  ASSERT_TRUE(place.ok()) << place.status();
  EXPECT_EQ(*place, "s3://bucket/runs/run-1/step_000025");
  const TemporaryFolder fresh;
  const std::string folder = fresh / "checkpoints/step_000025";
  const absl::Status fetched = MakeStore()->Download(*place, record.digest(), folder);
  ASSERT_TRUE(fetched.ok()) << fetched;
  for (const char* name : {"manifest.json", "policy.safetensors", "adapter/adapter_config.json"})
    EXPECT_EQ(*ReadFile(JoinPath(folder, name)), *ReadFile(run_ / record.path() + "/" + name)) << name;
  EXPECT_THAT(*ListFolder(fresh / "checkpoints"), ::testing::ElementsAre("step_000025"));
  EXPECT_TRUE(MakeStore()->IsPlaceOf(*place, 25));
  EXPECT_FALSE(MakeStore()->IsPlaceOf(*place, 26));
}

TEST_F(CheckpointStoreTest, CompleteComesLastAndASecondUploadSendsNothing) {
  const v1::CheckpointRecord record = Write(25, "a");
  const auto store = MakeStore();
  fake_.Fail({.method = "PUT", .path = "COMPLETE", .code = 403, .name = "AccessDenied"});
  EXPECT_FALSE(Upload(*store, record).ok());
  EXPECT_FALSE(InStore("step_000025/COMPLETE"));
  EXPECT_TRUE(absl::IsNotFound(
      store->Download("s3://bucket/runs/run-1/step_000025", record.digest(), run_ / "back")));
  EXPECT_TRUE(Upload(*store, record).ok());
  const int puts = fake_.Count("PUT", "");
  EXPECT_THAT(fake_.requests().back(), HasSubstr("PUT /bucket/runs/run-1/step_000025/COMPLETE"));
  EXPECT_TRUE(Upload(*MakeStore(), record).ok());
  EXPECT_EQ(fake_.Count("PUT", ""), puts);
}

TEST_F(CheckpointStoreTest, DamageOnTheDiskOrInTheStoreIsNeverServed) {
  const v1::CheckpointRecord record = Write(25, "a");
  const auto store = MakeStore();
  const std::string path = run_ / record.path() + "/policy.safetensors", intact = *ReadFile(path);
  run_.Write(record.path() + "/policy.safetensors", intact.substr(1) + "x");
  EXPECT_TRUE(absl::IsDataLoss(Upload(*store, record).status()));
  EXPECT_FALSE(InStore("step_000025/COMPLETE"));
  run_.Write(record.path() + "/policy.safetensors", intact);
  const auto place = Upload(*store, record);
  ASSERT_TRUE(place.ok()) << place.status();
  for (const auto& [key, bytes] : fake_.objects()) {
    std::string damaged = bytes;
    damaged[damaged.size() / 2] ^= 1;
    fake_.Put(key, damaged);
    const absl::Status status = store->Download(*place, record.digest(), run_ / "back");
    EXPECT_TRUE(absl::IsDataLoss(status) || absl::IsNotFound(status)) << key << status;
    EXPECT_FALSE(Exists(run_ / "back")) << key;
    EXPECT_FALSE(Exists(run_ / "back.unfinished")) << key;
    fake_.Put(key, bytes);
  }
  EXPECT_TRUE(absl::IsDataLoss(store->Download(*place, std::string(64, '0'), run_ / "back")));
  EXPECT_TRUE(absl::IsNotFound(store->Download("s3://other/x", record.digest(), run_ / "back")));
  EXPECT_TRUE(store->Download(*place, record.digest(), run_ / "back").ok());
}

// Both are held right before COMPLETE, so that each has sent all of its files.
TEST_F(CheckpointStoreTest, OfTwoLearnersThatWriteOneStepOneWinsAndItsFilesStayWhole) {
  const v1::CheckpointRecord mine = Write(25, "a");
  const TemporaryFolder elsewhere;
  ASSERT_TRUE(Rename(run_ / "checkpoints/step_000025", elsewhere / "step").ok());
  const v1::CheckpointRecord theirs = Write(25, "b");
  ASSERT_NE(mine.digest(), theirs.digest());
  const auto store_a = MakeStore(), store_b = MakeStore();
  ASSERT_TRUE(store_a->Begin(20).ok() && store_b->Begin(20).ok());
  fake_.Fail({.kind = Kind::kHold, .method = "PUT", .path = "COMPLETE", .times = 2});
  absl::StatusOr<std::string> a, b;
  int64_t sent = 0, sent_too = 0;
  std::thread first([&] { a = store_a->Upload(elsewhere / "step", 25, mine.digest(), &sent); });
  std::thread second([&] { b = store_b->Upload(run_ / theirs.path(), 25, theirs.digest(), &sent_too); });
  EXPECT_TRUE(fake_.AwaitHeld(2));
  fake_.Release();
  first.join();
  second.join();
  ASSERT_NE(a.ok(), b.ok()) << a.status() << b.status();
  const absl::Status lost = a.ok() ? b.status() : a.status();
  EXPECT_TRUE(absl::IsAlreadyExists(lost)) << lost;
  EXPECT_THAT(std::string(lost.message()), HasSubstr("another learner"));
  const std::string place = "s3://bucket/runs/run-1/step_000025";
  EXPECT_TRUE(store_a->Download(place, a.ok() ? mine.digest() : theirs.digest(), run_ / "back").ok());
}

TEST_F(CheckpointStoreTest, WhatWasAbandonedIsReplacedAndWhatAppearedSinceIsNot) {
  const v1::CheckpointRecord old_20 = Write(20, "old"), old_25 = Write(25, "old"), old_30 = Write(30, "old");
  const auto before = MakeStore();
  ASSERT_TRUE(Upload(*before, old_20).ok() && Upload(*before, old_25).ok());
  // The run goes on from step 20.
  const auto store = MakeStore();
  ASSERT_TRUE(store->Begin(20).ok());
  ASSERT_TRUE(Upload(*before, old_30).ok());  // a learner that does not know that it was replaced
  const v1::CheckpointRecord new_25 = Write(25, "new"), new_30 = Write(30, "new");
  const auto replaced = Upload(*store, new_25);
  ASSERT_TRUE(replaced.ok()) << replaced.status();
  EXPECT_TRUE(store->Download(*replaced, new_25.digest(), run_ / "back").ok());
  EXPECT_TRUE(absl::IsAlreadyExists(Upload(*store, new_30).status()));
  // Nor is the checkpoint that it goes on from.
  EXPECT_TRUE(absl::IsAlreadyExists(Upload(*store, Write(20, "new")).status()));
}

TEST_F(CheckpointStoreTest, WhatWasAbandonedIsReplacedAlsoWhenItCouldNotBeRemovedAtFirst) {
  ASSERT_TRUE(Upload(*MakeStore(), Write(25, "old")).ok());
  const auto store = MakeStore();
  ASSERT_TRUE(store->Begin(20).ok());
  const v1::CheckpointRecord record = Write(25, "new");
  fake_.Fail({.method = "DELETE", .times = 4, .code = 503});
  EXPECT_TRUE(absl::IsUnavailable(Upload(*store, record).status()));
  const auto replaced = Upload(*store, record);
  ASSERT_TRUE(replaced.ok()) << replaced.status();
  EXPECT_TRUE(store->Download(*replaced, record.digest(), run_ / "back").ok());
}

TEST_F(CheckpointStoreTest, ASizeThatNoFileHasIsNotFetched) {
  const v1::CheckpointRecord record = Write(25, "a");
  const auto store = MakeStore();
  const auto place = Upload(*store, record);
  ASSERT_TRUE(place.ok()) << place.status();
  const std::string key = "runs/run-1/step_000025/COMPLETE";
  for (const int64_t size : {int64_t{-1}, int64_t{1} << 46, std::numeric_limits<int64_t>::max()}) {
    nlohmann::json marker = nlohmann::json::parse(fake_.objects().at(key));
    marker["bytes"]["policy.safetensors"] = size;
    fake_.Put(key, marker.dump());
    EXPECT_TRUE(absl::IsDataLoss(store->Download(*place, record.digest(), run_ / "back"))) << size;
    EXPECT_EQ(fake_.Count("GET", "policy.safetensors"), 0) << size;
  }
}

TEST_F(CheckpointStoreTest, BeginAbortsUploadsOfEarlierProcesses) {
  S3Client client(Options());
  ASSERT_TRUE(client.BeginUpload("runs/run-1/step_000005/x/policy.safetensors").ok());
  ASSERT_TRUE(client.BeginUpload("runs/run-10/step_000005/x/policy.safetensors").ok());
  EXPECT_TRUE(MakeStore()->Begin(0).ok());
  EXPECT_EQ(fake_.open_uploads(), 1u);
}

TEST_F(CheckpointStoreTest, RemovesCompleteFirst) {
  const v1::CheckpointRecord record = Write(25, "a"), other = Write(250, "b");
  const auto store = MakeStore();
  ASSERT_TRUE(Upload(*store, record).ok() && Upload(*store, other).ok());
  EXPECT_TRUE(store->Remove(25).ok());
  const std::vector<std::string> requests = fake_.requests();
  const auto first = std::find_if(requests.begin(), requests.end(),
                                  [](const std::string& one) { return one.starts_with("DELETE"); });
  EXPECT_EQ(*first, "DELETE /bucket/runs/run-1/step_000025/COMPLETE");
  for (const auto& [key, bytes] : fake_.objects()) EXPECT_THAT(key, HasSubstr("step_000250"));
  EXPECT_EQ(fake_.objects().size(), 5u);
}

}  // namespace
}  // namespace lvrpo
