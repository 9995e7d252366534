#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "proto/lvrpo/v1/weights.pb.h"

namespace lvrpo {

// What a receiver asks for: a version, by number and digest, of exactly these fp32 tensors.
struct WantedWeights {
  v1::PolicyVersion version;
  std::map<std::string, std::vector<int64_t>> shapes;  // name -> shape
};

// DataLoss unless `manifest`, in which nothing is trusted, announces the wanted version, whole, and no byte
// more. Pure.
absl::Status CheckManifest(const v1::WeightManifest& manifest, const WantedWeights& wanted);

}  // namespace lvrpo
