#include "model/kernels/attention.h"

#include <array>
#include <cmath>

#include "gtest/gtest.h"
#include "model/kernels/cpu_kernels.h"
#include "tests/model/against_torch.h"

namespace lvrpo {
namespace {

class AttentionTest : public ::testing::Test {
 protected:
  void SetUp() override { torch::manual_seed(8); }
};

// bool [rows, T, L]: true for about two keys of three, and always for the last.
torch::Tensor RandomMask(int64_t rows, int64_t queries, int64_t length) {
  torch::Tensor mask = torch::rand({rows, queries, length}) < .67;
  mask.select(2, length - 1).fill_(true);
  return mask;
}

TEST_F(AttentionTest, MatchesTorchWithItsGradients) {
  struct Case {
    int64_t batch, heads, kv_heads, queries, keys, d;
  };
  for (const auto& [batch, heads, kv_heads, queries, keys, d] : std::vector<Case>{{1, 1, 1, 1, 1, 2},
                                                                                  {2, 4, 2, 66, 90, 32},
                                                                                  {3, 3, 1, 25, 7, 16},
                                                                                  {1, 2, 2, 50, 130, 40},
                                                                                  {2, 2, 1, 5, 33, 128},
                                                                                  {1, 6, 2, 97, 97, 30}}) {
    SCOPED_TRACE(testing::Message() << batch << " " << heads << " " << kv_heads << " " << queries << " "
                                    << keys << " " << d);
    const Tensors inputs = {2 * torch::randn({batch, heads, queries, d}),
                            torch::randn({batch, kv_heads, keys, d}),
                            torch::randn({batch, kv_heads, keys, d})};
    for (const torch::Tensor& mask :
         {torch::Tensor(), RandomMask(batch, queries, keys), RandomMask(1, 1, keys)}) {
      ExpectKernelsAreTorch(
          [&](const Tensors& in) -> Tensors { return {Attention(in[0], in[1], in[2], mask)}; }, inputs);
    }
  }
}

// A past shared by samples, one per sample, and none.
TEST_F(AttentionTest, AttendsInEachSegmentToItsPast) {
  const int64_t heads = 4, kv_heads = 2, tokens = 30, d = 16;
  const Tensors inputs = {torch::randn({6, heads, tokens, d}),    torch::randn({6, kv_heads, tokens, d}),
                          torch::randn({6, kv_heads, tokens, d}), torch::randn({1, kv_heads, 9, d}),
                          torch::randn({1, kv_heads, 9, d}),      torch::randn({2, kv_heads, 40, d}),
                          torch::randn({2, kv_heads, 40, d})};
  const torch::Tensor mask = RandomMask(2, tokens, 40 + tokens);
  ExpectKernelsAreTorch(
      [&](const Tensors& in) -> Tensors {
        const std::array<AttentionSegment, 3> segments = {
            {{3, in[3], in[4], {}}, {2, in[5], in[6], mask}, {1, {}, {}, {}}}};
        return {Attention(in[0], in[1], in[2], segments)};
      },
      inputs);
}

TEST_F(AttentionTest, TakesHeadsOfAnyStrides) {
  const torch::Tensor qkv = torch::randn({2, 11, 3 * 24});
  const std::vector<torch::Tensor> parts = qkv.chunk(3, -1);
  const auto heads = [](const torch::Tensor& x) { return SplitHeads(x, 3); };
  const torch::Tensor strided = Attention(heads(parts[0]), heads(parts[1]), heads(parts[2]));
  EXPECT_TRUE(torch::equal(strided, Attention(heads(parts[0]).contiguous(), heads(parts[1]).contiguous(),
                                              heads(parts[2]).contiguous())));
  ExpectKernelsAreTorch(
      [&](const Tensors& in) -> Tensors {
        const std::vector<torch::Tensor> own = in[0].chunk(3, -1);
        return {Attention(heads(own[0]), heads(own[1]), heads(own[2]))};
      },
      {qkv});
  // Heads that are not contiguous along head_dim.
  const torch::Tensor strided_heads = torch::randn({2, 3, 8, 11}).transpose(2, 3);
  EXPECT_TRUE(torch::equal(
      Attention(strided_heads, strided_heads, strided_heads),
      Attention(strided_heads.contiguous(), strided_heads.contiguous(), strided_heads.contiguous())));
}

TEST_F(AttentionTest, GivesASampleTheSameBitsInAnyBatchOnAnyNumberOfThreads) {
  const torch::Tensor q = torch::randn({5, 4, 50, 32}), k = torch::randn({5, 2, 50, 32}),
                      v = torch::randn({5, 2, 50, 32});
  const int threads = torch::get_num_threads();
  torch::set_num_threads(1);
  const torch::Tensor together = Attention(q, k, v);
  torch::set_num_threads(3);
  EXPECT_TRUE(torch::equal(Attention(q, k, v), together));
  for (int64_t b = 0; b < 5; ++b) {
    const auto own = [b](const torch::Tensor& x) { return x.narrow(0, b, 1); };
    EXPECT_TRUE(torch::equal(Attention(own(q), own(k), own(v)), own(together))) << b;
  }
  torch::set_num_threads(threads);
}

TEST_F(AttentionTest, GivesZerosToAQueryWhoseKeysAreAllMasked) {
  const auto leaf = [](at::IntArrayRef sizes) { return torch::randn(sizes).requires_grad_(); };
  const torch::Tensor q = leaf({1, 1, 3, 8}), k = leaf({1, 1, 4, 8}), v = leaf({1, 1, 4, 8});
  torch::Tensor mask = torch::ones({1, 3, 4}, torch::kBool);
  mask[0][1].fill_(false);
  const torch::Tensor out = Attention(q, k, v, mask);
  EXPECT_EQ(out[0][1].abs().max().item<float>(), 0);
  EXPECT_GT(out[0][2].abs().max().item<float>(), 0);
  out.sum().backward();
  EXPECT_EQ(q.grad()[0][0][1].abs().max().item<float>(), 0);
  for (const torch::Tensor& x : {q, k, v}) EXPECT_TRUE(x.grad().isfinite().all().item<bool>());
}

TEST_F(AttentionTest, GivesNoRowsForNone) {
  const torch::Tensor q = torch::randn({0, 2, 3, 8}).requires_grad_();
  const torch::Tensor out = Attention(q, q, q);
  EXPECT_EQ(out.sizes(), (std::vector<int64_t>{0, 3, 16}));
  out.sum().backward();
  EXPECT_EQ(q.grad().sizes(), q.sizes());
}

// Scores far apart and far from zero do not overflow.
TEST_F(AttentionTest, IsFiniteForLargeScores) {
  const torch::Tensor q = 1e4 * torch::randn({1, 1, 5, 8}), k = 1e4 * torch::randn({1, 1, 6, 8}),
                      v = torch::randn({1, 1, 6, 8});
  const torch::Tensor best = q.matmul(k.transpose(2, 3)).argmax(-1).view({5});  // [T]
  const torch::Tensor expected = v[0][0].index_select(0, best).unsqueeze(0);
  EXPECT_LT((Attention(q, k, v) - expected).abs().max().item<double>(), 1e-6);
}

TEST_F(AttentionTest, IsTheSameOnEachInstructionSet) {
  const CpuKernelSets available = AvailableCpuKernels();
  const int64_t queries = 29, length = 45, d = 20;
  const torch::Tensor q = torch::randn({queries, d}), k = torch::randn({length, d}),
                      v = torch::randn({length, d}), seen = RandomMask(1, queries, length)[0];
  for (int i = 0; i < available.count; ++i) {
    const CpuKernels& kernels = *available.sets[i];
    SCOPED_TRACE(kernels.name);
    const auto whole = [&](int64_t n) { return (n + kernels.nr - 1) / kernels.nr * kernels.nr; };
    std::vector<float> packed(static_cast<size_t>(whole(length) * d)),
        values(static_cast<size_t>(length * whole(d))),
        scores(static_cast<size_t>(kernels.query_rows * whole(length))),
        out(static_cast<size_t>(queries * d)), stats(static_cast<size_t>(2 * queries));
    kernels.pack(k.data_ptr<float>(), d, length, d, packed.data());
    for (int64_t row = 0; row < length; ++row)
      std::copy_n(v.data_ptr<float>() + row * d, d, values.data() + row * whole(d));
    kernels.attend_rows({.queries = queries,
                         .length = length,
                         .d = d,
                         .scale = .3f,
                         .q = q.data_ptr<float>(),
                         .q_stride = d,
                         .packed_keys = packed.data(),
                         .values = values.data(),
                         .mask = reinterpret_cast<const uint8_t*>(seen.data_ptr<bool>()),
                         .mask_stride = length},
                        scores.data(), out.data(), d, stats.data());
    const torch::Tensor expected =
        (q.to(torch::kFloat64).matmul(k.to(torch::kFloat64).t()) * static_cast<double>(.3f))
            .masked_fill(seen.logical_not(), -INFINITY)
            .softmax(1)
            .matmul(v.to(torch::kFloat64));
    EXPECT_LT(LargestDifference(out, expected), 2e-6);
  }
}

}  // namespace
}  // namespace lvrpo
