// lvrpo-parity FOLDER...: runs the parity cases in and below the folders. Exit code 1 when any failed.
#include <cstdio>
#include <string>
#include <vector>

#include "tests/parity/parity.h"

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: lvrpo-parity FOLDER...\nRuns the parity cases in and below the folders.\n");
    return 2;
  }
  lvrpo::parity::Registry registry;
  lvrpo::parity::RegisterAlgorithmOps(registry);
  lvrpo::parity::RegisterFormatOps(registry);
  lvrpo::parity::RegisterBagelOps(registry);
  lvrpo::parity::RegisterOwlv2Ops(registry);
  lvrpo::parity::RegisterPaliGemmaOps(registry);
  return lvrpo::parity::RunCases(registry, std::vector<std::string>(argv + 1, argv + argc)) == 0 ? 0 : 1;
}
