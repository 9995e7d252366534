#include "model/kernels/fused_ops.h"

#include <array>
#include <cmath>

#include "gtest/gtest.h"
#include "model/kernels/cpu_kernels.h"
#include "tests/model/against_torch.h"

namespace lvrpo {
namespace {

class FusedOps : public ::testing::Test {
 protected:
  void SetUp() override { torch::manual_seed(3); }
};

TEST_F(FusedOps, AddRmsNormMatchesTorch) {
  for (const int64_t n : {1, 5, 16, 37, 256}) {
    const Tensors inputs = {torch::randn({3, 7, n}), torch::randn({3, 7, n}), torch::randn({n})};
    const auto with_delta = [](const Tensors& in) -> Tensors {
      const SumAndNorm out = AddRmsNorm(in[0], in[1], in[2], 1e-6);
      return {out.sum, out.norm};
    };
    const auto without = [](const Tensors& in) -> Tensors {
      return {AddRmsNorm(in[0], {}, in[1], 1e-6).norm};
    };
    SCOPED_TRACE(n);
    ExpectKernelsAreTorch(with_delta, inputs);
    ExpectKernelsAreTorch(without, {inputs[0], inputs[2]});
  }
}

TEST_F(FusedOps, AddRmsNormMayUseEitherResult) {
  const Tensors inputs = {torch::randn({9, 20}), torch::randn({9, 20}), torch::randn({20})};
  ExpectKernelsAreTorch(
      [](const Tensors& in) -> Tensors { return {AddRmsNorm(in[0], in[1], in[2], 1e-6).sum + 0 * in[2]}; },
      inputs);
  ExpectKernelsAreTorch(
      [](const Tensors& in) -> Tensors { return {AddRmsNorm(in[0], in[1], in[2], 1e-6).norm}; }, inputs);
}

TEST_F(FusedOps, ActivationsMatchTorch) {
  for (const Activation activation : {Activation::kSwiGlu, Activation::kGelu}) {
    for (const int64_t n : {1, 7, 16, 50}) {
      SCOPED_TRACE(n);
      ExpectKernelsAreTorch([&](const Tensors& in) -> Tensors { return {Activate(activation, in[0])}; },
                            {4 * torch::randn({2, 5, 2 * n})});
    }
  }
}

TEST_F(FusedOps, ActivationsWithoutKernelsFollowTheirDefinitions) {
  const torch::Tensor x = 3 * torch::randn({4, 10}, torch::kFloat64);
  const auto narrow = [&](Activation activation) { return Activate(activation, x.to(torch::kFloat32)); };
  const torch::Tensor gate = x.narrow(1, 0, 5), up = x.narrow(1, 5, 5);
  const torch::Tensor tanh_gelu =
      .5 * gate * (1 + (std::sqrt(2 / M_PI) * (gate + .044715 * gate.pow(3))).tanh());
  EXPECT_LT((narrow(Activation::kGeGlu) - tanh_gelu * up).abs().max().item<double>(), 1e-5);
  const torch::Tensor exact = .5 * x * (1 + (x / std::sqrt(2.0)).erf());
  EXPECT_LT((narrow(Activation::kExactGelu) - exact).abs().max().item<double>(), 1e-5);
  const torch::Tensor quick = x / (1 + (-1.702 * x).exp());
  EXPECT_LT((narrow(Activation::kQuickGelu) - quick).abs().max().item<double>(), 1e-5);
}

TEST_F(FusedOps, ActivationsAreFiniteForLargeInputs) {
  const torch::Tensor gate_up =
      torch::tensor({-1e4f, -100.f, -88.f, 88.f, 100.f, 1e4f, 1.f, 1.f, 1.f, 1.f, 1.f, 1.f}).view({1, 12});
  for (const Activation activation : {Activation::kSwiGlu, Activation::kGelu}) {
    const torch::Tensor got = Activate(activation, gate_up),
                        expected = Activate(activation, gate_up.to(torch::kFloat64));
    EXPECT_LT((got - expected).abs().max().item<double>(), 1e-3) << got;
  }
}

TEST_F(FusedOps, SplitRotateHeadsMatchesTorch) {
  constexpr int64_t kHeads = 4, kKvHeads = 2;
  for (const int64_t d : {2, 6, 16, 34, 64}) {
    for (const bool norms : {true, false}) {
      for (const int64_t tables : {1, 3}) {
        SCOPED_TRACE(testing::Message() << "d " << d << " norms " << norms << " tables " << tables);
        const torch::Tensor angle = torch::rand({tables, 7, d / 2}) * 6;
        const auto norm = [&] { return norms ? torch::randn({d}) : torch::Tensor(); };
        const int64_t width = (kHeads + 2 * kKvHeads) * d;
        const Tensors inputs = {torch::randn({3, 2, width}), norm(), norm(),
                                torch::randn({3, 5, width}), norm(), norm()};
        const auto heads = [&](const Tensors& in, bool first, bool second) -> Tensors {
          const int64_t from = first ? 0 : 2, count = (first ? 2 : 0) + (second ? 5 : 0);
          const torch::Tensor own = angle.narrow(1, from, count).to((first ? in[0] : in[3]).scalar_type());
          const Heads out = SplitRotateHeads(first ? QkvInput{in[0], in[1], in[2]} : QkvInput(),
                                             second ? QkvInput{in[3], in[4], in[5]} : QkvInput(),
                                             {own.cos(), own.sin()}, kHeads, kKvHeads, 1e-6);
          return {out.q, out.k, out.v};
        };
        ExpectKernelsAreTorch([&](const Tensors& in) { return heads(in, true, true); }, inputs);
        ExpectKernelsAreTorch([&](const Tensors& in) { return heads(in, true, false); },
                              {inputs[0], inputs[1], inputs[2]});
        ExpectKernelsAreTorch(
            [&](const Tensors& in) {
              return heads({{}, {}, {}, in[0], in[1], in[2]}, false, true);
            },
            {inputs[3], inputs[4], inputs[5]});
      }
    }
  }
}

TEST_F(FusedOps, ARowIsTheSameBitsInAnyBatch) {
  const torch::Tensor x = torch::randn({70, 33}), weight = torch::randn({33});
  const torch::Tensor all = AddRmsNorm(x, x, weight, 1e-6).norm;
  EXPECT_TRUE(torch::equal(AddRmsNorm(x[40], x[40], weight, 1e-6).norm, all[40]));
}

// --- Each instruction set by itself.

TEST(CpuKernels, MultiplyIsTheProductOnEachInstructionSet) {
  torch::manual_seed(4);
  const CpuKernelSets available = AvailableCpuKernels();
  for (int i = 0; i < available.count; ++i) {
    const CpuKernels& kernels = *available.sets[i];
    for (const auto& [rows, depth, columns] : std::vector<std::array<int64_t, 3>>{{1, 1, 1},
                                                                                  {3, 7, 5},
                                                                                  {13, 40, 33},
                                                                                  {32, 64, 96},
                                                                                  {29, 17, 100},
                                                                                  {200, 700, 31},
                                                                                  {13, 1024, 130},
                                                                                  {197, 1500, 200},
                                                                                  {97, 3072, 161}}) {
      SCOPED_TRACE(testing::Message() << kernels.name << " " << rows << " " << depth << " " << columns);
      const torch::Tensor x = torch::randn({rows, depth}), weight = torch::randn({columns, depth}),
                          bias = torch::randn({columns});
      const int64_t panels = (columns + kernels.nr - 1) / kernels.nr, padded = panels * kernels.nr;
      std::vector<float> packed(static_cast<size_t>(padded * depth)), start(static_cast<size_t>(padded)),
          out(static_cast<size_t>(rows * columns), -1);
      std::copy_n(bias.data_ptr<float>(), columns, start.data());
      kernels.pack(weight.data_ptr<float>(), depth, columns, depth, packed.data());
      // Split into two ranges of panels, as for two threads.
      for (const auto& [first, last] : {std::pair{int64_t{0}, panels / 2}, {panels / 2, panels}}) {
        kernels.multiply(x.data_ptr<float>(), depth, 0, rows, packed.data(), start.data(), columns, first,
                         last, out.data(), columns);
      }
      const torch::Tensor wide = x.to(torch::kFloat64).matmul(weight.to(torch::kFloat64).t());
      EXPECT_LT(LargestDifference(out, wide + bias), 1e-6 * static_cast<double>(depth) + 1e-5);
      kernels.multiply(x.data_ptr<float>(), depth, 0, rows, packed.data(), nullptr, columns, 0, panels,
                       out.data(), columns);
      EXPECT_LT(LargestDifference(out, wide), 1e-6 * static_cast<double>(depth) + 1e-5);
    }
  }
}

// The blocked and the unblocked loop nest give the same bits.
TEST(CpuKernels, AProductRowIsTheSameBitsInAnyBatch) {
  torch::manual_seed(6);
  const CpuKernelSets available = AvailableCpuKernels();
  const int64_t rows = 61, columns = 150;
  for (int i = 0; i < available.count; ++i) {
    const CpuKernels& kernels = *available.sets[i];
    for (const int64_t depth : {300, 1024, 2500}) {
      SCOPED_TRACE(testing::Message() << kernels.name << " " << depth);
      const torch::Tensor x = torch::randn({rows, depth}), weight = torch::randn({columns, depth});
      const int64_t panels = (columns + kernels.nr - 1) / kernels.nr, padded = panels * kernels.nr;
      std::vector<float> packed(static_cast<size_t>(padded * depth)), bias(static_cast<size_t>(padded), .5f),
          together(static_cast<size_t>(rows * columns)), alone(together.size());
      kernels.pack(weight.data_ptr<float>(), depth, columns, depth, packed.data());
      kernels.multiply(x.data_ptr<float>(), depth, 0, rows, packed.data(), bias.data(), columns, 0, panels,
                       together.data(), columns);
      for (int64_t row = 0; row < rows; ++row) {
        kernels.multiply(x.data_ptr<float>(), depth, row, row + 1, packed.data(), bias.data(), columns, 0,
                         panels, alone.data(), columns);
      }
      EXPECT_EQ(together, alone);
    }
  }
}

TEST(CpuKernels, AttendIsAttentionOnEachInstructionSet) {
  torch::manual_seed(5);
  const CpuKernelSets available = AvailableCpuKernels();
  for (int i = 0; i < available.count; ++i) {
    const CpuKernels& kernels = *available.sets[i];
    for (const auto& [queries, length, d] : std::vector<std::array<int64_t, 3>>{
             {1, 1, 2}, {1, 9, 8}, {2, 33, 64}, {3, 16, 30}, {7, 50, 128}, {4, 20, 80}}) {
      SCOPED_TRACE(testing::Message() << kernels.name << " " << queries << " " << length << " " << d);
      const torch::Tensor q = 2 * torch::randn({queries, d}), k = torch::randn({length, d}),
                          v = torch::randn({length, d});
      std::vector<float> scores(static_cast<size_t>(4 * (length + 16))),
          out(static_cast<size_t>(queries * d));
      kernels.attend(q.data_ptr<float>(), queries, k.data_ptr<float>(), v.data_ptr<float>(), length, d, .3f,
                     scores.data(), out.data());
      const torch::Tensor expected =
          (q.to(torch::kFloat64).matmul(k.to(torch::kFloat64).t()) * static_cast<double>(.3f))
              .softmax(1)
              .matmul(v.to(torch::kFloat64));
      EXPECT_LT(LargestDifference(out, expected), 2e-6);
    }
  }
}

TEST(CpuKernels, FusedOpsAgreeBetweenInstructionSets) {
  torch::manual_seed(6);
  const CpuKernelSets available = AvailableCpuKernels();
  constexpr int64_t kRows = 3, kN = 38;
  const torch::Tensor x = torch::randn({kRows, kN}), delta = torch::randn({kRows, kN}),
                      weight = torch::randn({kN}), wide = 5 * torch::randn({kRows, 2 * kN});
  const auto run = [&](const CpuKernels& kernels) {
    Tensors out = {torch::empty_like(x),    torch::empty_like(x), torch::empty({kRows}),
                   torch::empty_like(x),    torch::zeros({kN}),   torch::empty_like(x),
                   torch::empty_like(wide), torch::empty_like(x), torch::empty_like(x)};
    const auto at = [&](size_t i) { return out[i].data_ptr<float>(); };
    kernels.add_rms_norm(x.data_ptr<float>(), delta.data_ptr<float>(), weight.data_ptr<float>(), 1e-6f, kN, 0,
                         kRows, at(0), at(1), at(2));
    kernels.add_rms_norm_backward(delta.data_ptr<float>(), x.data_ptr<float>(), at(0),
                                  weight.data_ptr<float>(), at(2), kN, 0, kRows, at(3), at(4));
    kernels.swiglu(wide.data_ptr<float>(), kN, 0, kRows, at(5));
    kernels.swiglu_backward(x.data_ptr<float>(), wide.data_ptr<float>(), kN, 0, kRows, at(6));
    kernels.gelu(x.data_ptr<float>(), kN, 0, kRows, at(7));
    kernels.gelu_backward(delta.data_ptr<float>(), x.data_ptr<float>(), kN, 0, kRows, at(8));
    return out;
  };
  const Tensors expected = run(*available.sets[available.count - 1]);
  for (int i = 0; i + 1 < available.count; ++i) {
    const Tensors got = run(*available.sets[i]);
    for (size_t j = 0; j < got.size(); ++j)
      EXPECT_TRUE(torch::allclose(got[j], expected[j], 1e-5, 1e-5)) << available.sets[i]->name << " " << j;
  }
}

}  // namespace
}  // namespace lvrpo
