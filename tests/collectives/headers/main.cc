// Prints the version and features of the NCCL library that is named, and what CUDA says on this machine.
#include <cstdio>

#include "collectives/cuda_device.h"
#include "collectives/nccl_library.h"

int main(int argc, char** argv) {
  const auto library = lvrpo::LoadNccl(argc > 1 ? argv[1] : "");
  if (!library.ok()) {
    std::printf("%s\n", library.status().ToString().c_str());
    return 1;
  }
  std::printf("NCCL %s\n", InWords(*library).c_str());
  const auto device = lvrpo::OpenCudaDevice(0);
  std::printf("CUDA: %s\n", device.ok() ? "there is a GPU" : device.status().ToString().c_str());
  return 0;
}
