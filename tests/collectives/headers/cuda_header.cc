// Compiles if cuda_abi.h says what cuda_runtime_api.h does.
#include <cuda_runtime_api.h>

#include "collectives/cuda_abi.h"
#include "tests/collectives/headers/same_interface.h"

namespace lvrpo {

#define SAME_FUNCTION(name)                                                                     \
  static_assert(SameInterface<decltype(cuda::Functions::name), decltype(&::cuda##name)>::value, \
                "cud"                                                                           \
                "a" #name)
SAME_FUNCTION(GetErrorString);
SAME_FUNCTION(GetLastError);
SAME_FUNCTION(GetDeviceCount);
SAME_FUNCTION(SetDevice);
SAME_FUNCTION(DeviceGetPCIBusId);
SAME_FUNCTION(DeviceGetByPCIBusId);
SAME_FUNCTION(DeviceCanAccessPeer);
SAME_FUNCTION(Malloc);
SAME_FUNCTION(Free);
SAME_FUNCTION(MemcpyAsync);
SAME_FUNCTION(StreamCreateWithFlags);
SAME_FUNCTION(StreamDestroy);
SAME_FUNCTION(StreamWaitEvent);
SAME_FUNCTION(EventCreateWithFlags);
SAME_FUNCTION(EventRecord);
SAME_FUNCTION(EventQuery);
SAME_FUNCTION(EventDestroy);

static_assert(int{cuda::kSuccess} == cudaSuccess && int{cuda::kNotReady} == cudaErrorNotReady &&
              int{cuda::kDefault} == cudaMemcpyDefault && cuda::kStreamNonBlocking == cudaStreamNonBlocking &&
              cuda::kEventDisableTiming == cudaEventDisableTiming);

}  // namespace lvrpo
