#include "weight_plane/resuming_fetch.h"

#include <deque>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/weight_plane/memory_transport.h"
#include "tests/weight_plane/some_weights.h"
#include "weight_plane/holders.h"

namespace lvrpo {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

// Holders by address, which break off after some reads.
class ScriptedHolders final : public WeightFetcher {
 public:
  struct Holder {
    std::shared_ptr<const PackedWeights> weights;
    int reads = 1000;
    absl::Status trouble = absl::UnavailableError("gone");
  };
  struct Asked {
    std::string holder;
    int64_t first_bucket = -1;  // none was read
  };

  absl::string_view name() const override { return "scripted"; }
  std::unique_ptr<WeightStream> Open(const std::string& holder, int64_t, const StreamLimits&) override {
    asked.push_back({.holder = holder});
    return std::make_unique<Stream>(holders[holder], asked.back());
  }
  std::vector<std::string> Names() const {
    std::vector<std::string> names;
    for (const Asked& one : asked) names.push_back(one.holder);
    return names;
  }

  std::map<std::string, Holder> holders;
  std::deque<Asked> asked;

 private:
  class Stream final : public WeightStream {
   public:
    Stream(const Holder& holder, Asked& asked) : holder_(holder), asked_(asked), stream_(holder.weights) {}
    absl::StatusOr<v1::WeightManifest> Manifest() override { return stream_.Manifest(); }
    absl::StatusOr<size_t> Read(int64_t bucket, int64_t offset, std::span<char> into) override {
      if (asked_.first_bucket < 0) asked_.first_bucket = bucket;
      if (reads_++ == holder_.reads) return holder_.trouble;
      return stream_.Read(bucket, offset, into);
    }

   private:
    const Holder& holder_;
    Asked& asked_;
    MemoryWeightStream stream_;
    int reads_ = 0;
  };
};

class ResumingFetchTest : public ::testing::Test {
 protected:
  ResumingFetchTest() { *view_.mutable_current_version() = wanted_.version; }

  ScriptedHolders::Holder& Add(const std::string& address, v1::Role role = v1::ROLE_ROLLOUT_WORKER) {
    v1::Member& member = *view_.add_weight_holders();
    member.set_address(address);
    member.set_role(role);
    return transport_.holders[address] = {.weights = weights_};
  }
  absl::StatusOr<VerifiedWeights> Fetch() { return Fetch(wanted_); }
  absl::StatusOr<VerifiedWeights> Fetch(const WantedWeights& wanted) {
    transport_.asked.clear();
    return fetch_.Fetch(wanted, [this] { return view_; });
  }

  const std::shared_ptr<const PackedWeights> weights_ = std::make_shared<const PackedWeights>(SomeWeights(4));
  const WantedWeights wanted_ = WantedOf(*weights_);
  v1::PoolView view_;
  ScriptedHolders transport_, first_;
  std::map<v1::Role, int64_t> bytes_;
  ResumingFetch fetch_{
      transport_,
      {.own_address = "me:1",
       .limits = {},
       .seed = 1,
       .on_bytes = [this](int64_t bytes, v1::Role role, absl::string_view) { bytes_[role] += bytes; },
       .first = &first_}};
};

constexpr int kReadsOfLarge = 20;  // 6 MB in pieces of .3 MB

TEST_F(ResumingFetchTest, AsksNobodyWhereNobodyIs) {
  EXPECT_TRUE(absl::IsUnavailable(Fetch().status()));
  Add("me:1");
  EXPECT_TRUE(absl::IsUnavailable(Fetch().status()));
  EXPECT_THAT(transport_.Names(), ElementsAre());
}

// The transport that is tried first has what Add() gave the learner, until it breaks.
TEST_F(ResumingFetchTest, TriesTheFirstTransportOnceForEachVersion) {
  first_.holders["learner:1"] = {.weights = weights_, .reads = kReadsOfLarge + 2};
  EXPECT_TRUE(absl::IsUnavailable(Fetch().status()));
  EXPECT_THAT(first_.Names(), ElementsAre()) << "there is no learner";
  const auto other = std::make_shared<const PackedWeights>(SomeWeights(5, 'b'));
  first_.holders["learner:1"].weights = other;
  Add("learner:1", v1::ROLE_LEARNER) = {.weights = other, .reads = 3};
  *view_.mutable_current_version() = other->manifest.version();
  EXPECT_TRUE(absl::IsUnavailable(Fetch(WantedOf(*other)).status()));
  EXPECT_THAT(first_.Names(), ElementsAre("learner:1"));
  ASSERT_EQ(transport_.asked.size(), 1u);
  EXPECT_EQ(transport_.asked[0].first_bucket, 1) << "what came first stays";
  transport_.holders["learner:1"].reads = 1000;
  const auto fetched = Fetch(WantedOf(*other));
  ASSERT_TRUE(fetched.ok()) << fetched.status();
  EXPECT_EQ(first_.asked.size(), 1u) << "not again";
  EXPECT_TRUE(SameBytes(fetched->buckets(), other->buckets));
}

TEST_F(ResumingFetchTest, AWholeVersionOfTheFirstTransportIsAll) {
  Add("learner:1", v1::ROLE_LEARNER);
  first_.holders["learner:1"] = {.weights = weights_};
  ASSERT_TRUE(Fetch().ok());
  EXPECT_THAT(transport_.Names(), ElementsAre());
}

TEST_F(ResumingFetchTest, GoesOnWithAnotherHolderWhereOneBroke) {
  Add("learner:1", v1::ROLE_LEARNER).reads = kReadsOfLarge + 2;
  Add("worker:1").reads = kReadsOfLarge + 2;
  // One of them sends the first bucket and a part of the second; the other the second, which takes 22 reads,
  // and breaks off in the third.
  EXPECT_TRUE(absl::IsUnavailable(Fetch().status()));
  EXPECT_THAT(transport_.Names(), UnorderedElementsAre("learner:1", "worker:1"));
  EXPECT_EQ(transport_.asked[0].first_bucket, 0);
  EXPECT_EQ(transport_.asked[1].first_bucket, 1);
  // The next call goes on.
  const auto fetched = Fetch();
  ASSERT_TRUE(fetched.ok()) << fetched.status();
  EXPECT_EQ(transport_.asked[0].first_bucket, 2);
  EXPECT_TRUE(SameBytes(fetched->buckets(), weights_->buckets));
  EXPECT_GT(bytes_[v1::ROLE_LEARNER], 0);
  EXPECT_GT(bytes_[v1::ROLE_ROLLOUT_WORKER], 0);
  EXPECT_GT(fetch_.verify_seconds(), 0);
  EXPECT_GT(fetch_.receive_seconds(), 0);
}

TEST_F(ResumingFetchTest, AsksAHolderThatLiedOnceOnly) {
  PackedWeights wrong = CopyOf(*weights_);
  wrong.buckets[1].data()[5] ^= 1;
  Add("liar:1").weights = std::make_shared<const PackedWeights>(std::move(wrong));
  const absl::Status status = Fetch().status();
  EXPECT_TRUE(absl::IsDataLoss(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr("(from liar:1)"));
  EXPECT_TRUE(absl::IsUnavailable(Fetch().status()));
  EXPECT_THAT(transport_.Names(), ElementsAre());
  Add("worker:1");
  ASSERT_TRUE(Fetch().ok());
  EXPECT_THAT(transport_.Names(), ElementsAre("worker:1"));
  EXPECT_EQ(transport_.asked[0].first_bucket, 1);
}

TEST_F(ResumingFetchTest, AsksAFullHolderAgainInTheNextCall) {
  ScriptedHolders::Holder& holder = Add("worker:1");
  holder.reads = 0;
  holder.trouble = absl::ResourceExhaustedError("full");
  EXPECT_TRUE(absl::IsResourceExhausted(Fetch().status()));
  EXPECT_THAT(transport_.Names(), ElementsAre("worker:1"));
  holder.reads = 1000;
  EXPECT_TRUE(Fetch().ok());
}

TEST_F(ResumingFetchTest, KeepsNothingForAnotherDigest) {
  Add("worker:1").reads = kReadsOfLarge + 3;
  EXPECT_FALSE(Fetch().ok());
  const auto other = std::make_shared<const PackedWeights>(SomeWeights(4, 'b'));
  transport_.holders["worker:1"] = {.weights = other};
  *view_.mutable_current_version() = other->manifest.version();
  const auto fetched = Fetch(WantedOf(*other));
  ASSERT_TRUE(fetched.ok()) << fetched.status();
  EXPECT_EQ(transport_.asked[0].first_bucket, 0);
  EXPECT_TRUE(SameBytes(fetched->buckets(), other->buckets));
}

TEST_F(ResumingFetchTest, DoesNotLookForAVersionThatIsNoLongerCurrent) {
  Add("worker:1").reads = 5;
  Add("worker:2").reads = 5;
  view_.mutable_current_version()->set_digest("newer");
  EXPECT_TRUE(absl::IsAborted(Fetch().status()));
  EXPECT_EQ(transport_.asked.size(), 1u);
}

// Rounds in which everyone who has the version serves `kStreams`: N workers have it in O(log N) of them.
TEST_F(ResumingFetchTest, AThousandWorkersHaveAVersionAfterFewRounds) {
  constexpr int kWorkers = 1000, kStreams = 4;
  v1::PoolView view;
  view.add_weight_holders()->set_address("learner");
  Random random(1);
  int fetched = 0, rounds = 0;
  for (; fetched < kWorkers; ++rounds) {
    std::map<std::string, int> streams;
    int served = 0;
    for (int worker = fetched; worker < kWorkers; ++worker) {
      std::set<std::string> full;
      absl::StatusOr<v1::Member> holder = PickHolder(view, full, random.Next());
      for (int tries = 0; tries < 3 && streams[holder->address()] == kStreams; ++tries) {
        full.insert(holder->address());
        absl::StatusOr<v1::Member> other = PickHolder(view, full, random.Next());
        if (other.ok()) holder = std::move(other);
      }
      if (streams[holder->address()] == kStreams) continue;
      ++streams[holder->address()];
      ++served;
    }
    for (int i = 0; i < served; ++i)
      view.add_weight_holders()->set_address(absl::StrCat("worker", fetched++));
  }
  EXPECT_LE(rounds, 7);  // log(1001) / log(5) = 4.3
}

}  // namespace
}  // namespace lvrpo
