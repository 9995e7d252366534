#include "tests/testing/nccl_world.h"

#include <dlfcn.h>

#include <thread>
#include <utility>

namespace lvrpo {
namespace {

template <typename Function>
void Find(void* library, const char* symbol, Function** function) {
  *function = reinterpret_cast<Function*>(dlsym(library, symbol));
}

NcclDouble* Load(const char* path) {
  auto* const made = new NcclDouble;
  absl::StatusOr<NcclLibrary> library = LoadNccl(path);
  if (!library.ok()) {
    ADD_FAILURE() << library.status();
    std::abort();
  }
  made->library = *std::move(library);
  void* const handle = dlopen(path, RTLD_NOW | RTLD_NOLOAD);
  Find(handle, "nccl_double_fault", &made->fault);
  Find(handle, "nccl_double_release", &made->release);
  Find(handle, "nccl_double_breaches", &made->breaches);
  Find(handle, "nccl_double_communicators", &made->communicators);
  return made;
}

}  // namespace

NcclDouble& NcclDouble::Newest() {
  static NcclDouble* const loaded = Load(LVRPO_NCCL_DOUBLE);
  return *loaded;
}

NcclDouble& NcclDouble::Bare() {
  static NcclDouble* const loaded = Load(LVRPO_NCCL_DOUBLE_BARE);
  return *loaded;
}

NcclWorld::~NcclWorld() {
  EXPECT_STREQ(nccl.breaches(), "");
  EXPECT_EQ(nccl.communicators(), before_ + given_up) << "neither destroyed nor aborted";
  EXPECT_EQ(device.held(), 0) << "not given back";
  nccl.fault(nullptr);
}

std::vector<NcclWorld::Made> NcclWorld::OnEach(int size, const std::function<Made(int rank)>& make) {
  std::vector<Made> made(static_cast<size_t>(size));
  std::vector<std::thread> threads;
  for (int rank = 0; rank < size; ++rank) threads.emplace_back([&, rank] { made[rank] = make(rank); });
  for (std::thread& thread : threads) thread.join();
  return made;
}

std::vector<std::unique_ptr<NcclCommunicator>> NcclWorld::MakeAll(int size, const NcclLimits& limits) {
  const nccl::UniqueId id = NcclCommunicator::NewId(nccl.library).value();
  std::vector<std::unique_ptr<NcclCommunicator>> all;
  for (Made& made :
       OnEach(size, [&](int rank) { return NcclCommunicator::Make(Place(limits), id, rank, size); })) {
    all.push_back(std::move(made).value());
  }
  return all;
}

std::vector<std::unique_ptr<NcclCollectives>> NcclWorld::CollectivesOfAll(int size,
                                                                          const NcclLimits& limits) {
  std::vector<std::unique_ptr<NcclCollectives>> all;
  for (auto& communicator : MakeAll(size, limits)) {
    all.push_back(NcclCollectives::Over(std::move(communicator)).value());
  }
  return all;
}

std::vector<absl::StatusOr<float>> NcclWorld::SumOfAll(
    const std::vector<std::unique_ptr<NcclCollectives>>& ranks) {
  std::vector<absl::StatusOr<float>> sums(ranks.size());
  std::vector<std::thread> threads;
  for (size_t i = 0; i < ranks.size(); ++i) {
    threads.emplace_back([&, i] {
      float number = ranks[i]->rank() + 1.0F;
      const absl::Status status =
          ranks[i]
              ->AllReduce({.data = &number, .count = 1, .element = Element::kFloat32}, Reduction::kSum)
              ->Wait();
      if (status.ok()) {
        sums[i] = number;
      } else {
        sums[i] = status;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  return sums;
}

}  // namespace lvrpo
