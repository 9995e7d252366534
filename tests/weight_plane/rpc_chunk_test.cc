#include "weight_plane/rpc_chunk.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <functional>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proto/lvrpo/v1/weights.pb.h"
#include "weight_plane/bucket.h"

namespace lvrpo {
namespace {

// A message as gRPC delivers it: in slices that end anywhere.
grpc::ByteBuffer Sliced(const std::string& bytes, size_t slice) {
  std::vector<grpc::Slice> slices;
  for (size_t begin = 0; begin < bytes.size(); begin += slice)
    slices.emplace_back(bytes.substr(begin, slice));
  return {slices.data(), slices.size()};
}

v1::WeightChunk Chunk(int64_t bucket, int64_t offset, const std::string& bytes) {
  v1::WeightChunk chunk;
  chunk.set_bucket(bucket);
  chunk.set_offset(offset);
  chunk.mutable_chunk()->set_data(bytes);
  return chunk;
}

TEST(RpcChunk, IsTheMessageOfTheSchema) {
  for (const int64_t place : {int64_t{0}, int64_t{3}, int64_t{1} << 40}) {
    grpc::ByteBuffer message = EncodeChunk({.bucket = place, .offset = 2 * place}, grpc::Slice("bytes"));
    std::vector<grpc::Slice> slices;
    ASSERT_TRUE(message.Dump(&slices).ok());
    std::string whole;
    for (const grpc::Slice& slice : slices)
      whole.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
    v1::WeightChunk chunk;
    ASSERT_TRUE(chunk.ParseFromString(whole));
    EXPECT_EQ(chunk.SerializeAsString(), Chunk(place, 2 * place, "bytes").SerializeAsString());
  }
}

TEST(RpcChunk, IsReadHoweverItIsSliced) {
  const std::string bytes(1000, 'b');
  const std::string message = Chunk(2, 300, bytes).SerializeAsString();
  for (const size_t slice : {1, 2, 3, 7, 500, 5000}) {
    std::string into(1001, '.');
    grpc::ByteBuffer sliced = Sliced(message, slice);
    const absl::StatusOr<size_t> size = DecodeChunk(sliced, {.bucket = 2, .offset = 300}, into);
    ASSERT_TRUE(size.ok()) << size.status();
    EXPECT_EQ(*size, 1000u);
    EXPECT_EQ(into, bytes + ".");
  }
}

TEST(RpcChunk, RefusesWhatDoesNotContinueTheBucket) {
  const auto refused = [](const std::string& message, size_t room = 8) {
    std::string into(room, '.');
    grpc::ByteBuffer buffer = Sliced(message, 3);
    return absl::IsDataLoss(DecodeChunk(buffer, {.bucket = 1, .offset = 4}, into).status());
  };
  const v1::WeightChunk good = Chunk(1, 4, "12345678");
  EXPECT_FALSE(refused(good.SerializeAsString()));
  const std::vector<std::function<void(v1::WeightChunk&)>> damages = {
      [](v1::WeightChunk& c) { c.set_bucket(0); },
      [](v1::WeightChunk& c) { c.set_bucket(2); },
      [](v1::WeightChunk& c) { c.set_bucket(-1); },
      [](v1::WeightChunk& c) { c.set_offset(0); },
      [](v1::WeightChunk& c) { c.set_offset(5); },
      [](v1::WeightChunk& c) { c.set_offset(-4); },
      [](v1::WeightChunk& c) { c.mutable_chunk()->set_data(""); },
      [](v1::WeightChunk& c) { c.mutable_chunk()->set_data("123456789"); },
      [](v1::WeightChunk& c) { c.mutable_chunk()->set_crc32(1); },
      [](v1::WeightChunk& c) { c.clear_chunk(); },
      [](v1::WeightChunk& c) { c.Clear(); },
  };
  for (size_t i = 0; i < damages.size(); ++i) {
    v1::WeightChunk chunk = good;
    damages[i](chunk);
    EXPECT_TRUE(refused(chunk.SerializeAsString())) << i;
  }
  EXPECT_TRUE(refused(good.SerializeAsString(), 7));
  const std::string message = good.SerializeAsString();
  for (size_t size = 0; size < message.size(); ++size) EXPECT_TRUE(refused(message.substr(0, size))) << size;
  EXPECT_TRUE(refused(message + "x"));
  EXPECT_TRUE(refused(message + message));
  // Whatever byte is another, nothing is read or written outside.
  for (size_t i = 0; i < message.size(); ++i) {
    for (int value = 0; value < 256; ++value) {
      std::string other = message;
      other[i] = static_cast<char>(value);
      (void)refused(other);
    }
  }
}

// A bucket that holds one tensor may be larger than 2 GiB, the largest size that protocol buffers know.
TEST(RpcChunk, RefusesASizeThatNoMessageHas) {
  Bucket bucket(size_t{3} << 30);  // its memory is never touched
  const std::span<char> into(bucket.data(), bucket.size());
  for (const uint32_t size : {uint32_t{1} << 31, (uint32_t{1} << 31) + 5, uint32_t{3} << 30}) {
    std::string bytes;
    {
      google::protobuf::io::StringOutputStream stream(&bytes);
      google::protobuf::io::CodedOutputStream out(&stream);
      out.WriteTag(v1::WeightChunk::kChunkFieldNumber << 3 | 2);
      out.WriteVarint32(1 + 5 + size);
      out.WriteTag(v1::Chunk::kDataFieldNumber << 3 | 2);
      out.WriteVarint32(size);
      out.WriteString("a few bytes");
    }
    grpc::ByteBuffer message = Sliced(bytes, 7);
    EXPECT_TRUE(absl::IsDataLoss(DecodeChunk(message, {}, into).status())) << size;
  }
}

}  // namespace
}  // namespace lvrpo
