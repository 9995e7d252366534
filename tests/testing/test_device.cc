#include "tests/testing/test_device.h"

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "ATen/CPUGeneratorImpl.h"
#include "ATen/core/dispatch/Dispatcher.h"
#include "ATen/detail/PrivateUse1HooksInterface.h"
#include "c10/core/CPUAllocator.h"
#include "c10/core/impl/DeviceGuardImplInterface.h"
#include "torch/library.h"

// LibTorch's PrivateUse1, a device type for backends outside of it, as a device whose tensors hold an
// allocation of the host under another address.
namespace lvrpo {
namespace {

using torch::jit::Stack;

constexpr c10::DeviceType kType = c10::DeviceType::PrivateUse1;
thread_local c10::DeviceIndex current_index = 0;
constexpr uintptr_t kAway = uintptr_t{1} << 62;  // no address of a process: using it is SIGSEGV

void* Away(const void* host) {
  return host == nullptr ? nullptr : reinterpret_cast<void*>(reinterpret_cast<uintptr_t>(host) | kAway);
}

// The memory of `storage` under another address, which keeps it.
c10::DataPtr Share(const c10::Storage& storage, void* address, c10::Device device) {
  return {address, new c10::Storage(storage), [](void* kept) { delete static_cast<c10::Storage*>(kept); },
          device};
}

class DeviceMemory final : public c10::Allocator {
 public:
  c10::DataPtr allocate(size_t bytes) override {
    void* memory = bytes == 0 ? nullptr : std::aligned_alloc(64, (bytes + 63) / 64 * 64);
    return {Away(memory), memory, &std::free, c10::Device(kType, current_index)};
  }
  void copy_data(void* to, const void* from, size_t bytes) const override {
    std::memcpy(HostAddress(to), HostAddress(from), bytes);
  }
};
DeviceMemory device_memory;

torch::Tensor View(c10::Storage storage, c10::DispatchKey key, const torch::Tensor& like) {
  torch::Tensor view =
      at::detail::make_tensor<c10::TensorImpl>(std::move(storage), c10::DispatchKeySet(key), like.dtype());
  view.unsafeGetTensorImpl()->set_sizes_and_strides(like.sizes(), like.strides(), like.storage_offset());
  return view;
}

bool IsOurs(const torch::Tensor& tensor) { return tensor.defined() && tensor.device().type() == kType; }

// The same memory as a tensor of the host, and the other way.
torch::Tensor OnHost(const torch::Tensor& tensor) {
  const c10::Storage& storage = tensor.storage();
  c10::Storage host(c10::Storage::use_byte_size_t(), storage.nbytes(),
                    Share(storage, HostAddress(storage.data()), c10::kCPU), c10::GetCPUAllocator(),
                    /*resizable=*/true);
  return View(std::move(host), c10::DispatchKey::CPU, tensor);
}
torch::Tensor OnDevice(const torch::Tensor& tensor, c10::Device where) {
  const c10::Storage& storage = tensor.storage();
  c10::Storage device(c10::Storage::use_byte_size_t(), storage.nbytes(),
                      Share(storage, Away(storage.data()), where), &device_memory, /*resizable=*/true);
  return View(std::move(device), c10::DispatchKey::PrivateUse1, tensor);
}

// The arguments of one operator: tensors of the device as the host's, and back.
class Borrowed {
 public:
  explicit Borrowed(const c10::FunctionSchema& schema) : name_(schema.name()) {}

  torch::IValue Lend(const torch::IValue& value) {
    if (value.isTensor()) return Lend(value.toTensor());
    if (value.isDevice()) {
      device_ = value.toDevice();
      return c10::Device(c10::kCPU);
    }
    if (value.isTensorList()) {
      c10::List<torch::Tensor> lent;
      for (const torch::Tensor& tensor : value.toTensorVector()) lent.push_back(Lend(tensor));
      return lent;
    }
    if (value.isOptionalTensorList()) {
      c10::List<std::optional<torch::Tensor>> lent;
      for (const std::optional<torch::Tensor>& tensor : value.toOptionalTensorVector())
        lent.push_back(tensor.has_value() ? std::optional(Lend(*tensor)) : std::nullopt);
      return lent;
    }
    return value;
  }

  void Check() const {
    TORCH_CHECK(pairs_.empty() || strangers_.empty(), name_, ": a tensor from elsewhere, of sizes ",
                strangers_, ", together with tensors of the device");
  }

  // What in-place operators made of the arguments.
  void Finish() {
    for (auto& [device, host] : pairs_) {
      const c10::Storage& changed = host.storage();
      if (changed.data() != HostAddress(device.storage().data()) ||
          changed.nbytes() != device.storage().nbytes()) {
        device.storage().unsafeGetStorageImpl()->set_data_ptr_noswap(
            Share(changed, Away(changed.data()), device.device()));
        device.storage().unsafeGetStorageImpl()->set_nbytes(changed.nbytes());
      }
      device.unsafeGetTensorImpl()->set_sizes_and_strides(host.sizes(), host.strides(),
                                                          host.storage_offset());
    }
  }

  torch::IValue Return(const torch::IValue& value) const {
    if (value.isTensor()) return Return(value.toTensor());
    if (!value.isTensorList()) return value;
    c10::List<torch::Tensor> returned;
    for (const torch::Tensor& tensor : value.toTensorVector()) returned.push_back(Return(tensor));
    return returned;
  }

 private:
  torch::Tensor Lend(const torch::Tensor& tensor) {
    if (!IsOurs(tensor)) {
      if (tensor.defined() && tensor.dim() > 0) strangers_ = c10::str(tensor.sizes());
      return tensor;
    }
    if (!pairs_.empty() && pairs_.front().first.device() != tensor.device())
      strangers_ = c10::str(tensor.sizes(), " on ", tensor.device());
    pairs_.emplace_back(tensor, OnHost(tensor));
    return pairs_.back().second;
  }

  torch::Tensor Return(const torch::Tensor& tensor) const {
    if (!tensor.defined()) return tensor;
    for (const auto& [device, host] : pairs_) {
      if (host.is_same(tensor)) return device;
    }
    for (const auto& [device, host] : pairs_) {  // a view of an argument
      if (host.storage().is_alias_of(tensor.storage()))
        return View(device.storage(), c10::DispatchKey::PrivateUse1, tensor);
    }
    return OnDevice(tensor, pairs_.empty() ? device_ : pairs_.front().first.device());
  }

  const std::string name_;
  c10::Device device_ = c10::Device(kType, current_index);  // without tensors there
  std::string strangers_;
  std::vector<std::pair<torch::Tensor, torch::Tensor>> pairs_;  // of the device, and of the host
};

// Any operator, by the CPU's.
void ByCpu(const c10::OperatorHandle& op, c10::DispatchKeySet, Stack* stack) {
  Borrowed borrowed(op.schema());
  const size_t arguments = op.schema().arguments().size(), results = op.schema().returns().size();
  for (size_t i = stack->size() - arguments; i < stack->size(); ++i) (*stack)[i] = borrowed.Lend((*stack)[i]);
  borrowed.Check();
  op.redispatchBoxed(c10::DispatchKeySet(c10::DispatchKey::CPU), stack);
  borrowed.Finish();
  for (size_t i = stack->size() - results; i < stack->size(); ++i) (*stack)[i] = borrowed.Return((*stack)[i]);
}

// "test_device" without an index is the current one.
c10::Device Where(std::optional<c10::Device> device) {
  return device.has_value() && device->has_index() ? *device : c10::Device(kType, current_index);
}

torch::Tensor Empty(c10::IntArrayRef sizes, std::optional<c10::ScalarType> dtype, std::optional<c10::Layout>,
                    std::optional<c10::Device> device, std::optional<bool>,
                    std::optional<c10::MemoryFormat> format) {
  return OnDevice(at::empty(sizes, c10::TensorOptions(dtype.value_or(c10::kFloat)), format), Where(device));
}

torch::Tensor EmptyStrided(c10::IntArrayRef sizes, c10::IntArrayRef strides,
                           std::optional<c10::ScalarType> dtype, std::optional<c10::Layout>,
                           std::optional<c10::Device> device, std::optional<bool>) {
  return OnDevice(at::empty_strided(sizes, strides, c10::TensorOptions(dtype.value_or(c10::kFloat))),
                  Where(device));
}

torch::Tensor CopyFrom(const torch::Tensor& from, const torch::Tensor& to, bool) {
  const auto host = [](const torch::Tensor& tensor) { return IsOurs(tensor) ? OnHost(tensor) : tensor; };
  host(to).copy_(host(from));
  return to;
}

// What LibTorch asks of backends instead of the operator itself.
torch::Tensor Convolution(const torch::Tensor& x, const torch::Tensor& weight,
                          const std::optional<torch::Tensor>& bias, c10::IntArrayRef stride,
                          c10::IntArrayRef padding, c10::IntArrayRef dilation, bool transposed,
                          c10::IntArrayRef output_padding, int64_t groups) {
  TORCH_CHECK(IsOurs(x) && IsOurs(weight) && (!bias.has_value() || !bias->defined() || IsOurs(*bias)),
              "convolution: a tensor of the host with tensors of the device");
  const bool biased = bias.has_value() && bias->defined();
  return OnDevice(at::convolution(OnHost(x), OnHost(weight), biased ? OnHost(*bias) : torch::Tensor(), stride,
                                  padding, dilation, transposed, output_padding, groups),
                  x.device());
}

class Guard final : public c10::impl::DeviceGuardImplInterface {
 public:
  c10::DeviceType type() const override { return kType; }
  c10::Device exchangeDevice(c10::Device device) const override {
    return {kType, std::exchange(current_index, device.index())};
  }
  c10::Device getDevice() const override { return {kType, current_index}; }
  void setDevice(c10::Device device) const override { current_index = device.index(); }
  void uncheckedSetDevice(c10::Device device) const noexcept override { current_index = device.index(); }
  c10::Stream getStream(c10::Device device) const override {
    return c10::Stream(c10::Stream::DEFAULT, device);
  }
  c10::Stream getDefaultStream(c10::Device device) const override { return getStream(device); }
  c10::Stream exchangeStream(c10::Stream stream) const override { return stream; }
  c10::DeviceIndex deviceCount() const noexcept override { return kTestDevices; }
  void record(void**, const c10::Stream&, const c10::DeviceIndex, const c10::EventFlag) const override {}
  void block(void*, const c10::Stream&) const override {}
  bool queryEvent(void*) const override { return true; }
  bool queryStream(const c10::Stream&) const override { return true; }
};
C10_REGISTER_GUARD_IMPL(PrivateUse1, Guard)

struct Hooks final : at::PrivateUse1HooksInterface {
  bool isBuilt() const override { return true; }
  bool isAvailable() const override { return true; }
  bool hasPrimaryContext(c10::DeviceIndex) const override { return true; }
  // torch::manual_seed() seeds it; nothing draws from it.
  const at::Generator& getDefaultGenerator(c10::DeviceIndex) const override {
    static const at::Generator generator = at::detail::createCPUGenerator();
    return generator;
  }
  c10::DeviceIndex deviceCount() const override { return kTestDevices; }
  c10::DeviceIndex getCurrentDevice() const override { return current_index; }
  void setCurrentDevice(c10::DeviceIndex index) const override { current_index = index; }
  c10::DeviceIndex exchangeDevice(c10::DeviceIndex index) const override {
    return std::exchange(current_index, index);
  }
  c10::DeviceIndex maybeExchangeDevice(c10::DeviceIndex index) const override {
    return exchangeDevice(index);
  }
};

TORCH_LIBRARY_IMPL(aten, PrivateUse1, library) {
  library.impl("empty.memory_format", &Empty);
  library.impl("empty_strided", &EmptyStrided);
  library.impl("_copy_from", &CopyFrom);
  library.impl("convolution_overrideable", &Convolution);
  // Whose stand-ins of other operators want contiguous tensors, unlike a GPU's.
  for (const char* op : {"native_group_norm", "native_group_norm_backward"})
    library.impl(op, torch::CppFunction::makeFromBoxedFunction<&ByCpu>());
}
TORCH_LIBRARY_IMPL(_, PrivateUse1, library) {
  library.fallback(torch::CppFunction::makeFromBoxedFunction<&ByCpu>());
}

}  // namespace

void* HostAddress(const void* device) {
  return reinterpret_cast<void*>(reinterpret_cast<uintptr_t>(device) & ~kAway);
}

torch::Device TestDevice(int index) {
  static const bool once = [] {
    c10::SetAllocator(kType, &device_memory);
    at::RegisterPrivateUse1HooksInterface(new Hooks);
    c10::register_privateuse1_backend("test_device");
    return true;
  }();
  (void)once;
  return {kType, static_cast<c10::DeviceIndex>(index)};
}

}  // namespace lvrpo
