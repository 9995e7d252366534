#include "tests/collectives/collectives_suite.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "gmock/gmock.h"
#include "tests/collectives/spans.h"

namespace lvrpo {

using testing::AnyOf;
using testing::ElementsAre;
using testing::HasSubstr;

void CollectivesSuite::OnEach(Ranks& ranks, const std::function<void(Collectives&)>& run) {
  std::vector<std::thread> threads;
  for (const auto& rank : ranks.ranks) threads.emplace_back([&run, &rank] { run(*rank); });
  for (std::thread& thread : threads) thread.join();
}

namespace {

// Values that differ from rank to rank and place to place, and are exact in every element.
template <typename T>
std::vector<T> Numbers(int rank, int64_t count) {
  std::vector<T> values;
  for (int64_t i = 0; i < count; ++i) values.push_back(static_cast<T>(100 * (rank + 1) + i));
  return values;
}

template <typename T>
void CheckAllGather(Collectives& rank) {
  SCOPED_TRACE(absl::StrCat("rank ", rank.rank(), " of ", rank.size()));
  std::vector<T> expected;
  for (int other = 0; other < rank.size(); ++other) {
    for (T value : Numbers<T>(other, 3)) expected.push_back(value);
  }
  std::vector<T> in = Numbers<T>(rank.rank(), 3);
  std::vector<T> out(3 * rank.size());
  EXPECT_EQ(rank.AllGather(SpanOf(in), SpanOf(out))->Wait(), absl::OkStatus());
  EXPECT_EQ(out, expected);

  std::vector<T> in_place(3 * rank.size());
  std::copy(in.begin(), in.end(), in_place.begin() + 3 * rank.rank());
  EXPECT_EQ(rank.AllGather(PartOf(in_place, 3 * rank.rank(), 3), SpanOf(in_place))->Wait(), absl::OkStatus());
  EXPECT_EQ(in_place, expected);
}

template <typename T>
void CheckReductions(Collectives& rank) {
  SCOPED_TRACE(absl::StrCat("rank ", rank.rank(), " of ", rank.size()));
  const int n = rank.size();
  const auto sum_at = [n](int64_t i) { return static_cast<T>(100 * n * (n + 1) / 2 + n * i); };
  std::vector<T> all = Numbers<T>(rank.rank(), 2 * n);
  std::vector<T> part(2);
  EXPECT_EQ(rank.ReduceScatter(SpanOf(all), SpanOf(part))->Wait(), absl::OkStatus());
  EXPECT_THAT(part, ElementsAre(sum_at(2 * rank.rank()), sum_at(2 * rank.rank() + 1)));
  EXPECT_EQ(rank.ReduceScatter(SpanOf(all), PartOf(all, 2 * rank.rank(), 2))->Wait(), absl::OkStatus());
  EXPECT_EQ(all[2 * rank.rank()], sum_at(2 * rank.rank()));

  std::vector<T> data = Numbers<T>(rank.rank(), 2);
  EXPECT_EQ(rank.AllReduce(SpanOf(data), Reduction::kSum)->Wait(), absl::OkStatus());
  EXPECT_THAT(data, ElementsAre(sum_at(0), sum_at(1)));
  data = Numbers<T>(rank.rank(), 2);
  EXPECT_EQ(rank.AllReduce(SpanOf(data), Reduction::kMax)->Wait(), absl::OkStatus());
  EXPECT_EQ(data, Numbers<T>(n - 1, 2));
  data = Numbers<T>(rank.rank(), 2);
  EXPECT_EQ(rank.AllReduce(SpanOf(data), Reduction::kMin)->Wait(), absl::OkStatus());
  EXPECT_EQ(data, Numbers<T>(0, 2));
}

TEST_P(CollectivesSuite, GathersEveryElement) {
  for (int size = 1; size <= 4; ++size) {
    const auto ranks = Make(size);
    OnEach(*ranks, [](Collectives& rank) {
      CheckAllGather<float>(rank);
      CheckAllGather<double>(rank);
      CheckAllGather<BFloat16Bits>(rank);
      CheckAllGather<int64_t>(rank);
      CheckAllGather<uint8_t>(rank);
    });
  }
}

TEST_P(CollectivesSuite, ReducesEveryElement) {
  for (int size = 1; size <= 4; ++size) {
    const auto ranks = Make(size);
    OnEach(*ranks, [](Collectives& rank) {
      CheckReductions<float>(rank);
      CheckReductions<double>(rank);
      CheckReductions<int64_t>(rank);
    });
  }
}

TEST_P(CollectivesSuite, BroadcastsFromEveryRoot) {
  for (int size = 1; size <= 4; ++size) {
    const auto ranks = Make(size);
    OnEach(*ranks, [](Collectives& rank) {
      for (int root = 0; root < rank.size(); ++root) {
        std::vector<uint8_t> data = Numbers<uint8_t>(rank.rank(), 5);
        EXPECT_EQ(rank.Broadcast(SpanOf(data), root)->Wait(), absl::OkStatus());
        EXPECT_EQ(data, Numbers<uint8_t>(root, 5));
      }
    });
  }
}

TEST_P(CollectivesSuite, KnowsItsRanks) {
  const auto ranks = Make(3);
  for (int rank = 0; rank < 3; ++rank) {
    EXPECT_EQ(ranks->ranks[rank]->rank(), rank);
    EXPECT_EQ(ranks->ranks[rank]->size(), 3);
    EXPECT_EQ(ranks->ranks[rank]->name(), GetParam().name);
  }
}

TEST_P(CollectivesSuite, AddsInRankOrderBitForBit) {
  if (!GetParam().sums_in_rank_order) GTEST_SKIP() << "promises no order";
  for (int size = 1; size <= 4; ++size) {
    constexpr int kCount = 5;
    std::vector<std::vector<float>> inputs(size);
    std::mt19937 random(18);
    for (auto& values : inputs) {
      // Exponents apart, so that nearly every other order gives other bits.
      for (int i = 0; i < kCount * size; ++i)
        values.push_back(std::ldexp(1.0F + random() * 0x1p-32F, random() % 20));
    }
    std::vector<float> expected = inputs[0];
    for (int rank = 1; rank < size; ++rank) {
      for (int i = 0; i < kCount * size; ++i) expected[i] += inputs[rank][i];
    }
    const auto ranks = Make(size);
    OnEach(*ranks, [&](Collectives& rank) {
      std::vector<float> part(kCount);
      EXPECT_EQ(rank.ReduceScatter(SpanOf(inputs[rank.rank()]), SpanOf(part))->Wait(), absl::OkStatus());
      const auto begin = expected.begin() + kCount * rank.rank();
      EXPECT_EQ(part, std::vector<float>(begin, begin + kCount));
      std::vector<float> all = inputs[rank.rank()];
      EXPECT_EQ(rank.AllReduce(SpanOf(all), Reduction::kSum)->Wait(), absl::OkStatus());
      EXPECT_EQ(all, expected);
    });
  }
}

TEST_P(CollectivesSuite, RoundsBfloat16OnceToNearestEven) {
  if (!GetParam().sums_in_rank_order) GTEST_SKIP() << "promises no order";
  // 1 + 2^-8 is halfway between 1 and the next bf16, 1 + 2^-7. The columns: 1 + 2^-8 + 0 rounds to even,
  // down; 1 + 2^-8 + 2^-8 is exact if only the end is rounded; (1 + 2^-7) + 2^-8 rounds to even, up, to 1 +
  // 2^-6.
  constexpr uint16_t kOne = 0x3f80, kHalfStep = 0x3b80, kZero = 0;
  const std::vector<std::vector<uint16_t>> inputs = {
      {kOne, kOne, kOne + 1}, {kHalfStep, kHalfStep, kHalfStep}, {kZero, kHalfStep, kZero}};
  const auto ranks = Make(3);
  OnEach(*ranks, [&](Collectives& rank) {
    std::vector<BFloat16Bits> data;
    for (uint16_t bits : inputs[rank.rank()]) data.push_back(BFloat16Bits{bits});
    EXPECT_EQ(rank.AllReduce(SpanOf(data), Reduction::kSum)->Wait(), absl::OkStatus());
    EXPECT_THAT(data, ElementsAre(BFloat16Bits{kOne}, BFloat16Bits{kOne + 1}, BFloat16Bits{kOne + 2}));
  });
}

TEST_P(CollectivesSuite, PassesNonFiniteValuesOn) {
  const auto ranks = Make(2);
  OnEach(*ranks, [](Collectives& rank) {
    std::vector<float> data = {rank.rank() == 0 ? std::numeric_limits<float>::quiet_NaN() : 1.0F,
                               rank.rank() == 1 ? std::numeric_limits<float>::infinity() : 1.0F};
    EXPECT_EQ(rank.AllReduce(SpanOf(data), Reduction::kSum)->Wait(), absl::OkStatus());
    EXPECT_TRUE(std::isnan(data[0]));
    EXPECT_TRUE(std::isinf(data[1]));
    std::vector<BFloat16Bits> bits = {
        BFloat16Bits{static_cast<uint16_t>(rank.rank() == 0 ? 0x7fc0 : 0x3f80)}};
    EXPECT_EQ(rank.AllReduce(SpanOf(bits), Reduction::kSum)->Wait(), absl::OkStatus());
    EXPECT_GT(static_cast<int>(bits[0]) & 0x7fff, 0x7f80) << "not a NaN any more";
  });
}

TEST_P(CollectivesSuite, HasOperationsInProgress) {
  const auto ranks = Make(3);
  OnEach(*ranks, [](Collectives& rank) {
    std::vector<int64_t> gathered(3), number = {rank.rank()}, sum = {rank.rank() + 1},
                                      shared = {rank.rank() + 10};
    auto gather = rank.AllGather(SpanOf(number), SpanOf(gathered));
    auto reduce = rank.AllReduce(SpanOf(sum), Reduction::kSum);
    auto broadcast = rank.Broadcast(SpanOf(shared), 2);
    EXPECT_EQ(broadcast->Wait(), absl::OkStatus());
    EXPECT_EQ(gather->Wait(), absl::OkStatus());
    EXPECT_EQ(gather->Wait(), absl::OkStatus()) << "a second time";
    reduce.reset();  // waits
    EXPECT_THAT(gathered, ElementsAre(0, 1, 2));
    EXPECT_THAT(sum, ElementsAre(6));
    EXPECT_THAT(shared, ElementsAre(12));
  });
}

TEST_P(CollectivesSuite, TakesCountsOfZeroAndLargeOnes) {
  const auto ranks = Make(3);
  OnEach(*ranks, [](Collectives& rank) {
    std::vector<float> none;
    EXPECT_EQ(rank.AllReduce(SpanOf(none), Reduction::kSum)->Wait(), absl::OkStatus());
    EXPECT_EQ(rank.AllGather(SpanOf(none), SpanOf(none))->Wait(), absl::OkStatus());
    std::vector<float> many(300'001, rank.rank() + 1.0F);
    EXPECT_EQ(rank.AllReduce(SpanOf(many), Reduction::kSum)->Wait(), absl::OkStatus());
    EXPECT_EQ(many, std::vector<float>(300'001, 6.0F));
    std::vector<float> all(3 * many.size());
    EXPECT_EQ(rank.AllGather(SpanOf(many), SpanOf(all))->Wait(), absl::OkStatus());
    EXPECT_EQ(all, std::vector<float>(3 * many.size(), 6.0F));
  });
}

TEST_P(CollectivesSuite, GivesTheSameAsOneThread) {
  // A few hundred operations that a seed decides, up to four in progress.
  constexpr int kSize = 4, kOperations = 200;
  const auto ranks = Make(kSize);
  OnEach(*ranks, [](Collectives& rank) {
    std::mt19937 random(7);
    std::vector<int64_t> data = {rank.rank() + 1}, all(kSize), expected = {1, 2, 3, 4};
    for (int i = 0; i < kOperations; ++i) {
      const int kind = static_cast<int>(random() % 3), root = static_cast<int>(random() % kSize);
      auto gather = rank.AllGather(SpanOf(data), SpanOf(all));
      std::unique_ptr<Pending> pending;
      if (kind == 0) pending = rank.Broadcast(SpanOf(data), root);
      if (kind == 1) pending = rank.AllReduce(SpanOf(data), Reduction::kMax);
      if (kind == 2) pending = rank.ReduceScatter(SpanOf(all), SpanOf(data));
      ASSERT_EQ(gather->Wait(), absl::OkStatus());
      ASSERT_EQ(all, expected) << "operation " << i;
      ASSERT_EQ(pending->Wait(), absl::OkStatus());
      const std::vector<int64_t> before = expected;
      for (int other = 0; other < kSize; ++other) {
        if (kind == 0) expected[other] = before[root];
        if (kind == 1) expected[other] = *std::max_element(before.begin(), before.end());
        if (kind == 2) expected[other] = kSize * before[other];
        expected[other] = expected[other] % 1000 + other;
      }
      data[0] = data[0] % 1000 + rank.rank();
    }
  });
}

TEST_P(CollectivesSuite, HoldsAtABarrier) {
  const auto ranks = Make(4);
  std::atomic<int> there = 0;
  OnEach(*ranks, [&](Collectives& rank) {
    for (int round = 1; round <= 10; ++round) {
      ++there;
      EXPECT_EQ(rank.Barrier(), absl::OkStatus());
      EXPECT_GE(there, 4 * round);
      EXPECT_EQ(rank.Barrier(), absl::OkStatus());
    }
  });
}

TEST_P(CollectivesSuite, RefusesArgumentsThatDoNotFit) {
  const auto ranks = Make(2);
  OnEach(*ranks, [](Collectives& rank) {
    std::vector<float> two(2), three(3);
    std::vector<int64_t> numbers(4);
    std::vector<uint8_t> bytes(2), four_bytes(4);
    const Span nothing = {.data = nullptr, .count = 2, .element = Element::kFloat32};
    const Span negative = {.data = two.data(), .count = -1, .element = Element::kFloat32};
    const auto refuses = [](std::unique_ptr<Pending> pending, const char* why) {
      const absl::Status status = pending->Wait();
      EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
      EXPECT_THAT(std::string(status.message()), HasSubstr(why));
    };
    refuses(rank.AllGather(SpanOf(two), SpanOf(three)), "2 ranks with 2 elements each do not make 3");
    refuses(rank.AllGather(SpanOf(two), SpanOf(numbers)), "fp32 and int64");
    refuses(rank.AllGather(negative, SpanOf(two)), "count of -1");
    refuses(rank.ReduceScatter(SpanOf(three), SpanOf(two)), "do not make 3");
    refuses(rank.ReduceScatter(SpanOf(four_bytes), SpanOf(bytes)), "bytes have no reduction");
    refuses(rank.AllReduce(SpanOf(bytes), Reduction::kSum), "bytes have no reduction");
    refuses(rank.AllReduce(nothing, Reduction::kSum), "no memory for 2 elements");
    refuses(rank.Broadcast(SpanOf(two), 2), "root 2 of 2 ranks");
    refuses(rank.Broadcast(SpanOf(two), -1), "root -1");
    std::vector<float> good = {1};
    EXPECT_EQ(rank.AllReduce(SpanOf(good), Reduction::kSum)->Wait(), absl::OkStatus());
    EXPECT_THAT(good, ElementsAre(2));
  });
}

TEST_P(CollectivesSuite, EndsAtTheDeadlineOfALateRank) {
  const auto ranks = Make(3, kShort);
  std::vector<std::thread> threads;
  std::vector<absl::Status> results(2);
  for (int rank : {0, 1}) {
    threads.emplace_back([&, rank] {
      std::vector<float> data(4);
      results[rank] = ranks->ranks[rank]->AllReduce(SpanOf(data), Reduction::kMax)->Wait();
    });
  }
  for (std::thread& thread : threads) thread.join();
  // The first to see it breaks the communicator; the other may learn of that before its own deadline.
  EXPECT_THAT(results,
              testing::Contains(testing::Property(&absl::Status::code, absl::StatusCode::kDeadlineExceeded)));
  for (const absl::Status& status : results) {
    EXPECT_THAT(status.code(), AnyOf(absl::StatusCode::kDeadlineExceeded, absl::StatusCode::kUnavailable))
        << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr("operation 0"));
    if (status.code() != absl::StatusCode::kDeadlineExceeded) continue;
    EXPECT_THAT(std::string(status.message()), HasSubstr("all_reduce(max, 4 fp32)"));
    EXPECT_THAT(std::string(status.message()), HasSubstr("20ms"));
    if (GetParam().names_late_ranks) {
      EXPECT_THAT(std::string(status.message()), HasSubstr("not called by rank 2"));
    }
  }
  // The late rank may find what the others had sent already; what follows fails on all.
  std::vector<float> data(4);
  ranks->ranks[2]->AllReduce(SpanOf(data), Reduction::kMax)->Wait().IgnoreError();
  for (const auto& rank : ranks->ranks) EXPECT_FALSE(rank->Barrier().ok());
}

TEST_P(CollectivesSuite, NamesThePlaceOfWhatDoesNotEnd) {
  if (!GetParam().roots_wait) GTEST_SKIP() << "a broadcast ends alone";
  const auto ranks = Make(2, kShort);
  std::vector<float> data(1), all(2);
  auto first = ranks->ranks[0]->Broadcast(SpanOf(data), 0);
  auto second = ranks->ranks[0]->AllGather(SpanOf(data), SpanOf(all));
  const absl::Status late = second->Wait();
  EXPECT_EQ(late.code(), absl::StatusCode::kDeadlineExceeded) << late;
  EXPECT_THAT(std::string(late.message()), HasSubstr("broadcast(root 0, 1 fp32), operation 0"));
  EXPECT_EQ(first->Wait().code(), absl::StatusCode::kDeadlineExceeded);
}

TEST_P(CollectivesSuite, TellsThatARankIsGone) {
  const auto ranks = Make(3);
  OnEach(*ranks, [](Collectives& rank) { EXPECT_EQ(rank.Barrier(), absl::OkStatus()); });
  ranks->ranks[1]->Abort("it dies");
  ranks->ranks.erase(ranks->ranks.begin() + 1);
  OnEach(*ranks, [](Collectives& rank) {
    std::vector<float> data(4);
    const absl::Status status = rank.AllReduce(SpanOf(data), Reduction::kSum)->Wait();
    EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
    EXPECT_FALSE(rank.Barrier().ok());
  });
}

TEST_P(CollectivesSuite, TellsThatARankLeft) {
  const auto ranks = Make(2);
  absl::Notification called;
  std::thread waits([&] {
    std::vector<float> data(4);
    auto pending = ranks->ranks[0]->AllReduce(SpanOf(data), Reduction::kSum);
    called.Notify();
    const absl::Status status = pending->Wait();
    EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr("operation 0"));
  });
  called.WaitForNotification();
  ranks->ranks[1].reset();
  waits.join();
  ranks->ranks.pop_back();
}

TEST_P(CollectivesSuite, AbortsWhatIsInProgress) {
  if (!GetParam().aborts_at_once) GTEST_SKIP() << "has no abort";
  const auto ranks = Make(2);
  absl::Notification called;
  std::thread waits([&] {
    std::vector<float> data(4);
    auto pending = ranks->ranks[0]->AllReduce(SpanOf(data), Reduction::kSum);
    called.Notify();
    EXPECT_EQ(pending->Wait(), absl::AbortedError("a newer learner epoch"));
  });
  called.WaitForNotification();
  ranks->ranks[0]->Abort("a newer learner epoch");
  waits.join();
  ranks->ranks[0]->Abort("once more");
  EXPECT_EQ(ranks->ranks[0]->Barrier(), absl::AbortedError("a newer learner epoch"));
  std::vector<float> data(4);
  ranks->ranks[1]
      ->AllReduce(SpanOf(data), Reduction::kSum)
      ->Wait()
      .IgnoreError();  // may have been sent before
  EXPECT_EQ(ranks->ranks[1]->Barrier().code(), absl::StatusCode::kUnavailable);
}

TEST_P(CollectivesSuite, WhatHasEndedStaysWell) {
  const auto ranks = Make(2);
  OnEach(*ranks, [](Collectives& rank) {
    std::vector<float> data = {1};
    auto pending = rank.AllReduce(SpanOf(data), Reduction::kSum);
    EXPECT_EQ(pending->Wait(), absl::OkStatus());
    rank.Abort("the end");
    EXPECT_EQ(pending->Wait(), absl::OkStatus());
    EXPECT_THAT(data, ElementsAre(2));
  });
}

TEST_P(CollectivesSuite, NoticesDifferentCalls) {
  const auto ranks = Make(2, GetParam().tells_mismatches ? kAmple : kShort);
  ranks->ExpectMismatch();
  OnEach(*ranks, [](Collectives& rank) {
    std::vector<float> data(4), all(8);
    const absl::Status status = rank.rank() == 0 ? rank.AllReduce(SpanOf(data), Reduction::kSum)->Wait()
                                                 : rank.AllGather(SpanOf(data), SpanOf(all))->Wait();
    if (GetParam().tells_mismatches) {
      EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
      EXPECT_THAT(std::string(status.message()), HasSubstr("rank 0 all_reduce(sum, 4 fp32)"));
      EXPECT_THAT(std::string(status.message()), HasSubstr("rank 1 all_gather(4 fp32)"));
      EXPECT_THAT(std::string(status.message()), HasSubstr("place 0"));
    } else {
      EXPECT_THAT(status.code(), AnyOf(absl::StatusCode::kDeadlineExceeded, absl::StatusCode::kUnavailable))
          << status;
    }
    EXPECT_FALSE(rank.Barrier().ok());
  });
}

TEST_P(CollectivesSuite, NoticesDifferentArguments) {
  if (!GetParam().tells_mismatches) GTEST_SKIP() << "tells no mismatches";
  using Do = std::function<std::unique_ptr<Pending>(Collectives&, std::vector<float>&)>;
  const std::vector<std::pair<Do, Do>> differ = {
      {[](Collectives& r, auto& d) { return r.AllReduce(SpanOf(d), Reduction::kSum); },
       [](Collectives& r, auto& d) { return r.AllReduce(SpanOf(d), Reduction::kMax); }},
      {[](Collectives& r, auto& d) { return r.Broadcast(SpanOf(d), 0); },
       [](Collectives& r, auto& d) { return r.Broadcast(SpanOf(d), 1); }},
      {[](Collectives& r, auto& d) { return r.Broadcast(SpanOf(d), 0); },
       [](Collectives& r, auto& d) { return r.Broadcast(PartOf(d, 0, 3), 0); }},
  };
  for (const std::pair<Do, Do>& pair : differ) {
    const auto ranks = Make(2);
    OnEach(*ranks, [&](Collectives& rank) {
      std::vector<float> data(4);
      const Do& call = rank.rank() == 0 ? pair.first : pair.second;
      EXPECT_EQ(call(rank, data)->Wait().code(), absl::StatusCode::kFailedPrecondition);
    });
  }
}

}  // namespace
}  // namespace lvrpo
