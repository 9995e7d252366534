#pragma once

#include <memory>
#include <string>
#include <vector>

#include "collectives/collectives.h"
#include "collectives/gloo/rendezvous.h"

namespace lvrpo {

// c10d's Gloo on 127.0.0.1 as a baseline: a sender and receivers as threads of this process, connected once.
class GlooBroadcast {
 public:
  explicit GlooBroadcast(int receivers);
  ~GlooBroadcast();

  // Seconds until all receivers have `bytes` (a multiple of 4), in memory that has been written to before;
  // and, with `verify`, each the SHA-256 of them.
  double Seconds(const std::string& bytes, bool verify);

 private:
  const std::unique_ptr<Rendezvous> rendezvous_;
  std::vector<std::unique_ptr<Collectives>> ranks_;
  std::vector<std::string> buffers_;  // by rank
};

}  // namespace lvrpo
