#include "weight_plane/rpc_chunk.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/wire_format_lite.h>
#include <grpcpp/support/proto_buffer_reader.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "proto/lvrpo/v1/weights.pb.h"

namespace lvrpo {
namespace {

using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedInputStream;
using google::protobuf::io::CodedOutputStream;

constexpr uint32_t Varint(int field) {
  return WireFormatLite::MakeTag(field, WireFormatLite::WIRETYPE_VARINT);
}
constexpr uint32_t Bytes(int field) {
  return WireFormatLite::MakeTag(field, WireFormatLite::WIRETYPE_LENGTH_DELIMITED);
}

constexpr uint32_t kBucket = Varint(v1::WeightChunk::kBucketFieldNumber);
constexpr uint32_t kOffset = Varint(v1::WeightChunk::kOffsetFieldNumber);
constexpr uint32_t kChunk = Bytes(v1::WeightChunk::kChunkFieldNumber);
constexpr uint32_t kData = Bytes(v1::Chunk::kDataFieldNumber);

}  // namespace

grpc::ByteBuffer EncodeChunk(const ChunkPlace& place, grpc::Slice bytes) {
  const auto size = static_cast<uint32_t>(bytes.size());
  std::string head;
  {
    google::protobuf::io::StringOutputStream stream(&head);
    CodedOutputStream out(&stream);
    out.WriteTag(kBucket);
    out.WriteVarint64(static_cast<uint64_t>(place.bucket));
    out.WriteTag(kOffset);
    out.WriteVarint64(static_cast<uint64_t>(place.offset));
    out.WriteTag(kChunk);
    out.WriteVarint32(1 + static_cast<uint32_t>(CodedOutputStream::VarintSize32(size)) + size);
    out.WriteTag(kData);
    out.WriteVarint32(size);
  }
  const grpc::Slice slices[] = {grpc::Slice(head), std::move(bytes)};
  return {slices, 2};
}

absl::StatusOr<size_t> DecodeChunk(grpc::ByteBuffer& message, const ChunkPlace& place, std::span<char> into) {
  const auto damaged = [](absl::string_view what) {
    return absl::DataLossError(absl::StrCat("a damaged piece came: ", what));
  };
  grpc::ProtoBufferReader reader(&message);
  if (!reader.status().ok()) return damaged("it cannot be read");
  CodedInputStream in(&reader);
  uint64_t bucket = 0, offset = 0;
  uint32_t tag = in.ReadTag();
  for (; tag == kBucket || tag == kOffset; tag = in.ReadTag()) {
    if (!in.ReadVarint64(tag == kBucket ? &bucket : &offset)) return damaged("it ends in a number");
  }
  if (bucket != static_cast<uint64_t>(place.bucket) || offset != static_cast<uint64_t>(place.offset))
    return damaged("it does not continue its bucket");
  uint32_t outer = 0, size = 0;
  if (tag != kChunk || !in.ReadVarint32(&outer) || in.ReadTag() != kData || !in.ReadVarint32(&size))
    return damaged("it has no bytes");
  if (size == 0 || size > into.size()) return damaged("its bucket has no room for it");
  if (size > message.Length()) return damaged("it ends too early");
  if (outer != 1 + CodedOutputStream::VarintSize32(size) + size) return damaged("its sizes differ");
  if (!in.ReadRaw(into.data(), static_cast<int>(size))) return damaged("it ends too early");
  if (in.ReadTag() != 0 || !in.ConsumedEntireMessage()) return damaged("it has more than bytes");
  return size;
}

}  // namespace lvrpo
