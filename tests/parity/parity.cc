#include "tests/parity/parity.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <exception>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/files/file.h"

namespace lvrpo::parity {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

absl::StatusOr<json> ReadJson(const std::string& path) {
  auto text = ReadFile(path);
  if (!text.ok()) return text.status();
  json parsed = json::parse(*text, nullptr, /*allow_exceptions=*/false);
  if (parsed.is_discarded()) return absl::DataLossError(absl::StrCat(path, ": not JSON"));
  return parsed;
}

std::string ShapeOf(const torch::Tensor& tensor) {
  return absl::StrCat("[", absl::StrJoin(tensor.sizes(), ","), "]");
}

// Every case folder in and below `folder`, sorted.
std::vector<std::string> FindCases(const std::string& folder) {
  std::vector<std::string> found;
  std::error_code error;
  if (fs::exists(fs::path(folder) / "case.json", error)) return {folder};
  for (fs::recursive_directory_iterator it(folder, fs::directory_options::follow_directory_symlink, error),
       end;
       it != end; it.increment(error)) {
    if (it->path().filename() == "case.json") found.push_back(it->path().parent_path().string());
  }
  std::sort(found.begin(), found.end());
  return found;
}

struct Outcome {
  json line;
  bool passed = false;
};

Outcome RunCase(const Registry& registry, const std::string& dir, torch::Device device) {
  Outcome outcome;
  outcome.line["case"] = dir;
  std::vector<std::string> failures;
  absl::StatusOr<Case> loaded = LoadCase(dir, device);
  if (!loaded.ok()) {
    failures.push_back(std::string(loaded.status().message()));
  } else if (const auto op = registry.find(loaded->family + "/" + loaded->op); op == registry.end()) {
    failures.push_back(absl::StrCat("no op '", loaded->family, "/", loaded->op, "'"));
  } else {
    Report report(*loaded);
    absl::Status status;
    try {
      status = op->second(*loaded, report);
    } catch (const std::exception& error) {
      status = absl::InternalError(error.what());
    }
    report.Finish();
    if (!status.ok()) failures.push_back(status.ToString());
    failures.insert(failures.end(), report.failures().begin(), report.failures().end());
    outcome.line["errors"] = report.errors();
  }
  outcome.passed = failures.empty();
  outcome.line["passed"] = outcome.passed;
  if (!failures.empty()) outcome.line["failures"] = failures;
  return outcome;
}

}  // namespace

absl::StatusOr<TensorMap> LoadTensorsOf(const Case& c, const std::string& file) {
  absl::StatusOr<TensorMap> tensors = LoadTensors(c.model_dir + file);
  if (!tensors.ok()) return tensors;
  if (absl::Status status = MoveTo(c.device, *tensors, file); !status.ok()) return status;
  return tensors;
}

absl::StatusOr<Case> LoadCase(const std::string& dir, torch::Device device) {
  Case loaded;
  loaded.device = device;
  loaded.dir = dir;
  auto spec = ReadJson(dir + "/case.json");
  if (!spec.ok()) return spec.status();
  loaded.spec = *spec;
  if (!loaded.spec.is_object() || !loaded.spec.value("family", json()).is_string() ||
      !loaded.spec.value("op", json()).is_string()) {
    return absl::DataLossError(absl::StrCat(dir, "/case.json: no family or op"));
  }
  loaded.family = loaded.spec["family"];
  loaded.op = loaded.spec["op"];
  loaded.params = loaded.spec.value("params", json::object());
  if (loaded.spec.contains("model") && loaded.spec["model"].is_string()) {
    loaded.model_dir = dir + "/" + loaded.spec["model"].get<std::string>();
  } else if (fs::is_directory(dir + "/model")) {
    loaded.model_dir = dir + "/model";
  }
  for (const auto& [file, tensors] :
       {std::pair<const char*, TensorMap*>{"/inputs.safetensors", &loaded.inputs},
        {"/expected.safetensors", &loaded.expected}}) {
    if (!fs::exists(dir + file)) continue;
    auto read = LoadTensors(dir + file, std::nullopt);
    if (!read.ok()) return read.status();
    *tensors = *std::move(read);
  }
  if (absl::Status status = MoveTo(device, loaded.inputs, dir); !status.ok()) return status;
  if (fs::exists(dir + "/expected.json")) {
    auto read = ReadJson(dir + "/expected.json");
    if (!read.ok()) return read.status();
    loaded.expected_json = *std::move(read);
  }
  return loaded;
}

Report::Tolerance Report::ToleranceOf(const std::string& name) const {
  const json all = case_.spec.value("tolerance", json::object());
  const auto found = all.contains(name) ? all.find(name) : all.find("*");
  if (found == all.end() || !found->is_object()) return {};
  const double wider = case_.device.is_cpu() ? 1 : 4;
  return {
      .exact = false, .atol = wider * found->value("atol", 0.0), .rtol = wider * found->value("rtol", 0.0)};
}

bool Report::Expects(const std::string& name) const {
  return case_.expected.contains(name) ||
         (case_.expected_json.is_object() && case_.expected_json.contains(name));
}

void Report::Compare(const std::string& name, const torch::Tensor& got) {
  compared_.insert(name);
  const auto found = case_.expected.find(name);
  if (found == case_.expected.end()) {
    failures_.push_back(absl::StrCat(name, ": not in expected.safetensors"));
    return;
  }
  const torch::Tensor& expected = found->second;
  if (got.sizes() != expected.sizes()) {
    failures_.push_back(absl::StrCat(name, ": shape ", ShapeOf(got), " instead of ", ShapeOf(expected)));
    return;
  }
  const Tolerance tolerance = ToleranceOf(name);
  const torch::Tensor a = got.detach().cpu().to(torch::kFloat64), b = expected.to(torch::kFloat64);
  const torch::Tensor equal = a.eq(b) | (a.isnan() & b.isnan());
  const torch::Tensor error = (a - b).abs().masked_fill(equal, 0);
  errors_[name] = error.numel() == 0 ? 0 : error.max().item<double>();
  torch::Tensor good = equal;
  if (tolerance.exact) {
    // Integers beyond 2^53 do not survive the way through double.
    if (!expected.is_floating_point()) good = got.detach().cpu().eq(expected);
  } else {
    good = good | error.le(tolerance.atol + tolerance.rtol * b.abs());
  }
  const int64_t bad = good.logical_not().sum().item<int64_t>();
  if (bad == 0) return;
  const int64_t first = good.logical_not().flatten().to(torch::kInt32).argmax().item<int64_t>();
  failures_.push_back(absl::StrCat(name, ": ", bad, " of ", got.numel(), " differ, the first at ", first,
                                   ": ", a.flatten()[first].item<double>(), " instead of ",
                                   b.flatten()[first].item<double>(), "; largest error ", errors_[name]));
}

std::string Report::JsonDifference(const json& got, const json& expected, const Tolerance& tolerance,
                                   const std::string& where, double& largest) const {
  if (got.is_number() && expected.is_number() && !tolerance.exact) {
    const double a = got.get<double>(), b = expected.get<double>(), error = std::abs(a - b);
    largest = std::max(largest, error);
    if (error <= tolerance.atol + tolerance.rtol * std::abs(b)) return "";
  } else if (got.is_array() && expected.is_array() && got.size() == expected.size()) {
    for (size_t i = 0; i < got.size(); ++i) {
      std::string inner =
          JsonDifference(got[i], expected[i], tolerance, absl::StrCat(where, "[", i, "]"), largest);
      if (!inner.empty()) return inner;
    }
    return "";
  } else if (got.is_object() && expected.is_object() && got.size() == expected.size()) {
    for (const auto& [key, value] : expected.items()) {
      if (!got.contains(key)) return absl::StrCat(where, " has no '", key, "'");
      std::string inner = JsonDifference(got[key], value, tolerance, absl::StrCat(where, ".", key), largest);
      if (!inner.empty()) return inner;
    }
    return "";
  } else if (got == expected) {
    return "";
  }
  const auto shortened = [](const json& value) {
    return value.dump(-1, ' ', true, json::error_handler_t::replace).substr(0, 120);
  };
  return absl::StrCat(where, ": ", shortened(got), " instead of ", shortened(expected));
}

void Report::CompareJson(const std::string& name, const json& got) {
  compared_.insert(name);
  if (name != "*" && (!case_.expected_json.is_object() || !case_.expected_json.contains(name))) {
    failures_.push_back(absl::StrCat(name, ": not in expected.json"));
    return;
  }
  const json& expected = name == "*" ? case_.expected_json : case_.expected_json[name];
  double largest = 0;
  const std::string difference = JsonDifference(got, expected, ToleranceOf(name), name, largest);
  errors_[name] = largest;
  if (!difference.empty()) failures_.push_back(difference);
}

void Report::Finish() {
  std::set<std::string> wanted;
  for (const auto& [name, tensor] : case_.expected) wanted.insert(name);
  const json tolerances = case_.spec.value("tolerance", json::object());
  for (const auto& [name, tolerance] : tolerances.items()) {
    if (name != "*") {
      wanted.insert(name);
    } else if (case_.expected_json.is_object() && !compared_.contains("*")) {
      for (const auto& [member, value] : case_.expected_json.items()) wanted.insert(member);
    }
  }
  for (const std::string& name : wanted) {
    if (!compared_.contains(name)) failures_.push_back(absl::StrCat(name, ": expected but never compared"));
  }
}

int RunCases(const Registry& registry, const std::vector<std::string>& folders, torch::Device device) {
  int passed = 0, failed = 0;
  for (const std::string& folder : folders) {
    const std::vector<std::string> cases = FindCases(folder);
    if (cases.empty()) {
      std::printf("%s\n",
                  json{{"case", folder}, {"passed", false}, {"failures", {"no case.json in or below it"}}}
                      .dump()
                      .c_str());
      ++failed;
    }
    for (const std::string& dir : cases) {
      const Outcome outcome = RunCase(registry, dir, device);
      std::printf("%s\n", outcome.line.dump(-1, ' ', true, json::error_handler_t::replace).c_str());
      std::fflush(stdout);
      ++(outcome.passed ? passed : failed);
    }
  }
  std::printf("%d passed, %d failed\n", passed, failed);
  return failed;
}

int RunCases(const std::vector<std::string>& folders, torch::Device device) {
  Registry registry;
  RegisterAlgorithmOps(registry);
  RegisterFormatOps(registry);
  RegisterBagelOps(registry);
  RegisterOwlv2Ops(registry);
  RegisterPaliGemmaOps(registry);
  return RunCases(registry, folders, device);
}

}  // namespace lvrpo::parity
