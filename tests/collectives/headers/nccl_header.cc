// Compiles if nccl_abi.h says what nccl.h does. HAS_GROW: that header declares ncclCommGrow.
#include <nccl.h>

#include <cstddef>

#include "collectives/nccl_abi.h"
#include "tests/collectives/headers/same_interface.h"

namespace lvrpo {

#define SAME_FUNCTION(name)                                                                     \
  static_assert(SameInterface<decltype(nccl::Functions::name), decltype(&::nccl##name)>::value, \
                "ncc"                                                                           \
                "l" #name)
SAME_FUNCTION(GetVersion);
SAME_FUNCTION(GetUniqueId);
SAME_FUNCTION(GetErrorString);
SAME_FUNCTION(GetLastError);
SAME_FUNCTION(CommInitRankConfig);
SAME_FUNCTION(CommGetAsyncError);
SAME_FUNCTION(CommFinalize);
SAME_FUNCTION(CommDestroy);
SAME_FUNCTION(CommAbort);
SAME_FUNCTION(CommCount);
SAME_FUNCTION(CommUserRank);
SAME_FUNCTION(AllGather);
SAME_FUNCTION(ReduceScatter);
SAME_FUNCTION(AllReduce);
SAME_FUNCTION(Broadcast);
SAME_FUNCTION(CommShrink);
SAME_FUNCTION(CommRevoke);
#ifdef HAS_GROW
SAME_FUNCTION(CommGetUniqueId);
SAME_FUNCTION(CommGrow);
#endif

// That the comparison can fail.
static_assert(!SameInterface<decltype(nccl::Functions::AllReduce), decltype(&::ncclBroadcast)>::value);
static_assert(!SameInterface<decltype(nccl::Functions::AllGather), decltype(&::ncclAllReduce)>::value);

#define SAME_FIELD(name)                                                                            \
  static_assert(offsetof(nccl::Config, name) == offsetof(ncclConfig_t, name), #name);               \
  static_assert(std::is_same_v<decltype(nccl::Config::name), decltype(ncclConfig_t::name)>, #name); \
  static_assert(kOurs.name == kTheirs.name || offsetof(nccl::Config, name) < offsetof(nccl::Config, blocking))
constexpr ncclConfig_t kTheirs = NCCL_CONFIG_INITIALIZER;
constexpr nccl::Config kOurs;
SAME_FIELD(size);
SAME_FIELD(magic);
SAME_FIELD(version);
SAME_FIELD(blocking);
SAME_FIELD(cgaClusterSize);
SAME_FIELD(minCTAs);
SAME_FIELD(maxCTAs);
SAME_FIELD(netName);
SAME_FIELD(splitShare);
SAME_FIELD(trafficClass);
SAME_FIELD(commName);
SAME_FIELD(collnetEnable);
SAME_FIELD(CTAPolicy);
SAME_FIELD(shrinkShare);
SAME_FIELD(nvlsCTAs);
SAME_FIELD(nChannelsPerNetPeer);
SAME_FIELD(nvlinkCentricSched);
static_assert(kOurs.magic == kTheirs.magic);
#if NCCL_VERSION_CODE / 100 == 228
static_assert(sizeof(nccl::Config) == sizeof(ncclConfig_t), "a field of 2.28 is missing");
#endif
static_assert(sizeof(nccl::Config) <= sizeof(ncclConfig_t));

static_assert(int{nccl::kSuccess} == ncclSuccess &&
              int{nccl::kUnhandledCudaError} == ncclUnhandledCudaError &&
              int{nccl::kSystemError} == ncclSystemError && int{nccl::kInternalError} == ncclInternalError &&
              int{nccl::kInvalidArgument} == ncclInvalidArgument &&
              int{nccl::kInvalidUsage} == ncclInvalidUsage && int{nccl::kRemoteError} == ncclRemoteError &&
              int{nccl::kInProgress} == ncclInProgress);
static_assert(int{nccl::kUint8} == ncclUint8 && int{nccl::kInt64} == ncclInt64 &&
              int{nccl::kFloat32} == ncclFloat32 && int{nccl::kFloat64} == ncclFloat64 &&
              int{nccl::kBfloat16} == ncclBfloat16);
static_assert(int{nccl::kSum} == ncclSum && int{nccl::kMax} == ncclMax && int{nccl::kMin} == ncclMin);
static_assert(nccl::kShrinkDefault == NCCL_SHRINK_DEFAULT && nccl::kShrinkAbort == NCCL_SHRINK_ABORT &&
              nccl::kRevokeDefault == NCCL_REVOKE_DEFAULT);

}  // namespace lvrpo
