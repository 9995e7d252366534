// The broadcast of weights over the NCCL double: whatever fails, each worker ends with the right weights.
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/weight_plane/gang_world.h"

namespace lvrpo {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;
using Plan = v1::GangPlan;

constexpr int64_t kBytes = (3100 * 1000 + 7) * 4;  // of SomeWeights
constexpr int64_t kMiB = 1 << 20;                  // a chunk

class GangTest : public ::testing::Test {
 protected:
  // All ends with these weights, over NCCL alone or whatever it took.
  static void ExpectAll(const std::map<std::string, GangWorld::Fetched>& all, const PackedWeights& weights) {
    for (const auto& [name, fetched] : all) {
      ASSERT_TRUE(fetched.weights.ok()) << name << ": " << fetched.weights.status();
      EXPECT_TRUE(SameBytes(fetched.weights->buckets(), weights.buckets)) << name;
    }
  }
  static void ExpectAllOverNccl(const std::map<std::string, GangWorld::Fetched>& all,
                                const PackedWeights& weights) {
    ExpectAll(all, weights);
    for (const auto& [name, fetched] : all) {
      EXPECT_EQ(fetched.nccl_bytes, kBytes) << name;
      EXPECT_EQ(fetched.grpc_bytes, 0) << name;
    }
  }
  // Publishes version `number` to the named, which must all get it over NCCL.
  void BroadcastTo(GangWorld& world, const std::vector<std::string>& names, int64_t number, char fill = 'a') {
    ExpectAllOverNccl(world.PublishTo(names, SomeWeights(number, fill)), SomeWeights(number, fill));
  }
  static void AddAll(GangWorld& world, const std::vector<std::string>& names) {
    for (const std::string& name : names) world.Add(name);
  }
};

TEST_F(GangTest, MeasuresThenBroadcastsEachVersionOverOneCommunicator) {
  GangWorld world;
  AddAll(world, {"a", "b", "c"});
  world.ExpectToAsk(3);
  std::vector<std::thread> threads;
  for (auto& worker : world.workers)
    threads.emplace_back([&worker] { EXPECT_EQ(worker.second->Measure(), absl::OkStatus()); });
  for (std::thread& thread : threads) thread.join();
  world.AwaitRoot();
  EXPECT_THAT(world.ways, Each(Plan::NEW));
  EXPECT_EQ(world.Figure("lvrpo_learner_weight_gang_ranks"), 4);
  for (int64_t number : {1, 2}) {
    BroadcastTo(world, {"a", "b", "c"}, number, static_cast<char>('a' + number));
    EXPECT_THAT(world.ways, ElementsAre(Plan::KEEP, Plan::KEEP, Plan::KEEP));
  }
  EXPECT_EQ(world.Rounds("complete"), 3);
  EXPECT_EQ(world.Figure("lvrpo_learner_weight_bytes_total{transport=\"nccl\"}"), 2 * kBytes);
}

TEST_F(GangTest, ALateWorkerFetchesAndTakesPartInTheNext) {
  GangWorld world;
  AddAll(world, {"a", "b", "late"});
  BroadcastTo(world, {"a", "b"}, 1);
  const auto late = world.FetchAll({"late"}, SomeWeights(1));
  ExpectAll(late, SomeWeights(1));
  EXPECT_EQ(late.at("late").grpc_bytes, kBytes);
  BroadcastTo(world, {"a", "b", "late"}, 2);
  EXPECT_THAT(world.ways, UnorderedElementsAre(Plan::GROW, Plan::GROW, Plan::JOIN));
  BroadcastTo(world, {"a", "b", "late"}, 3);
}

TEST_F(GangTest, OldLibrariesMakeANewCommunicatorForThoseThatAreThere) {
  GangWorld world(NcclDouble::Bare());
  AddAll(world, {"a", "b", "c"});
  BroadcastTo(world, {"a", "b"}, 1);
  EXPECT_TRUE(world.FetchAll({"c"}, SomeWeights(1)).at("c").weights.ok());
  BroadcastTo(world, {"a", "b", "c"}, 2);
  EXPECT_THAT(world.ways, Each(Plan::NEW));
  BroadcastTo(world, {"a", "c"}, 3);  // without b
  EXPECT_THAT(world.ways, Each(Plan::NEW));
}

TEST_F(GangTest, LeavesOutAWorkerThatDoesNotCome) {
  GangWorld world;
  AddAll(world, {"a", "b", "c"});
  BroadcastTo(world, {"a", "b", "c"}, 1);
  BroadcastTo(world, {"a", "c"}, 2);
  EXPECT_THAT(world.ways, ElementsAre(Plan::SHRINK, Plan::SHRINK));
  EXPECT_EQ(world.Figure("lvrpo_learner_weight_late_total"), 1);
  BroadcastTo(world, {"a", "c"}, 3);
  EXPECT_EQ(world.Figure("lvrpo_learner_weight_late_total"), 1) << "it is not waited for again";
}

TEST_F(GangTest, AWorkerOnItsOwnIsServed) {
  GangWorld world;
  AddAll(world, {"a"});
  BroadcastTo(world, {"a"}, 1);
  BroadcastTo(world, {"a"}, 2);
}

// ---- What fails.

struct Trouble {
  const char* fault;
  int64_t fly_after;  // GangWorld::FlyAfter; -1: the others notice at once
};

class GangTroubleTest : public GangTest, public ::testing::WithParamInterface<Trouble> {};

TEST_P(GangTroubleTest, CostsBoundedTimeThenGrpcAndTheNextVersionIsBroadcastAgain) {
  for (NcclDouble* nccl : {&NcclDouble::Newest(), &NcclDouble::Bare()}) {
    GangWorld world(*nccl);
    AddAll(world, {"a", "b", "c"});
    world.Fault(GetParam().fault);
    world.FlyAfter(GetParam().fly_after);
    ExpectAll(world.PublishTo({"a", "b", "c"}, SomeWeights(1)), SomeWeights(1));
    EXPECT_EQ(world.Rounds("failed"), 1) << GetParam().fault;
    world.nccl.nccl.release();
    world.nccl.nccl.fault(nullptr);
    world.FlyAfter(-1);
    BroadcastTo(world, {"a", "b", "c"}, 2, 'b');
    EXPECT_EQ(world.Rounds("complete"), 1);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Each, GangTroubleTest,
    ::testing::Values(Trouble{"drop rank=0 op=0", 0},          // the root does not begin
                      Trouble{"drop rank=0 op=3", 3 * kMiB},   // nor go on
                      Trouble{"drop rank=2 op=0", 0},          // a receiver
                      Trouble{"drop rank=2 op=3", 3 * kMiB},   //
                      Trouble{"drop rank=1 op=13", 12000000},  // in the last chunk
                      Trouble{"hold rank=1 op=5", 5 * kMiB},   // wakes up after the others have left
                      Trouble{"hold rank=0 op=5", 5 * kMiB},   //
                      Trouble{"stall rank=0 op=4", 4 * kMiB},  // never completes on the root
                      Trouble{"error rank=0 op=2", 2 * kMiB},  // the root's library fails
                      Trouble{"error rank=3 op=2", 2 * kMiB},  // a receiver's
                      Trouble{"die_in_init rank=0", 0},        //
                      Trouble{"die_in_init rank=2", 0}),
    [](const auto& info) { return absl::StrCat("Case", info.index); });

TEST_F(GangTest, AReceiverThatStallsFetchesWhatItHasNot) {
  GangWorld world;
  AddAll(world, {"a", "b"});
  world.Fault("stall rank=2 op=7");
  world.FlyAfter(7 * kMiB);
  const auto all = world.PublishTo({"a", "b"}, SomeWeights(1));
  ExpectAll(all, SomeWeights(1));
  EXPECT_GT(all.at("b").grpc_bytes, 0);
  EXPECT_GT(all.at("b").nccl_bytes, 5 * kMiB);
}

TEST_F(GangTest, ResumesOverGrpcAtTheFirstBucketThatIsNotThere) {
  GangWorld world;
  AddAll(world, {"a"});
  world.Fault("error rank=1 op=8");  // in the second bucket, which has ops 6 to 12
  const auto all = world.PublishTo({"a"}, SomeWeights(1));
  ExpectAll(all, SomeWeights(1));
  EXPECT_EQ(all.at("a").grpc_bytes, kBytes - 6000000) << "the first bucket is not sent again";
}

TEST_F(GangTest, ABucketThatIsCorruptedComesOverGrpcInstead) {
  GangWorld world;
  AddAll(world, {"a", "b"});
  const PackedWeights good = SomeWeights(1);
  PackedWeights bad = CopyOf(good);
  bad.buckets[1].data()[77] ^= 1;
  // What the root broadcasts is damaged; what gRPC serves is not.
  world.PublishGrpc(CopyOf(good));
  world.desk->Offer(std::make_shared<const PackedWeights>(std::move(bad)));
  const auto all = world.FetchAll({"a", "b"}, good);
  ExpectAll(all, good);
  for (const auto& [name, fetched] : all) EXPECT_EQ(fetched.grpc_bytes, kBytes - 6000000) << name;
}

TEST_F(GangTest, AReceiverThatGivesUpStopsNobody) {
  GangWorld world;
  AddAll(world, {"a", "b"});
  BroadcastTo(world, {"a", "b"}, 1);
  const auto weights = std::make_shared<const PackedWeights>(SomeWeights(2));
  world.root->Publish(weights);
  world.ExpectToAsk(2);
  std::thread gives_up([&] {
    const auto stream =
        world.workers.at("b")->member().Open(world.address(), 2, {absl::Hours(1), absl::Hours(1)});
    EXPECT_TRUE(stream->Manifest().ok());
    std::vector<char> into(6000000);
    EXPECT_TRUE(stream->Read(0, 0, into).ok());
  });
  const GangWorld::Fetched a = world.workers.at("a")->Fetch(*weights);
  gives_up.join();
  world.AwaitRoot();
  ASSERT_TRUE(a.weights.ok()) << a.weights.status();
  EXPECT_TRUE(SameBytes(a.weights->buckets(), weights->buckets));
  BroadcastTo(world, {"a", "b"}, 3);
}

TEST_F(GangTest, ADeathInShrinkCostsThatVersionOnly) {
  GangWorld world;
  AddAll(world, {"a", "b", "c"});
  BroadcastTo(world, {"a", "b", "c"}, 1);
  world.Fault("die_in_shrink rank=3");
  world.FlyAfter(0);
  ExpectAll(world.PublishTo({"a", "c"}, SomeWeights(2, 'b')), SomeWeights(2, 'b'));
  EXPECT_THAT(world.ways, Each(Plan::SHRINK));
  world.nccl.nccl.fault(nullptr);
  world.FlyAfter(-1);
  BroadcastTo(world, {"a", "c"}, 3);
  EXPECT_THAT(world.ways, Each(Plan::NEW));
}

TEST_F(GangTest, ALibraryThatRefusesToGrowIsAskedOnce) {
  GangWorld world;
  AddAll(world, {"a", "b", "c"});
  BroadcastTo(world, {"a"}, 1);
  EXPECT_TRUE(world.FetchAll({"b"}, SomeWeights(1)).at("b").weights.ok());
  world.Fault("refuse_grow");
  ExpectAll(world.PublishTo({"a", "b"}, SomeWeights(2)), SomeWeights(2));
  EXPECT_EQ(world.Rounds("failed"), 1);
  BroadcastTo(world, {"a", "b"}, 3);
  EXPECT_TRUE(world.FetchAll({"c"}, SomeWeights(3)).at("c").weights.ok());
  BroadcastTo(world, {"a", "b", "c"}, 4);
  EXPECT_THAT(world.ways, Each(Plan::NEW));
  EXPECT_EQ(world.Rounds("failed"), 1);
}

TEST_F(GangTest, AStaleIdMakesNoCommunicator) {
  GangWorld world;
  AddAll(world, {"a", "b"});
  world.Tamper([](const std::string& worker, v1::AskGangResponse& answer) {
    if (worker != "b" || answer.answer() != v1::AskGangResponse::TAKE) return;
    std::string id = "nccl-double-nobody|m1";
    id.resize(128);
    answer.mutable_plan()->set_unique_id(id);
  });
  world.FlyAfter(0);
  ExpectAll(world.PublishTo({"a", "b"}, SomeWeights(1)), SomeWeights(1));
}

TEST_F(GangTest, AWrongPlanHarmsNoWorker) {
  GangWorld world;
  AddAll(world, {"a", "b"});
  world.Tamper([](const std::string& worker, v1::AskGangResponse& answer) {
    if (worker == "b" && answer.answer() == v1::AskGangResponse::TAKE)
      answer.mutable_plan()->set_chunk_bytes(int64_t{1} << 40);
  });
  world.FlyAfter(0);
  ExpectAll(world.PublishTo({"a", "b"}, SomeWeights(1)), SomeWeights(1));
}

TEST_F(GangTest, PublishingNeverWaitsForAWorker) {
  GangWorld world;
  AddAll(world, {"a"});
  world.Fault("hold rank=1 op=2");
  const auto weights = std::make_shared<const PackedWeights>(SomeWeights(1));
  world.root->Publish(weights);
  std::thread stuck([&] { EXPECT_TRUE(world.workers.at("a")->Fetch(*weights).weights.ok()); });
  world.AwaitBytes(2 * kMiB);
  for (int64_t number : {2, 3, 4})
    world.root->Publish(std::make_shared<const PackedWeights>(SomeWeights(number)));
  world.nccl.nccl.release();
  stuck.join();
  world.AwaitRoot();
}

TEST_F(GangTest, ALearnerThatLeavesInMidBroadcastIsReplacedByGrpc) {
  GangWorld world;
  AddAll(world, {"a", "b"});
  world.Fault("hold rank=0 op=4");
  const auto weights = std::make_shared<const PackedWeights>(SomeWeights(1));
  world.root->Publish(weights);
  world.ExpectToAsk(2);
  std::map<std::string, GangWorld::Fetched> all;
  for (const char* name : {"a", "b"}) all[name];
  std::vector<std::thread> threads;
  for (const std::string name : {"a", "b"})
    threads.emplace_back([&, name] { all[name] = world.workers.at(name)->Fetch(*weights); });
  world.AwaitBytes(4 * kMiB);
  world.RestartRoot();
  for (std::thread& thread : threads) thread.join();
  ExpectAll(all, *weights);
  for (const auto& [name, fetched] : all) EXPECT_GT(fetched.grpc_bytes, 0) << name;
  world.nccl.nccl.fault(nullptr);
  // The new learner knows nobody, and finds all again.
  BroadcastTo(world, {"a", "b"}, 2);
  EXPECT_THAT(world.ways, Each(Plan::NEW));
}

TEST_F(GangTest, AWorkerThatLeavesDoesNotWaitForTheOthers) {
  GangWorld world;
  AddAll(world, {"a"});
  world.Fault("drop rank=0 op=2");
  const auto weights = std::make_shared<const PackedWeights>(SomeWeights(1));
  world.root->Publish(weights);
  std::thread fetching([&] { EXPECT_TRUE(world.workers.at("a")->Fetch(*weights).weights.ok()); });
  world.AwaitBytes(2 * kMiB);
  world.workers.at("a")->Stop();  // and ends although time stands still
  fetching.join();
  world.time.Fly();
  world.AwaitRoot();
}

TEST_F(GangTest, EndsForGoodAfterThreeFailuresInARow) {
  GangWorld world;
  AddAll(world, {"a"});
  world.Fault("error rank=0 op=0");
  for (int64_t number : {1, 2, 3}) {
    const auto all = world.PublishTo({"a"}, SomeWeights(number));
    ExpectAll(all, SomeWeights(number));
    EXPECT_EQ(all.at("a").grpc_bytes, kBytes);
  }
  EXPECT_EQ(world.Rounds("failed"), 3);
  world.nccl.nccl.fault(nullptr);
  const auto all = world.PublishTo({"a"}, SomeWeights(4));
  EXPECT_EQ(all.at("a").grpc_bytes, kBytes);
  EXPECT_EQ(world.Rounds("failed") + world.Rounds("complete"), 3);
}

TEST_F(GangTest, AFailedPreflightCostsNothingElse) {
  GangWorld world;
  AddAll(world, {"a", "b"});
  world.ExpectToAsk(2);
  world.Fault("drop rank=1 op=2");
  world.FlyAfter(0);
  std::vector<std::thread> threads;
  for (auto& worker : world.workers)
    threads.emplace_back([&worker] { EXPECT_FALSE(worker.second->Measure().ok()); });
  for (std::thread& thread : threads) thread.join();
  world.AwaitRoot();
  world.time.Stand();
  world.nccl.nccl.fault(nullptr);
  world.FlyAfter(-1);
  BroadcastTo(world, {"a", "b"}, 1);
}

TEST(TopologyInWords, HasALineForEachRank) {
  v1::GangMember root;
  root.set_device("GPU 0");
  root.set_host("ant");
  root.set_place("0000:1b:00.0");
  root.set_nccl_version(22809);
  GangAsk ask = {
      .worker = {.member_id = "rollout-1", .incarnation = 1}, .member = root, .first = {}, .last = {}};
  ask.member.clear_place();
  EXPECT_THAT(TopologyInWords(root, {ask}, {"no peer access"}),
              ElementsAre("rank 0: the learner, GPU 0 at 0000:1b:00.0 of ant, NCCL 2.28.9",
                          "rank 1: rollout-1, GPU 0 of ant, NCCL 2.28.9, no peer access"));
}

}  // namespace
}  // namespace lvrpo
