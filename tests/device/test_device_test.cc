#include "tests/testing/test_device.h"

#include <functional>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/tiny_models.h"

namespace lvrpo {
namespace {

torch::Tensor Numbers() { return torch::arange(6, torch::kFloat32).view({2, 3}); }

TEST(TestDevice, ComputesWhatTheCpuDoes) {
  const torch::Tensor x = Numbers(), y = x.to(TestDevice());
  EXPECT_FALSE(y.is_cpu());
  EXPECT_TRUE(torch::equal(torch::linear(y, y).cpu(), torch::linear(x, x)));
  EXPECT_TRUE(torch::equal(y.t().contiguous().view({6}).narrow(0, 1, 3).cpu(),
                           x.t().contiguous().view({6}).narrow(0, 1, 3)));
  torch::Tensor changed = y.clone();
  changed.narrow(1, 0, 1).fill_(7);
  EXPECT_EQ(changed.sum().item<float>(), 1 + 2 + 4 + 5 + 2 * 7);
  EXPECT_TRUE(torch::equal(std::get<0>(torch::cat({y, y}).topk(2, 1)).cpu(),
                           std::get<0>(torch::cat({x, x}).topk(2, 1))));
  EXPECT_TRUE(torch::equal(torch::arange(6, y.options()).view({2, 3}).cpu(), x));
  torch::Tensor leaf = y.clone().requires_grad_();
  (leaf * leaf + 2).sum().backward();
  EXPECT_TRUE(torch::equal(leaf.grad().cpu(), 2 * x));
}

TEST(TestDevice, ThrowsWhereHostAndDeviceAreMixed) {
  const torch::Tensor host = Numbers(), device = host.to(TestDevice()),
                      index = torch::tensor({1, 0}, torch::kInt64);
  for (const std::function<void()>& mixed : std::vector<std::function<void()>>{
           [&] { device + host; },
           [&] {
             torch::cat({device, host});
           },
           [&] { torch::linear(device, host); }, [&] { device.index_select(0, index); },
           [&] { device.index({index}); }, [&] { torch::embedding(device, index); },
           [&] { torch::where(host > 1, device, device); }, [&] { device.masked_fill(host > 1, 0); },
           [&] {
             device.gather(1, torch::zeros({2, 1}, torch::kInt64));
           },
           [&] { torch::layer_norm(device, {3}, host[0], host[1]); },
           [&] {
             torch::conv2d(device.view({1, 1, 2, 3}), host.view({1, 1, 2, 3}));
           }}) {
    EXPECT_THROW(mixed(), c10::Error);
  }
  EXPECT_TRUE(torch::equal((device * torch::tensor(2.0F)).cpu(), host * 2));  // a scalar
}

TEST(TestDeviceDeathTest, ItsMemoryIsNotTheHosts) {
  const torch::Tensor device = Numbers().to(TestDevice());
  EXPECT_DEATH(std::abort(), "") << "death tests work here";
  EXPECT_DEATH(
      {
        if (device.const_data_ptr<float>()[1] == 1) std::exit(0);
      },
      "");
}

}  // namespace
}  // namespace lvrpo
