#pragma once

#include <functional>
#include <vector>

#include "gtest/gtest.h"
#include "torch/torch.h"

namespace lvrpo {

using Tensors = std::vector<torch::Tensor>;
using Op = std::function<Tensors(const Tensors&)>;

inline Tensors As(const Tensors& tensors, torch::Dtype dtype) {
  Tensors result;
  for (const torch::Tensor& tensor : tensors) {
    result.push_back(tensor.defined() ? tensor.detach().to(dtype, false, /*copy=*/true).requires_grad_()
                                      : tensor);
  }
  return result;
}

// Compares the kernels, in fp32, with torch's operations in fp64: values and gradients.
inline void ExpectKernelsAreTorch(const Op& op, const Tensors& inputs) {
  const Tensors narrow = As(inputs, torch::kFloat32), wide = As(inputs, torch::kFloat64);
  const Tensors got = op(narrow), expected = op(wide);
  torch::Tensor narrow_loss = torch::zeros({}, torch::kFloat64), wide_loss = narrow_loss;
  for (size_t i = 0; i < got.size(); ++i) {
    ASSERT_EQ(got[i].sizes(), expected[i].sizes());
    EXPECT_LT((got[i] - expected[i]).abs().max().item<double>(), 2e-5) << "output " << i;
    const torch::Tensor weights = torch::randn_like(expected[i]);
    narrow_loss = narrow_loss + (got[i] * weights).sum();
    wide_loss = wide_loss + (expected[i] * weights).sum();
  }
  narrow_loss.backward();
  wide_loss.backward();
  for (size_t i = 0; i < narrow.size(); ++i) {
    if (!narrow[i].defined()) continue;
    const double scale = wide[i].grad().abs().max().item<double>() + 1;
    EXPECT_LT((narrow[i].grad() - wide[i].grad()).abs().max().item<double>(), 2e-5 * scale)
        << "gradient of input " << i;
  }
  // The same bits without gradients.
  const torch::NoGradGuard no_grad;
  const Tensors plain = op(narrow);
  for (size_t i = 0; i < got.size(); ++i) EXPECT_TRUE(torch::equal(plain[i], got[i])) << "output " << i;
}

inline double LargestDifference(const std::vector<float>& got, const torch::Tensor& expected) {
  return (torch::tensor(got, torch::kFloat64) - expected.flatten()).abs().max().item<double>();
}

}  // namespace lvrpo
