// nccl_rank RANK SIZE ID: one rank over the NCCL double as a process. Does what its standard input says, a
// line each, and answers each with a line:
//   sum           adds its rank + 1 to all others': "sum X", or "error CODE: why"
//   fly, stand    lets time fly, so that whatever waits is late at once; or stand still: "ok"
//   shrink R      makes a communicator without rank R: "rank I of N", or "error ..."
// Ends with 0 at the end of its input; with 1 if a rule of NCCL was broken.
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <string>

#include "tests/testing/nccl_world.h"

namespace lvrpo {
namespace {

std::string Sum(const std::unique_ptr<NcclCollectives>& rank) {
  float number = rank->rank() + 1.0F;
  const absl::Status status =
      rank->AllReduce({.data = &number, .count = 1, .element = Element::kFloat32}, Reduction::kSum)->Wait();
  return status.ok() ? "sum " + std::to_string(static_cast<int>(number)) : "error " + status.ToString();
}

int Run(char** argv) {
  TimeOnDemand time;
  NcclDouble& nccl = NcclDouble::Newest();
  HostDevice device;
  const NcclPlace place = {.library = &nccl.library, .device = &device, .limits = time.Limits()};
  nccl::UniqueId id = {};
  std::snprintf(id.internal, sizeof(id.internal), "%s", argv[3]);
  auto made = NcclCommunicator::Make(place, id, std::atoi(argv[1]), std::atoi(argv[2]));
  if (!made.ok()) return 2;
  auto rank = NcclCollectives::Over(*std::move(made)).value();
  for (std::string line; std::getline(std::cin, line);) {
    std::string answer = "ok";
    if (line == "sum") answer = Sum(rank);
    if (line == "fly") time.Fly();
    if (line == "stand") time.Stand();
    if (line.rfind("shrink ", 0) == 0) {
      const int gone = std::atoi(line.c_str() + 7);
      made = NcclCommunicator::Shrink(NcclCollectives::TakeCommunicator(std::move(rank)), {gone});
      answer = "error " + made.status().ToString();
      if (made.ok()) {
        rank = NcclCollectives::Over(*std::move(made)).value();
        answer = "rank " + std::to_string(rank->rank()) + " of " + std::to_string(rank->size());
      }
    }
    std::cout << answer << std::endl;
  }
  rank.reset();
  return *nccl.breaches() == '\0' && nccl.communicators() == 0 ? 0 : 1;
}

}  // namespace
}  // namespace lvrpo

int main(int argc, char** argv) { return argc == 4 ? lvrpo::Run(argv) : 64; }
