#include "reward_server/scoring/scoring_pool.h"

#include <atomic>
#include <cmath>
#include <set>
#include <stdexcept>
#include <thread>

#include "absl/synchronization/notification.h"
#include "common/net/rpc.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/fake_clock.h"

namespace lvrpo {
namespace {

using ::testing::HasSubstr;

// A scorer whose behaviour the test sets.
class FakeScorer : public Scorer {
 public:
  FakeScorer(std::string name, std::function<float()> score)
      : name_(std::move(name)), score_(std::move(score)) {}
  std::string name() const override { return name_; }
  std::string digest() const override { return name_ + "/1"; }
  std::string ComputeDigest() const override { return name_ + (damaged ? "/damaged" : "/1"); }
  bool AppliesTo(const v1::PromptRecord&) const override { return true; }
  absl::StatusOr<std::vector<SampleScore>> ScoreGroup(const ScoringGroup& group) override {
    ++calls;
    return std::vector<SampleScore>(group.size(), SampleScore{.value = score_(), .detail = "", .maps = {}});
  }
  std::atomic<int> calls = 0;
  std::atomic<bool> damaged = false;

 private:
  const std::string name_;
  const std::function<float()> score_;
};

ScoringGroup MakeGroup(const std::string& text) {
  ScoringGroup group;
  group.prompt.set_id("p");
  group.prompt.set_task(v1::TASK_KIND_TEXT);
  group.texts = {text, text + "!"};
  return group;
}

class PoolTest : public ::testing::Test {
 protected:
  FakeScorer& Add(const std::string& name, std::function<float()> score) {
    auto scorer = std::make_unique<FakeScorer>(name, std::move(score));
    FakeScorer& added = *scorer;
    scorers_.push_back(std::move(scorer));
    weights_[name] = 1;
    return added;
  }
  void Start(PoolOptions options = {}) {
    for (const std::string& name : logged_) weights_.erase(name);
    set_ = std::make_unique<ScorerSet>(std::move(scorers_), weights_, logged_);
    pool_ = std::make_unique<ScoringPool>(*set_, options, clock_, metrics_);
  }
  absl::StatusOr<v1::ScoreResponse> Score(const std::string& text) {
    return pool_->Score(MakeGroup(text), clock_.Now() + absl::Hours(1));
  }
  // By component, of the first sample.
  static std::map<std::string, v1::ComponentScore> ByName(const v1::ScoreResponse& response) {
    std::map<std::string, v1::ComponentScore> scores;
    for (const v1::ComponentScore& score : response.items(0).scores()) scores[score.name()] = score;
    return scores;
  }

  FakeClock clock_;
  Metrics metrics_;
  std::vector<std::unique_ptr<Scorer>> scorers_;
  std::map<std::string, double> weights_;
  std::set<std::string> logged_;
  std::unique_ptr<ScorerSet> set_;
  std::unique_ptr<ScoringPool> pool_;
};

TEST_F(PoolTest, AScorerThatGoesWrongCostsItsOwnComponent) {
  Add("good", [] { return .5f; });
  Add("nan", [] { return std::nanf(""); });
  Add("throws", []() -> float { throw std::runtime_error("out of luck"); });
  Start();
  const auto response = Score("a");
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->items_size(), 2);
  EXPECT_FALSE(response->items(0).complete());
  const auto scores = ByName(*response);
  EXPECT_EQ(scores.at("good").outcome(), v1::ComponentScore::OK);
  EXPECT_EQ(scores.at("good").score(), .5f);
  for (const char* name : {"nan", "throws"}) {
    EXPECT_EQ(scores.at(name).outcome(), v1::ComponentScore::SCORER_FAILED) << name;
    EXPECT_EQ(scores.at(name).score(), 0);
  }
}

TEST_F(PoolTest, AScorerThatHangsEndsByItsDeadlineAndTheOthersAnswer) {
  absl::Notification inside, open;
  Add("good", [] { return 1.f; });
  Add("hangs", [&] {
    if (!inside.HasBeenNotified()) inside.Notify();
    open.WaitForNotification();
    return 1.f;
  });
  Start({.lane = {.compute_deadline = absl::Seconds(3)}});
  absl::StatusOr<v1::ScoreResponse> response;
  std::thread caller([&] { response = Score("a"); });
  inside.WaitForNotification();
  clock_.Advance(absl::Seconds(4));  // the pool's thread notices
  caller.join();
  ASSERT_TRUE(response.ok()) << response.status();
  const auto scores = ByName(*response);
  EXPECT_EQ(scores.at("good").outcome(), v1::ComponentScore::OK);
  EXPECT_EQ(scores.at("hangs").outcome(), v1::ComponentScore::TIMED_OUT);
  EXPECT_THAT(scores.at("hangs").detail(), HasSubstr("computed longer than its deadline of 3 s"));
  EXPECT_FALSE(response->items(0).complete());
  EXPECT_EQ(pool_->hanging(), "hangs");
  pool_->Report();
  EXPECT_THAT(metrics_.Render(), HasSubstr("lvrpo_reward_busy_seconds{component=\"hangs\"} 4"));
  open.Notify();
  pool_.reset();  // ends the scorer's thread, which may be inside `open` still
}

// A scorer "slow" whose queue of one request is full, and a quick one.
class FullPoolTest : public PoolTest {
 protected:
  void Fill() {
    Add("slow", [this] {
      if (!inside_.HasBeenNotified()) inside_.Notify();
      open_.WaitForNotification();
      return 1.f;
    });
    // Asked after the other: once it has answered, the other's queue has the request.
    FakeScorer& quick = Add("quick", [] { return 1.f; });
    Start({.lane = {.limit = 1}});
    callers_.emplace_back([this] { EXPECT_TRUE(Score("computed").ok()); });
    inside_.WaitForNotification();
    while (quick.calls < 1) std::this_thread::yield();
    callers_.emplace_back([this] { EXPECT_TRUE(Score("waits").ok()); });
    while (pool_->load() < 2 || quick.calls < 2) std::this_thread::yield();
  }
  void Empty() {
    open_.Notify();
    for (std::thread& caller : callers_) caller.join();
  }

 private:
  absl::Notification inside_, open_;
  std::vector<std::thread> callers_;
};

TEST_F(FullPoolTest, RefusesWhatAQueueCannotTakeWithAHint) {
  Fill();
  const absl::Status refused = Score("too many").status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted) << refused;
  EXPECT_THAT(std::string(refused.message()), HasSubstr("'slow' is full"));
  EXPECT_EQ(ErrorInfoOf(refused).reason(), v1::REFUSAL_OVERLOADED);
  EXPECT_GT(ErrorInfoOf(refused).retry_after_seconds(), 0);
  Empty();
  EXPECT_TRUE(Score("again").ok());
  EXPECT_EQ(pool_->load(), 0);
}

TEST_F(PoolTest, HoldsNoMoreThanItMay) {
  absl::Notification inside, open;
  Add("slow", [&] {
    if (!inside.HasBeenNotified()) inside.Notify();
    open.WaitForNotification();
    return 1.f;
  });
  Start({.most_open_bytes = 1000});
  // A single request is accepted however large.
  std::thread large([&] { EXPECT_TRUE(Score(std::string(5000, 'x')).ok()); });
  inside.WaitForNotification();
  const absl::Status refused = Score("little").status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted) << refused;
  EXPECT_THAT(std::string(refused.message()), HasSubstr("holds as much as it may"));
  EXPECT_GT(ErrorInfoOf(refused).retry_after_seconds(), 0);
  open.Notify();
  large.join();
  EXPECT_TRUE(Score("little").ok());
}

TEST_F(FullPoolTest, RefusesNothingForAScorerThatIsOnlyLogged) {
  logged_ = {"slow"};
  Fill();
  const auto answer = Score("too many");
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_TRUE(answer->items(0).complete());
  ASSERT_EQ(answer->items(0).logged_size(), 1);
  EXPECT_EQ(answer->items(0).logged(0).outcome(), v1::ComponentScore::OVERLOADED);
  Empty();
}

TEST_F(PoolTest, WhatComesAgainIsNotComputedAgain) {
  FakeScorer& scorer = Add("good", [] { return .25f; });
  Start({.cached_scores = 4});
  const auto first = Score("a"), again = Score("a");
  ASSERT_TRUE(first.ok() && again.ok());
  EXPECT_EQ(scorer.calls, 1);
  EXPECT_EQ(again->items(1).reward(), .25f);
  EXPECT_THAT(metrics_.Render(), HasSubstr("lvrpo_reward_cached_items_total{component=\"good\"} 2"));
  (void)Score("b"), (void)Score("c");  // two samples each: "a" has gone
  (void)Score("a");
  EXPECT_EQ(scorer.calls, 4);
  // Evidence is never from the cache.
  ScoringGroup evidence = MakeGroup("a");
  evidence.want_evidence = true;
  (void)pool_->Score(evidence, absl::InfiniteFuture());
  EXPECT_EQ(scorer.calls, 5);
}

TEST(ScoreCache, KeysTellApartEverythingThatDecidesAScore) {
  const ScoringGroup group = MakeGroup("x");
  ScoringGroup other_prompt = group, image = group, turned, seen, seen_twice;
  other_prompt.prompt.set_text("y");
  image.prompt.set_task(v1::TASK_KIND_IMAGE);
  image.images = {{2, 1, std::vector<uint8_t>(6, 1)}};
  turned = seen = seen_twice = image;
  turned.images = {{1, 2, std::vector<uint8_t>(6, 1)}};
  seen.detections = {std::vector<Detection>(1)};
  seen_twice.detections = {std::vector<Detection>(2)};
  std::set<std::string> keys;
  for (const ScoringGroup& different : {group, other_prompt, image, turned, seen, seen_twice}) {
    const std::vector<std::string> of_samples = ScoreCache::ContentKeys(different);
    keys.insert(of_samples.begin(), of_samples.end());
  }
  EXPECT_EQ(keys.size(), group.size() + other_prompt.size() + 4);
  EXPECT_EQ(ScoreCache::ContentKeys(group), ScoreCache::ContentKeys(MakeGroup("x")));

  FakeScorer a("a", [] { return 1.f; }), b("b", [] { return 1.f; });
  ScoreCache cache(10);
  cache.Keep(a, {"key"},
             {SampleScore{.value = .5f, .detail = "", .maps = {}, .guards = {{"one_patch", .25f}}}});
  EXPECT_FALSE(cache.Find(b, {"key"}).has_value());
  const auto known = cache.Find(a, {"key"});
  ASSERT_TRUE(known.has_value());
  EXPECT_EQ((*known)[0].guards.at("one_patch"), .25f);
}

TEST_F(PoolTest, AScorerThatIsNotWhatItsDigestSaysEndsTheServer) {
  FakeScorer& scorer = Add("good", [] { return 1.f; });
  Start();
  pool_->Verify();
  EXPECT_EQ(pool_->broken(), "");
  scorer.damaged = true;
  pool_->Verify();
  EXPECT_THAT(pool_->broken(), HasSubstr("'good'"));
  EXPECT_EQ(Score("a").status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(PoolTest, DrainingAnswersWhatIsThereAndRefusesTheRest) {
  absl::Notification inside, open;
  Add("slow", [&] {
    if (!inside.HasBeenNotified()) inside.Notify();
    open.WaitForNotification();
    return 1.f;
  });
  Start();
  std::thread caller([&] { EXPECT_TRUE(Score("a").ok()); });
  inside.WaitForNotification();
  std::thread drain([&] { pool_->Drain(); });
  while (!absl::IsUnavailable(pool_->Score(MakeGroup("a"), clock_.Now()).status())) std::this_thread::yield();
  open.Notify();
  drain.join();
  caller.join();
  EXPECT_EQ(pool_->load(), 0);
}

}  // namespace
}  // namespace lvrpo
