#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "proto/lvrpo/v1/weights.pb.h"
#include "weight_plane/packed_weights.h"

namespace lvrpo {

// What a receiver asks for: a version, by number and digest, of exactly these fp32 tensors.
struct WantedWeights {
  v1::PolicyVersion version;
  std::map<std::string, std::vector<int64_t>> shapes;  // name -> shape
};

// Consecutive bytes of one bucket. `bytes` stay valid until the stream is asked for the next piece.
struct WeightPiece {
  int64_t bucket = 0, offset = 0;
  absl::string_view bytes;
  std::optional<uint32_t> crc32;  // where the transport carries one
};

// One version on its way from a holder, as a transport delivers it: nothing in it is trusted. One thread.
class WeightStream {
 public:
  virtual ~WeightStream() = default;
  // Called once, first. NotFound when the holder does not have the version.
  virtual absl::StatusOr<v1::WeightManifest> Manifest() = 0;
  // The next piece in bucket order; nullopt after the last. Nothing is transferred before the first call.
  virtual absl::StatusOr<std::optional<WeightPiece>> Next() = 0;
};

// Weights that are what was asked for, byte by byte. ReceiveWeights alone makes them.
class VerifiedWeights {
 public:
  const v1::WeightManifest& manifest() const { return packed_.manifest; }
  const std::vector<std::string>& buckets() const { return packed_.buckets; }

 private:
  friend absl::StatusOr<VerifiedWeights> ReceiveWeights(WeightStream&, const WantedWeights&,
                                                        const std::function<void(int64_t)>&);
  explicit VerifiedWeights(PackedWeights packed) : packed_(std::move(packed)) {}
  PackedWeights packed_;
};

// The one place where weights are verified. DataLoss unless the manifest has the wanted digest and announces
// exactly the wanted tensors and no byte more (checked before the first piece is asked for), every piece
// continues its bucket and matches its CRC-32, and every bucket matches its SHA-256. Errors of the stream are
// passed on. `on_bytes` is told of bytes as they come.
absl::StatusOr<VerifiedWeights> ReceiveWeights(WeightStream& stream, const WantedWeights& wanted,
                                               const std::function<void(int64_t)>& on_bytes);

}  // namespace lvrpo
