#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/weights/moved.h"
#include "model/weights/weights.h"
#include "nlohmann/json.hpp"

// Parity cases: folders that say what the reference implementation gave for some model and inputs
// (tests/parity/README.md describes the files). An op computes the same with this project's code and
// compares.
namespace lvrpo::parity {

struct Case {
  std::string dir;  // folder of the case
  std::string family, op;
  nlohmann::json spec;                 // case.json
  nlohmann::json params;               // its "params"
  nlohmann::json expected_json;        // expected.json; null when there is none
  TensorMap inputs, expected;          // as stored; empty when there is no such file
  std::string model_dir;               // "" when the case has no model
  torch::Device device = torch::kCPU;  // where it runs: the inputs are there, and models have to be

  std::string path(const std::string& file) const { return dir + "/" + file; }
  torch::TensorOptions options() const { return torch::TensorOptions(torch::kFloat32).device(device); }
};

absl::StatusOr<Case> LoadCase(const std::string& dir, torch::Device device = torch::kCPU);

// The case's model, and tensors of its folder, on the case's device.
template <typename Model>
absl::StatusOr<Model> LoadModelOf(const Case& c) {
  return OnDevice(Model::Load(c.model_dir), c.device, c.model_dir);
}
absl::StatusOr<TensorMap> LoadTensorsOf(const Case& c, const std::string& file);

// Collects the comparisons of one case. A name's tolerance comes from case.json ("*" covers all names, no
// entry means exact): float tensors and numbers need |got - expected| <= atol + rtol |expected|, "exact"
// equal values. NaN equals NaN. On another device than a CPU, whose products round otherwise, tolerances are
// four times as wide.
class Report {
 public:
  explicit Report(const Case& parity_case) : case_(parity_case) {}

  // With the tensor of this name in expected.safetensors. Shapes must agree.
  void Compare(const std::string& name, const torch::Tensor& got);
  // With expected.json's member of this name, or with all of it when the name is "*".
  void CompareJson(const std::string& name, const nlohmann::json& got);
  bool Expects(const std::string& name) const;

  // Also fails what was expected (a tensor, or a name with a tolerance) and never compared.
  void Finish();
  bool passed() const { return failures_.empty(); }
  const std::vector<std::string>& failures() const { return failures_; }
  // Name -> largest absolute error.
  const std::map<std::string, double>& errors() const { return errors_; }

 private:
  struct Tolerance {
    bool exact = true;
    double atol = 0, rtol = 0;
  };
  Tolerance ToleranceOf(const std::string& name) const;
  // Empty when equal, otherwise where and how they differ.
  std::string JsonDifference(const nlohmann::json& got, const nlohmann::json& expected,
                             const Tolerance& tolerance, const std::string& where, double& largest) const;

  const Case& case_;
  std::set<std::string> compared_;
  std::vector<std::string> failures_;
  std::map<std::string, double> errors_;
};

using Op = std::function<absl::Status(const Case&, Report&)>;
using Registry = std::map<std::string, Op>;  // "family/op"

// Each in its ops_*.cc.
void RegisterAlgorithmOps(Registry& registry);
void RegisterFormatOps(Registry& registry);
void RegisterBagelOps(Registry& registry);
void RegisterBagelContextOps(Registry& registry);  // called by RegisterBagelOps, as the next
void RegisterSiglipOps(Registry& registry);
void RegisterOwlv2Ops(Registry& registry);
void RegisterPaliGemmaOps(Registry& registry);
void RegisterImageOps(Registry& registry);      // called by RegisterFormatOps
void RegisterQwen2Ops(Registry& registry);      // called by RegisterFormatOps
void RegisterTokenizerOps(Registry& registry);  // called by RegisterFormatOps

// Runs every case in and below the folders, prints one JSON line a case and a summary; returns the number
// that failed.
int RunCases(const Registry& registry, const std::vector<std::string>& folders,
             torch::Device device = torch::kCPU);
// With all ops.
int RunCases(const std::vector<std::string>& folders, torch::Device device);

}  // namespace lvrpo::parity
