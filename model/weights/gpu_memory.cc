#include "model/weights/gpu_memory.h"

#include "ATen/DeviceAccelerator.h"
#include "model/weights/device.h"

namespace lvrpo {

GpuMemoryReturn::~GpuMemoryReturn() {
  if (GpuCount() > 0) at::accelerator::emptyCache();
}

}  // namespace lvrpo
