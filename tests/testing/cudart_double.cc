// libcudart_double.so: what collectives/cuda_abi.h names of the CUDA runtime, for eight GPUs that are the
// host, so that real processes run with LVRPO_CUDART_LIBRARY naming it. Its streams are the NCCL double's.
#include <cstdio>
#include <cstdlib>
#include <optional>

#include "collectives/cuda_abi.h"
#include "tests/testing/host_device.h"

using namespace lvrpo;
using cuda::Error;

namespace {

constexpr int kGpus = 8;
constexpr Error kInvalidValue = static_cast<Error>(1), kUnknown = static_cast<Error>(999);

HostDevice& Device() {
  static auto* const device = new HostDevice;
  return *device;
}

// An event: what HostDevice makes when it is recorded.
struct Mark {
  void Clear() {
    if (event) Device().Release(*event);
    event.reset();
  }
  std::optional<DeviceEvent> event;
};

Error Of(bool ok) { return ok ? cuda::kSuccess : kUnknown; }

// The GPU of "0000:0N:00.0"; -1: none.
int IndexOf(const char* address) {
  int index = -1;
  return std::sscanf(address, "0000:0%d:00.0", &index) == 1 && index >= 0 && index < kGpus ? index : -1;
}

}  // namespace

extern "C" {

const char* cudaGetErrorString(Error error) {
  return error == cuda::kSuccess ? "no error" : "an error of the double";
}
Error cudaGetLastError() { return cuda::kSuccess; }
Error cudaGetDeviceCount(int* count) {
  *count = kGpus;
  return cuda::kSuccess;
}
Error cudaSetDevice(int device) { return device >= 0 && device < kGpus ? cuda::kSuccess : kInvalidValue; }
Error cudaDeviceGetPCIBusId(char* address, int size, int device) {
  if (device < 0 || device >= kGpus) return kInvalidValue;
  std::snprintf(address, static_cast<size_t>(size), "0000:0%d:00.0", device);
  return cuda::kSuccess;
}
Error cudaDeviceGetByPCIBusId(int* device, const char* address) {
  *device = IndexOf(address);
  return *device >= 0 ? cuda::kSuccess : kInvalidValue;
}
Error cudaDeviceCanAccessPeer(int* can, int device, int peer) {
  *can = device != peer;
  return cuda::kSuccess;
}
Error cudaMalloc(void** memory, size_t bytes) {
  *memory = std::malloc(bytes);
  return Of(*memory != nullptr);
}
Error cudaFree(void* memory) {
  std::free(memory);
  return cuda::kSuccess;
}
Error cudaMemcpyAsync(void* to, const void* from, size_t bytes, cuda::MemcpyKind, cuda::Stream stream) {
  return Of(Device().CopyAsync(to, from, static_cast<int64_t>(bytes), {stream}).ok());
}
Error cudaStreamCreateWithFlags(cuda::Stream* stream, unsigned int) {
  const auto made = Device().CreateStream();
  if (made.ok()) *stream = made->handle;
  return Of(made.ok());
}
Error cudaStreamDestroy(cuda::Stream stream) { return Of(Device().DestroyStream({stream}).ok()); }
Error cudaEventCreateWithFlags(cuda::Event* event, unsigned int) {
  *event = new Mark;
  return cuda::kSuccess;
}
Error cudaEventRecord(cuda::Event event, cuda::Stream stream) {
  Mark& mark = *static_cast<Mark*>(event);
  mark.Clear();
  const auto recorded = Device().Record({stream});
  if (recorded.ok()) mark.event = *recorded;
  return Of(recorded.ok());
}
Error cudaEventQuery(cuda::Event event) {
  const Mark& mark = *static_cast<Mark*>(event);
  return !mark.event || *Device().IsDone(*mark.event) ? cuda::kSuccess : cuda::kNotReady;
}
Error cudaStreamWaitEvent(cuda::Stream stream, cuda::Event event, unsigned int) {
  const Mark& mark = *static_cast<Mark*>(event);
  return Of(!mark.event || Device().WaitFor({stream}, *mark.event).ok());
}
Error cudaEventDestroy(cuda::Event event) {
  auto* const mark = static_cast<Mark*>(event);
  mark->Clear();
  delete mark;
  return cuda::kSuccess;
}
}
