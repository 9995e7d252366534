#include "tests/benchmarks/gloo_broadcast.h"

#include <cstdlib>
#include <thread>

#include "collectives/gloo/gloo_collectives.h"
#include "common/hash.h"
#include "common/stopwatch.h"

namespace lvrpo {

GlooBroadcast::GlooBroadcast(int receivers)
    : rendezvous_(*ServeRendezvous("127.0.0.1")),
      ranks_(static_cast<size_t>(receivers) + 1),
      buffers_(ranks_.size()) {
  std::vector<std::thread> threads;
  for (size_t rank = 0; rank < ranks_.size(); ++rank) {
    threads.emplace_back([this, rank] {
      ranks_[rank] = *ConnectGloo({.rendezvous = rendezvous_->address(),
                                   .epoch = "benchmark",
                                   .rank = static_cast<int>(rank),
                                   .size = static_cast<int>(ranks_.size()),
                                   .host = "127.0.0.1"});
    });
  }
  for (std::thread& thread : threads) thread.join();
}

GlooBroadcast::~GlooBroadcast() = default;

double GlooBroadcast::Seconds(const std::string& bytes, bool verify) {
  buffers_[0] = bytes;
  for (std::string& buffer : buffers_) buffer.resize(bytes.size(), 'x');
  const Stopwatch watch;
  std::vector<std::thread> threads;
  for (size_t rank = 0; rank < ranks_.size(); ++rank) {
    threads.emplace_back([this, rank, verify] {
      std::string& own = buffers_[rank];
      const Span span = {own.data(), static_cast<int64_t>(own.size() / sizeof(float)), Element::kFloat32};
      if (!ranks_[rank]->Broadcast(span, 0)->Wait().ok()) std::abort();
      if (verify && rank > 0) (void)Sha256Hex(own);
    });
  }
  for (std::thread& thread : threads) thread.join();
  return watch.Seconds();
}

}  // namespace lvrpo
