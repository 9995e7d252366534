#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

// What the ranks of a learner do together. One interface, three implementations that pass one test suite
// (tests/collectives): threads of a process (in_process.h), c10d's Gloo for CPUs (gloo/gloo_collectives.h)
// and NCCL for GPUs (nccl_collectives.h).
namespace lvrpo {

enum class Element { kFloat32, kFloat64, kBFloat16, kInt64, kByte };
// Bytes of one element.
int64_t SizeOf(Element element);

enum class Reduction { kSum, kMax, kMin };

// Whose memory a span lies in. An implementation reaches one of them: the host's, or with NCCL the device's
// (ByMemory() has both).
enum class Memory { kHost, kDevice };

// Consecutive elements in memory. Not owned.
struct Span {
  void* data = nullptr;
  int64_t count = 0;
  Element element = Element::kFloat32;
  Memory memory = Memory::kHost;
};
struct ConstSpan {
  ConstSpan(const void* data, int64_t count, Element element, Memory memory = Memory::kHost)
      : data(data), count(count), element(element), memory(memory) {}
  ConstSpan(const Span& span)
      : data(span.data), count(span.count), element(span.element), memory(span.memory) {}
  const void* data;
  int64_t count;
  Element element;
  Memory memory;
};

// One operation in progress. Its memory must stay until Wait() has returned, with whatever result. The
// destructor waits. For the thread that called the operation; must end before its Collectives.
class Pending {
 public:
  virtual ~Pending() = default;
  // Blocks until the operation is done, at most until its deadline. The deadline counts from the operation's
  // call, or from the end of the one before it if that is later; an operation that has ended is well even if
  // that took longer and nobody waited. Errors are those of the communicator (Collectives). With NCCL too the
  // result is there when this returns, for the host and for any stream. A second Wait() gives the same
  // answer.
  virtual absl::Status Wait() = 0;
};

// One rank of a communicator. All ranks call the same operations with the same counts in the same order, from
// one thread each; Abort() alone may be called from any thread. Operations run in the order of their calls,
// also when several are pending. A count may be 0. Destroying it is leaving: a rank leaves when the others
// need nothing of it any more (after a Barrier(), say), or they see Unavailable.
//
// An error breaks the communicator for good: this and every later operation fail, and it takes a new
// communicator (a new learner epoch) to go on. What the other ranks see then is Unavailable where it can be
// told, or their own deadline.
//   DeadlineExceeded: an operation did not end within the deadline; names the operation, its place in the
//     order and, where it is known, the rank that was late.
//   Unavailable: a rank is gone.
//   Aborted: Abort() was called on this rank.
//   FailedPrecondition: the ranks called different operations; names both. NCCL cannot tell: a deadline.
//   Internal: the library or the device failed.
//   InvalidArgument: counts, elements or a root that do not fit; nothing was sent, the communicator stays
//     whole. All ranks must see it alike, or the next operations do not fit each other.
class Collectives {
 public:
  virtual ~Collectives() = default;
  virtual int rank() const = 0;
  virtual int size() const = 0;
  // "gloo", "nccl", "in_process": for logs and metrics.
  virtual absl::string_view name() const = 0;

  // `out` [size x n] = every rank's `in` [n], in rank order. `in` may be this rank's part of `out`.
  virtual std::unique_ptr<Pending> AllGather(ConstSpan in, Span out) = 0;
  // `out` [n] = the sum over ranks of their `in` [size x n], this rank's part. `out` may be this rank's part
  // of `in`. Not of bytes.
  virtual std::unique_ptr<Pending> ReduceScatter(ConstSpan in, Span out) = 0;
  // `data` [n] = the reduction over ranks, the same bits on all of them. Not of bytes. What kMax and kMin
  // make of a NaN is not said: count them instead.
  virtual std::unique_ptr<Pending> AllReduce(Span data, Reduction reduction) = 0;
  // `data` [n] = that of rank `root`.
  virtual std::unique_ptr<Pending> Broadcast(Span data, int root) = 0;
  // Returns when all ranks have called it.
  virtual absl::Status Barrier() = 0;

  // Ends all operations on this rank with Aborted(`why`) as soon as the implementation can: at once with
  // in_process and NCCL; Gloo has no abort, there blocked calls last until the peer ends or the deadline. Of
  // several errors the first stays.
  virtual void Abort(const std::string& why) = 0;
};

}  // namespace lvrpo
