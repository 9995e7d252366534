// lvrpo-parity [--device DEVICE] FOLDER...: runs the parity cases in and below the folders. Exit code 1 when
// any failed, 69 when there is no such device.
#include <cstdio>
#include <string>
#include <vector>

#include "common/exit_code.h"
#include "model/weights/device.h"
#include "tests/parity/parity.h"

int main(int argc, char** argv) {
  std::vector<std::string> folders(argv + 1, argv + argc);
  std::string name = "cpu";
  if (folders.size() > 1 && folders[0] == "--device") {
    name = folders[1];
    folders.erase(folders.begin(), folders.begin() + 2);
  }
  if (folders.empty()) {
    std::fprintf(
        stderr,
        "usage: lvrpo-parity [--device DEVICE] FOLDER...\nRuns the parity cases in and below the folders.\n");
    return 2;
  }
  const absl::StatusOr<torch::Device> device = lvrpo::FindDevice(name);
  if (!device.ok()) {
    std::fprintf(stderr, "lvrpo-parity: %s\n", std::string(device.status().message()).c_str());
    return lvrpo::ExitCodeFor(device.status());
  }
  at::globalContext().setAllowTF32CuDNN(false);  // the references are fp32
  return lvrpo::parity::RunCases(folders, *device) == 0 ? 0 : 1;
}
