#pragma once

#include <climits>
#include <cstddef>

// What this project uses of NCCL's C interface (nccl.h 2.28 and later), declared here so that it builds
// without NCCL or CUDA: the library is loaded at run time (nccl_library.h). `make check-nccl` compares these
// declarations with the published header. The comments in nccl.h are the manual.
namespace lvrpo::nccl {

enum Result : int {
  kSuccess = 0,
  kUnhandledCudaError = 1,
  kSystemError = 2,
  kInternalError = 3,
  kInvalidArgument = 4,
  kInvalidUsage = 5,
  kRemoteError = 6,
  kInProgress = 7,
};

enum DataType : int { kUint8 = 1, kInt64 = 4, kFloat32 = 7, kFloat64 = 8, kBfloat16 = 9 };
enum RedOp : int { kSum = 0, kMax = 2, kMin = 3 };

struct Comm;  // a communicator of the library's

// A CUDA stream (cudaStream_t).
using Stream = void*;

// Names a rendezvous; good for one communicator.
struct UniqueId {
  char internal[128];
};

// The layout of 2.28 (ncclConfig_v22800). `size` and `version` say so; later libraries fill in what is
// missing.
struct Config {
  size_t size = sizeof(Config);
  unsigned int magic = 0xcafebeef;
  unsigned int version = 22800;
  int blocking = INT_MIN;  // INT_MIN and nullptr: the library's default
  int cgaClusterSize = INT_MIN;
  int minCTAs = INT_MIN;
  int maxCTAs = INT_MIN;
  const char* netName = nullptr;
  int splitShare = INT_MIN;
  int trafficClass = INT_MIN;
  const char* commName = nullptr;
  int collnetEnable = INT_MIN;
  int CTAPolicy = INT_MIN;
  int shrinkShare = INT_MIN;
  int nvlsCTAs = INT_MIN;
  int nChannelsPerNetPeer = INT_MIN;
  int nvlinkCentricSched = INT_MIN;
};

constexpr int kShrinkDefault = 0;
constexpr int kShrinkAbort = 1;  // ends what is in progress on the parent first
constexpr int kRevokeDefault = 0;

// The library's functions, without their prefix "nccl".
struct Functions {
  Result (*GetVersion)(int* version);
  Result (*GetUniqueId)(UniqueId* id);
  const char* (*GetErrorString)(Result result);
  const char* (*GetLastError)(Comm* comm);
  Result (*CommInitRankConfig)(Comm** comm, int size, UniqueId id, int rank, Config* config);
  Result (*CommGetAsyncError)(Comm* comm, Result* state);
  Result (*CommFinalize)(Comm* comm);
  Result (*CommDestroy)(Comm* comm);
  Result (*CommAbort)(Comm* comm);
  Result (*CommCount)(Comm* comm, int* count);
  Result (*CommUserRank)(Comm* comm, int* rank);
  Result (*AllGather)(const void* in, void* out, size_t in_count, DataType type, Comm* comm, Stream stream);
  Result (*ReduceScatter)(const void* in, void* out, size_t out_count, DataType type, RedOp reduction,
                          Comm* comm, Stream stream);
  Result (*AllReduce)(const void* in, void* out, size_t count, DataType type, RedOp reduction, Comm* comm,
                      Stream stream);
  Result (*Broadcast)(const void* in, void* out, size_t count, DataType type, int root, Comm* comm,
                      Stream stream);
  // Null where the library has none: 2.28.9 has the first two, 2.32.3 all.
  Result (*CommShrink)(Comm* comm, int* gone, int gone_count, Comm** made, Config* config, int flags);
  Result (*CommRevoke)(Comm* comm, int flags);
  Result (*CommGetUniqueId)(Comm* comm, UniqueId* id);
  Result (*CommGrow)(Comm* comm, int size, const UniqueId* id, int rank, Comm** made, Config* config);
};

}  // namespace lvrpo::nccl
