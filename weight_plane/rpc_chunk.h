#pragma once

#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/slice.h>

#include <cstddef>
#include <cstdint>
#include <span>

#include "absl/status/statusor.h"

namespace lvrpo {

// What a message v1::WeightChunk carries: consecutive bytes of a bucket. Written and read here as the
// protocol buffer that it is, so that its bytes are copied only once, by the receiver, into place.
struct ChunkPlace {
  int64_t bucket = 0, offset = 0;
};

// The message, which refers to `bytes`.
grpc::ByteBuffer EncodeChunk(const ChunkPlace& place, grpc::Slice bytes);

// Copies the bytes of a message, which nothing is known of, to the begin of `into`, and returns how many
// there are. DataLoss when it is no such message, lies elsewhere than at `place`, is empty, or has more bytes
// than `into` has room for; `into` may have been written to then.
absl::StatusOr<size_t> DecodeChunk(grpc::ByteBuffer& message, const ChunkPlace& place, std::span<char> into);

}  // namespace lvrpo
