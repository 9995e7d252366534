#pragma once

#include "torch/torch.h"

namespace lvrpo {

// A device that is no CPU, for tests of code that must run on GPUs: it computes with the CPU's operators, but
// throws where one gets its tensors together with tensors of the host, scalars excepted, as a GPU's operators
// do; and its addresses are none of the host's, so that code which reads or writes a tensor's memory itself
// ends with SIGSEGV. There are `kTestDevices` of them, which no operator mixes either.
inline constexpr int kTestDevices = 4;
torch::Device TestDevice(int index = 0);

// The host's address of memory of such a device.
void* HostAddress(const void* device);

}  // namespace lvrpo
