#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model/folders/memory_plan.h"
#include "nlohmann/json.hpp"

namespace lvrpo {

// What a BAGEL folder holds and what running it takes, from its settings and its files' headers alone; no
// weight is read or allocated.
struct Inspection {
  struct Size {
    int64_t tensors = 0, parameters = 0, bytes = 0;  // bytes as stored
  };
  std::string folder;
  BagelConfig config;
  // In this order: embeddings and head, understanding half, generation half, vision tower, connector,
  // latent in and out, time embedder, position tables, autoencoder.
  std::vector<std::pair<std::string, Size>> parts;
  std::map<std::string, Size> dtypes;  // by safetensors name, policy and autoencoder together
  Size total;
  MemoryPlan memory;
};

// The part of Inspection::parts that a policy tensor belongs to.
std::string PartOf(const std::string& tensor);

// Errors as in loading (model/bagel_folder.h), and PlanMemory's for the options.
absl::StatusOr<Inspection> InspectBagel(const std::string& folder, const MemoryOptions& options = {});

// As text for people, and as JSON with plain bytes.
std::string InspectionTable(const Inspection& inspection);
nlohmann::json InspectionJson(const Inspection& inspection);

}  // namespace lvrpo
