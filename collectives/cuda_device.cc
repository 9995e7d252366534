#include "collectives/cuda_device.h"

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "collectives/cuda_abi.h"
#include "collectives/shared_library.h"

namespace lvrpo {
namespace {

absl::StatusOr<cuda::Functions> LoadRuntime() {
  const absl::StatusOr<SharedLibrary> library = SharedLibrary::Open(
      NamesFrom("LVRPO_CUDART_LIBRARY", {"libcudart.so.13", "libcudart.so.12", "libcudart.so"}));
  if (!library.ok()) {
    return absl::UnavailableError(absl::StrCat("no CUDA runtime: ", library.status().message(),
                                               " (LVRPO_CUDART_LIBRARY may name the library)"));
  }
  cuda::Functions functions = {};
  std::vector<std::string> missing;
  const auto need = [&](const char* symbol, auto* function) {
    library->Find(symbol, function);
    if (*function == nullptr) missing.push_back(symbol);
  };
  need("cudaGetErrorString", &functions.GetErrorString);
  need("cudaGetLastError", &functions.GetLastError);
  need("cudaGetDeviceCount", &functions.GetDeviceCount);
  need("cudaSetDevice", &functions.SetDevice);
  need("cudaDeviceGetPCIBusId", &functions.DeviceGetPCIBusId);
  need("cudaDeviceGetByPCIBusId", &functions.DeviceGetByPCIBusId);
  need("cudaDeviceCanAccessPeer", &functions.DeviceCanAccessPeer);
  need("cudaMalloc", &functions.Malloc);
  need("cudaFree", &functions.Free);
  need("cudaMemcpyAsync", &functions.MemcpyAsync);
  need("cudaStreamCreateWithFlags", &functions.StreamCreateWithFlags);
  need("cudaStreamDestroy", &functions.StreamDestroy);
  need("cudaStreamWaitEvent", &functions.StreamWaitEvent);
  need("cudaEventCreateWithFlags", &functions.EventCreateWithFlags);
  need("cudaEventRecord", &functions.EventRecord);
  need("cudaEventQuery", &functions.EventQuery);
  need("cudaEventDestroy", &functions.EventDestroy);
  if (!missing.empty()) {
    return absl::UnavailableError(absl::StrCat(library->name(), " has no ", absl::StrJoin(missing, ", ")));
  }
  return functions;
}

// The runtime keeps a device for each thread, so every call names its own first.
class CudaDevice : public DeviceApi {
 public:
  CudaDevice(const cuda::Functions& functions, int index) : cuda_(functions), index_(index) {}

  std::string Place() override {
    char address[64] = "";
    return Succeeds(cuda_.DeviceGetPCIBusId(address, sizeof(address), index_)) ? address : "";
  }

  std::optional<bool> Reaches(const std::string& place) override {
    int peer = -1, can = 0;
    if (place.empty() || !Succeeds(cuda_.DeviceGetByPCIBusId(&peer, place.c_str()))) return std::nullopt;
    if (peer == index_) return true;
    if (!Succeeds(cuda_.DeviceCanAccessPeer(&can, index_, peer))) return std::nullopt;
    return can != 0;
  }

  absl::Status MakeCurrent() override { return Check("cudaSetDevice", cuda_.SetDevice(index_)); }

  absl::StatusOr<void*> Allocate(int64_t bytes) override {
    void* memory = nullptr;
    const absl::Status status =
        OnDevice("cudaMalloc", [&] { return cuda_.Malloc(&memory, static_cast<size_t>(bytes)); });
    if (!status.ok()) return status;
    return memory;
  }

  absl::Status Free(void* memory) override {
    return OnDevice("cudaFree", [&] { return cuda_.Free(memory); });
  }

  absl::Status CopyAsync(void* to, const void* from, int64_t bytes, DeviceStream stream) override {
    return OnDevice("cudaMemcpyAsync", [&] {
      return cuda_.MemcpyAsync(to, from, static_cast<size_t>(bytes), cuda::kDefault, stream.handle);
    });
  }

  absl::StatusOr<DeviceStream> CreateStream() override {
    DeviceStream stream;
    const absl::Status status = OnDevice("cudaStreamCreateWithFlags", [&] {
      return cuda_.StreamCreateWithFlags(&stream.handle, cuda::kStreamNonBlocking);
    });
    if (!status.ok()) return status;
    return stream;
  }

  absl::Status DestroyStream(DeviceStream stream) override {
    return OnDevice("cudaStreamDestroy", [&] { return cuda_.StreamDestroy(stream.handle); });
  }

  absl::StatusOr<DeviceEvent> Record(DeviceStream stream) override {
    DeviceEvent event;
    absl::Status status = OnDevice("cudaEventCreateWithFlags", [&] {
      return cuda_.EventCreateWithFlags(&event.handle, cuda::kEventDisableTiming);
    });
    if (!status.ok()) return status;
    status = Check("cudaEventRecord", cuda_.EventRecord(event.handle, stream.handle));
    if (status.ok()) return event;
    Release(event);
    return status;
  }

  absl::StatusOr<bool> IsDone(DeviceEvent event) override {
    const absl::Status current = MakeCurrent();
    if (!current.ok()) return current;
    const cuda::Error error = cuda_.EventQuery(event.handle);
    if (error != cuda::kNotReady) {
      const absl::Status status = Check("cudaEventQuery", error);
      if (!status.ok()) return status;
      return true;
    }
    cuda_.GetLastError();  // or the next call that asks would find "not ready"
    return false;
  }

  absl::Status WaitFor(DeviceStream stream, DeviceEvent event) override {
    return OnDevice("cudaStreamWaitEvent",
                    [&] { return cuda_.StreamWaitEvent(stream.handle, event.handle, 0); });
  }

  void Release(DeviceEvent event) override {
    OnDevice("cudaEventDestroy", [&] { return cuda_.EventDestroy(event.handle); }).IgnoreError();
  }

 private:
  absl::Status Check(absl::string_view call, cuda::Error error) const {
    if (error == cuda::kSuccess) return absl::OkStatus();
    return absl::InternalError(absl::StrCat(call, " on GPU ", index_, ": ", cuda_.GetErrorString(error)));
  }

  // Of a question whose failure is an answer.
  bool Succeeds(cuda::Error error) const {
    if (error == cuda::kSuccess) return true;
    cuda_.GetLastError();  // or the next call that asks would find it
    return false;
  }

  template <typename Call>
  absl::Status OnDevice(absl::string_view name, Call call) {
    if (absl::Status current = MakeCurrent(); !current.ok()) return current;
    return Check(name, call());
  }

  const cuda::Functions cuda_;
  const int index_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<DeviceApi>> OpenCudaDevice(int index) {
  const absl::StatusOr<cuda::Functions> runtime = LoadRuntime();
  if (!runtime.ok()) return runtime.status();
  int count = 0;
  if (const cuda::Error error = runtime->GetDeviceCount(&count); error != cuda::kSuccess) {
    return absl::UnavailableError(absl::StrCat("no GPU: ", runtime->GetErrorString(error)));
  }
  if (index < 0 || index >= count) {
    return absl::OutOfRangeError(absl::StrCat("there is no GPU ", index, ": this machine has ", count));
  }
  return std::make_unique<CudaDevice>(*runtime, index);
}

}  // namespace lvrpo
