#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "collectives/collectives.h"

// What one call of Collectives asks for: how implementations check, compare and name calls.
namespace lvrpo {

struct Operation {
  enum class Kind { kAllGather, kReduceScatter, kAllReduce, kBroadcast, kBarrier };
  Kind kind = Kind::kBarrier;
  Element element = Element::kByte;
  int64_t count = 0;                      // elements of the smaller buffer: what each rank gives or gets
  Reduction reduction = Reduction::kSum;  // of kAllReduce; kSum in others
  int root = 0;                           // of kBroadcast; 0 in others
  bool operator==(const Operation&) const = default;
};

// "all_reduce(max, 4 fp32)".
std::string InWords(const Operation& operation);
// "all_reduce(max, 4 fp32), operation 12": with its place in the order of calls, from 0.
std::string InWords(const Operation& operation, int64_t place);

// An Operation with the buffers of this rank, in bytes; `in` is `out` where there is one buffer.
struct Call {
  Operation operation;
  const char* in = nullptr;
  char* out = nullptr;
};

// Checks the arguments of a call on a communicator of `size` ranks: InvalidArgument says what does not fit.
absl::StatusOr<Call> AllGatherCall(ConstSpan in, Span out, int size);
absl::StatusOr<Call> ReduceScatterCall(ConstSpan in, Span out, int size);
absl::StatusOr<Call> AllReduceCall(Span data, Reduction reduction);
absl::StatusOr<Call> BroadcastCall(Span data, int root, int size);

// A Pending that has ended with `status`.
std::unique_ptr<Pending> Ended(absl::Status status);

}  // namespace lvrpo
