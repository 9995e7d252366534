#pragma once

#include <cstddef>

// What this project uses of the CUDA runtime's C interface (cuda_runtime_api.h), declared here so that it
// builds without CUDA: the library is loaded at run time (cuda_device.h). `make check-nccl` compares these
// declarations with the published header.
namespace lvrpo::cuda {

enum Error : int { kSuccess = 0, kNotReady = 600 };
enum MemcpyKind : int { kDefault = 4 };  // the runtime sees from the addresses which way

using Stream = void*;  // cudaStream_t
using Event = void*;   // cudaEvent_t

constexpr unsigned int kStreamNonBlocking = 1;
constexpr unsigned int kEventDisableTiming = 2;

// The library's functions, without their prefix "cuda".
struct Functions {
  const char* (*GetErrorString)(Error error);
  Error (*GetLastError)();
  Error (*GetDeviceCount)(int* count);
  Error (*SetDevice)(int device);
  Error (*DeviceGetPCIBusId)(char* address, int size, int device);
  Error (*DeviceGetByPCIBusId)(int* device, const char* address);
  Error (*DeviceCanAccessPeer)(int* can, int device, int peer);
  Error (*Malloc)(void** memory, size_t bytes);
  Error (*Free)(void* memory);
  Error (*MemcpyAsync)(void* to, const void* from, size_t bytes, MemcpyKind kind, Stream stream);
  Error (*StreamCreateWithFlags)(Stream* stream, unsigned int flags);
  Error (*StreamDestroy)(Stream stream);
  Error (*StreamWaitEvent)(Stream stream, Event event, unsigned int flags);
  Error (*EventCreateWithFlags)(Event* event, unsigned int flags);
  Error (*EventRecord)(Event event, Stream stream);
  Error (*EventQuery)(Event event);
  Error (*EventDestroy)(Event event);
};

}  // namespace lvrpo::cuda
