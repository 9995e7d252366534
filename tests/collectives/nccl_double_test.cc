// That the double notes what the real library would hang on.
#include <memory>
#include <thread>

#include "gmock/gmock.h"
#include "tests/testing/nccl_world.h"

namespace lvrpo {
namespace {

using testing::HasSubstr;

class NcclDoubleTest : public testing::Test {
 protected:
  static nccl::Config NonBlocking() {
    nccl::Config config;
    config.blocking = 0;
    return config;
  }
  nccl::Comm* Init(const nccl::UniqueId& id, int rank, int size) {
    nccl::Config config = NonBlocking();
    nccl::Comm* comm = nullptr;
    EXPECT_EQ(nccl_.CommInitRankConfig(&comm, size, id, rank, &config), nccl::kInProgress);
    return comm;
  }
  nccl::UniqueId NewId() { return NcclCommunicator::NewId(world_.nccl.library).value(); }
  nccl::Result Settle(nccl::Comm* comm) {
    nccl::Result state = nccl::kInProgress;
    while (state == nccl::kInProgress) {
      EXPECT_EQ(nccl_.CommGetAsyncError(comm, &state), nccl::kSuccess);
      std::this_thread::yield();
    }
    return state;
  }
  nccl::Result Reduce(nccl::Comm* comm, DeviceStream stream) {
    return nccl_.AllReduce(&number_, &number_, 0, nccl::kFloat32, nccl::kSum, comm, stream.handle);
  }
  std::vector<nccl::Comm*> Pair() {
    const nccl::UniqueId id = NewId();
    const std::vector<nccl::Comm*> pair = {Init(id, 0, 2), Init(id, 1, 2)};
    for (nccl::Comm* comm : pair) EXPECT_EQ(Settle(comm), nccl::kSuccess);
    return pair;
  }
  std::string Breaches() { return world_.nccl.breaches(); }

  NcclWorld world_;
  const nccl::Functions& nccl_ = world_.nccl.library.functions;
  float number_ = 1;
};

TEST_F(NcclDoubleTest, NotesACallBeforeInitHasEnded) {
  const DeviceStream stream = world_.device.CreateStream().value();
  nccl::Comm* const comm = Init(NewId(), 0, 2);
  EXPECT_EQ(Reduce(comm, stream), nccl::kInvalidArgument);
  EXPECT_THAT(Breaches(), HasSubstr("a collective before the call before it, or the init, has ended"));
  nccl_.CommAbort(comm);
  EXPECT_TRUE(world_.device.DestroyStream(stream).ok());
}

TEST_F(NcclDoubleTest, NotesACallBeforeTheOneBeforeItHasEnded) {
  const DeviceStream stream = world_.device.CreateStream().value();
  nccl::Comm* const comm = Init(NewId(), 0, 1);
  EXPECT_EQ(Settle(comm), nccl::kSuccess);
  EXPECT_EQ(Reduce(comm, stream), nccl::kInProgress);
  EXPECT_EQ(Reduce(comm, stream), nccl::kInvalidArgument);
  EXPECT_THAT(Breaches(), HasSubstr("ncclCommGetAsyncError did not say ncclSuccess"));
  nccl_.CommAbort(comm);
  EXPECT_TRUE(world_.device.DestroyStream(stream).ok());
}

TEST_F(NcclDoubleTest, NotesDestroyAfterAPeersAbort) {
  const auto pair = Pair();
  nccl_.CommAbort(pair[0]);
  nccl_.CommDestroy(pair[1]);
  EXPECT_THAT(Breaches(), HasSubstr("ncclCommDestroy after a peer aborted"));
}

TEST_F(NcclDoubleTest, TakesDestroyAfterFinalize) {
  for (nccl::Comm* comm : Pair()) {
    nccl_.CommFinalize(comm);
    EXPECT_EQ(Settle(comm), nccl::kSuccess);
    nccl_.CommDestroy(comm);
  }
}

TEST_F(NcclDoubleTest, NotesAnIdUsedTwice) {
  const nccl::UniqueId id = NewId();
  nccl::Comm* const first = Init(id, 0, 1);
  EXPECT_EQ(Settle(first), nccl::kSuccess);
  nccl::Comm* const second = Init(id, 0, 1);
  std::string breaches;
  while ((breaches = Breaches()).empty()) std::this_thread::yield();
  EXPECT_THAT(breaches, HasSubstr("an id used twice"));
  nccl_.CommAbort(first);
  nccl_.CommAbort(second);
}

TEST_F(NcclDoubleTest, NotesRanksThatCallInDifferentOrder) {
  const auto pair = Pair();
  const DeviceStream streams[] = {world_.device.CreateStream().value(), world_.device.CreateStream().value()};
  EXPECT_EQ(Reduce(pair[0], streams[0]), nccl::kInProgress);
  EXPECT_EQ(nccl_.Broadcast(&number_, &number_, 1, nccl::kFloat32, 1, pair[1], streams[1].handle),
            nccl::kInProgress);
  std::string breaches;
  while ((breaches = Breaches()).empty()) std::this_thread::yield();
  EXPECT_THAT(breaches, HasSubstr("ranks call in different order"));
  EXPECT_THAT(breaches, HasSubstr("AllReduce(type 7, reduction 0, root 0, count 0) at place 0"));
  EXPECT_THAT(breaches, HasSubstr("Broadcast(type 7, reduction 0, root 1, count 1) at place 0"));
  for (nccl::Comm* comm : pair) nccl_.CommAbort(comm);
  Breaches();  // the other rank's view
  for (DeviceStream stream : streams) EXPECT_TRUE(world_.device.DestroyStream(stream).ok());
}

TEST_F(NcclDoubleTest, NotesTheParentsUseWhileItGrows) {
  const DeviceStream stream = world_.device.CreateStream().value();
  nccl::Comm* const parent = Init(NewId(), 0, 1);
  EXPECT_EQ(Settle(parent), nccl::kSuccess);
  nccl::UniqueId id;
  EXPECT_EQ(nccl_.CommGetUniqueId(parent, &id), nccl::kSuccess);
  nccl::Config config = NonBlocking();
  nccl::Comm* child = nullptr;
  EXPECT_EQ(nccl_.CommGrow(parent, 2, &id, -1, &child, &config), nccl::kInProgress);
  EXPECT_EQ(Reduce(parent, stream), nccl::kInvalidUsage);
  EXPECT_THAT(Breaches(), HasSubstr("a collective on the parent while a child is made of it"));
  nccl_.CommAbort(child);
  nccl_.CommAbort(parent);
  EXPECT_TRUE(world_.device.DestroyStream(stream).ok());
}

TEST_F(NcclDoubleTest, NotesASecondIdForNewcomers) {
  nccl::Comm* const comm = Init(NewId(), 0, 1);
  EXPECT_EQ(Settle(comm), nccl::kSuccess);
  nccl::UniqueId id;
  EXPECT_EQ(nccl_.CommGetUniqueId(comm, &id), nccl::kSuccess);
  EXPECT_EQ(nccl_.CommGetUniqueId(comm, &id), nccl::kInvalidUsage);
  EXPECT_THAT(Breaches(), HasSubstr("before the last one's id was used"));
  nccl_.CommAbort(comm);
}

TEST_F(NcclDoubleTest, NotesTheUseOfWhatIsGone) {
  nccl::Comm* const comm = Init(NewId(), 0, 1);
  EXPECT_EQ(Settle(comm), nccl::kSuccess);
  nccl_.CommAbort(comm);
  nccl::Result state;
  EXPECT_EQ(nccl_.CommGetAsyncError(comm, &state), nccl::kInvalidArgument);
  EXPECT_THAT(Breaches(), HasSubstr("ncclCommGetAsyncError on a communicator that was destroyed or aborted"));
}

TEST_F(NcclDoubleTest, NotesABlockingCommunicator) {
  nccl::Config config;
  nccl::Comm* comm = nullptr;
  EXPECT_EQ(nccl_.CommInitRankConfig(&comm, 1, NewId(), 0, &config), nccl::kInvalidArgument);
  EXPECT_THAT(Breaches(), HasSubstr("blocking mode"));
}

TEST_F(NcclDoubleTest, RefusesFaultsThatItDoesNotKnow) {
  for (const char* fault : {"", "dorp rank=1 op=2", "drop rank=1", "die_in_init"}) {
    EXPECT_EQ(world_.nccl.fault(fault), 1) << fault;
  }
}

}  // namespace
}  // namespace lvrpo
