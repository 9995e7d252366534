// Speed and peak memory of reading a checkpoint, compared with plain read() of the same bytes. Each case runs
// in its own process, to measure its own peak. The files are in the page cache: this is the cost of reading,
// not of the disk.

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/files/file.h"
#include "common/flags/role_flags.h"
#include "common/stopwatch.h"
#include "model/bagel_folder.h"
#include "model/folders/synthesize.h"
#include "model/weights/tensor_dtypes.h"
#include "nlohmann/json.hpp"
#include "tests/benchmarks/memory.h"

namespace lvrpo {
namespace {

constexpr char kProgram[] = "lvrpo-bench-load";

double Seconds(const std::function<void()>& work) {
  const Stopwatch watch;
  work();
  return watch.Seconds();
}

// Plain read() of a file, into one buffer again and again or into fresh memory for all of it.
void PlainRead(const std::string& path, bool fresh) {
  constexpr size_t kBuffer = size_t{8} << 20;
  const size_t size = std::filesystem::file_size(path);
  const std::unique_ptr<char, decltype(&std::free)> memory(
      static_cast<char*>(std::malloc(fresh ? size : kBuffer)), std::free);
  const int fd = open(path.c_str(), O_RDONLY);
  size_t done = 0;
  ssize_t count = 0;
  while ((count = read(fd, memory.get() + (fresh ? done : 0), std::min(kBuffer, size - done))) > 0)
    done += static_cast<size_t>(count);
  close(fd);
}

struct Case {
  std::string folder, dtype;
  bool map = false;
};

absl::Status MeasureHere(const Case& c) {
  const absl::StatusOr<std::optional<torch::Dtype>> dtype = ParseWeightDtype(c.dtype);
  if (!dtype.ok()) return dtype.status();
  const std::string path = JoinPath(c.folder, "ema.safetensors");
  nlohmann::json result;
  PlainRead(path, false);  // brings the file into the page cache
  result["read_seconds"] = Seconds([&] { PlainRead(path, false); });
  torch::ones({1 << 22}).to(torch::kBFloat16).to(torch::kFloat32).sum();  // starts torch's threads
  const int64_t before = StatusBytes("VmRSS");
  absl::StatusOr<TensorMap> tensors;
  result["open_seconds"] = Seconds([&] { OpenBagelFolder(c.folder).status().IgnoreError(); });
  result["seconds"] = Seconds([&] {
    const absl::StatusOr<BagelFolder> folder = OpenBagelFolder(c.folder);
    if (folder.ok())
      tensors = folder->weights.Read({.dtype = *dtype, .map = c.map});
    else
      tensors = folder.status();
  });
  if (!tensors.ok()) return tensors.status();
  result["peak_bytes"] = StatusBytes("VmHWM") - before;
  int64_t kept = 0;
  for (const auto& [name, tensor] : *tensors) kept += static_cast<int64_t>(tensor.nbytes());
  result["kept_bytes"] = kept;
  tensors = TensorMap();
  result["fresh_seconds"] = Seconds([&] { PlainRead(path, true); });
  std::printf("%s\n", result.dump().c_str());
  return absl::OkStatus();
}

// The same in a new process of this program.
absl::StatusOr<nlohmann::json> Measure(const Case& c) {
  const std::string command =
      absl::StrCat("'", std::filesystem::read_symlink("/proc/self/exe").string(), "' --case '", c.folder,
                   "' --dtype ", c.dtype, c.map ? " --map" : "");
  FILE* pipe = popen(command.c_str(), "r");
  std::string output;
  char buffer[4096];
  while (pipe != nullptr && std::fgets(buffer, sizeof(buffer), pipe) != nullptr) output += buffer;
  if (pipe == nullptr || pclose(pipe) != 0) return absl::InternalError("a measurement failed");
  return nlohmann::json::parse(output);
}

absl::Status Run(const std::string& work, double gigabytes) {
  // Number of layers of the published widths that give the size, without the vocabulary's share.
  SynthesizeOptions options;
  options.config.vocabulary = 4096;
  options.config.vit_layers = 1;
  constexpr double kLayerBytes = 2 * 2 * 233e6;  // both experts, bf16
  options.config.layers = std::max<int64_t>(1, std::llround(gigabytes * 1e9 / kLayerBytes));
  const std::string narrow = JoinPath(work, "bf16"), wide = JoinPath(work, "fp32");
  if (absl::Status status = SynthesizeBagel(options, narrow); !status.ok()) return status;
  options.dtype = torch::kFloat32;
  options.config.layers = std::max<int64_t>(1, options.config.layers / 2);
  if (absl::Status status = SynthesizeBagel(options, wide); !status.ok()) return status;
  std::printf("%-26s %8s %9s %7s %10s %22s %22s %6s\n", "case", "kept GB", "seconds", "GB/s", "peak/kept",
              "x of plain read()", "x of read() to fresh", "open s");
  for (const auto& [name, c] :
       std::vector<std::pair<std::string, Case>>{{"fp32 -> fp32, copied", {wide, "fp32"}},
                                                 {"bf16 -> bf16, copied", {narrow, "bf16"}},
                                                 {"bf16 -> fp32, cast", {narrow, "fp32"}},
                                                 {"fp32 -> fp32, views", {wide, "fp32", true}}}) {
    const absl::StatusOr<nlohmann::json> r = Measure(c);
    if (!r.ok()) return r.status();
    const double seconds = (*r)["seconds"], read = (*r)["read_seconds"], fresh = (*r)["fresh_seconds"];
    const double kept = (*r)["kept_bytes"], peak = (*r)["peak_bytes"], open = (*r)["open_seconds"];
    std::printf("%-26s %8.2f %9.3f %7.2f %10.3f %12.2f (%.3f s) %12.2f (%.3f s) %6.3f\n", name.c_str(),
                kept / 1e9, seconds, kept / 1e9 / seconds, peak / kept, seconds / read, read, seconds / fresh,
                fresh, open);
    std::fflush(stdout);
  }
  return absl::OkStatus();
}

int Main(int argc, char** argv) {
  CLI::App app("Compares reading a checkpoint with plain read() of the same bytes.");
  std::string work = "/tmp";
  double gigabytes = 4;
  Case one;
  one.dtype = "fp32";
  app.add_option("--work", work, "folder for the checkpoints, which are deleted at the end")
      ->capture_default_str();
  app.add_option("--gb", gigabytes, "size of a checkpoint")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--case", one.folder, "measure this folder alone, and print JSON");
  app.add_option("--dtype", one.dtype, "fp32 or bf16, with --case")->capture_default_str();
  app.add_flag("--map", one.map, "views of the file, with --case");
  if (const std::optional<int> code = ParseFlags(app, argc, argv)) return *code;
  if (!one.folder.empty()) return Explain(kProgram, MeasureHere(one));
  const std::string own = JoinPath(work, absl::StrCat("lvrpo-bench-load-", getpid()));
  absl::Status status = MakeFolder(own);
  if (status.ok()) status = Run(own, gigabytes);
  std::error_code ignored;
  std::filesystem::remove_all(own, ignored);
  return Explain(kProgram, status);
}

}  // namespace
}  // namespace lvrpo

int main(int argc, char** argv) { return lvrpo::Main(argc, argv); }
