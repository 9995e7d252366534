#include "collectives/operation.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace lvrpo {
namespace {

absl::string_view NameOf(Operation::Kind kind) {
  switch (kind) {
    case Operation::Kind::kAllGather:
      return "all_gather";
    case Operation::Kind::kReduceScatter:
      return "reduce_scatter";
    case Operation::Kind::kAllReduce:
      return "all_reduce";
    case Operation::Kind::kBroadcast:
      return "broadcast";
    case Operation::Kind::kBarrier:
      break;
  }
  return "barrier";
}

absl::string_view NameOf(Element element) {
  switch (element) {
    case Element::kFloat32:
      return "fp32";
    case Element::kFloat64:
      return "fp64";
    case Element::kBFloat16:
      return "bf16";
    case Element::kInt64:
      return "int64";
    case Element::kByte:
      break;
  }
  return "bytes";
}

absl::string_view NameOf(Reduction reduction) {
  switch (reduction) {
    case Reduction::kMax:
      return "max";
    case Reduction::kMin:
      return "min";
    case Reduction::kSum:
      break;
  }
  return "sum";
}

absl::Status CheckSpan(absl::string_view call, ConstSpan span) {
  if (span.count < 0) return absl::InvalidArgumentError(absl::StrCat(call, ": a count of ", span.count));
  if (span.count > 0 && span.data == nullptr) {
    return absl::InvalidArgumentError(absl::StrCat(call, ": no memory for ", span.count, " elements"));
  }
  return absl::OkStatus();
}

absl::Status CheckReducible(absl::string_view call, Element element) {
  if (element != Element::kByte) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(call, ": bytes have no reduction"));
}

// `large` holds one part of `small`'s count for each rank.
absl::Status CheckParts(absl::string_view call, ConstSpan small, ConstSpan large, int size) {
  if (absl::Status checked = CheckSpan(call, small); !checked.ok()) return checked;
  if (absl::Status checked = CheckSpan(call, large); !checked.ok()) return checked;
  if (small.element != large.element) {
    return absl::InvalidArgumentError(
        absl::StrCat(call, ": ", NameOf(small.element), " and ", NameOf(large.element), " in one call"));
  }
  if (large.count % size != 0 || large.count / size != small.count) {
    return absl::InvalidArgumentError(absl::StrCat(call, ": ", size, " ranks with ", small.count,
                                                   " elements each do not make ", large.count));
  }
  return absl::OkStatus();
}

class EndedOperation : public Pending {
 public:
  explicit EndedOperation(absl::Status status) : status_(std::move(status)) {}
  absl::Status Wait() override { return status_; }

 private:
  const absl::Status status_;
};

}  // namespace

int64_t SizeOf(Element element) {
  switch (element) {
    case Element::kFloat32:
      return 4;
    case Element::kFloat64:
    case Element::kInt64:
      return 8;
    case Element::kBFloat16:
      return 2;
    case Element::kByte:
      break;
  }
  return 1;
}

std::string InWords(const Operation& operation) {
  std::string words = absl::StrCat(NameOf(operation.kind), "(");
  if (operation.kind == Operation::Kind::kBarrier) return words + ")";
  if (operation.kind == Operation::Kind::kAllReduce)
    absl::StrAppend(&words, NameOf(operation.reduction), ", ");
  if (operation.kind == Operation::Kind::kBroadcast) absl::StrAppend(&words, "root ", operation.root, ", ");
  absl::StrAppend(&words, operation.count, " ", NameOf(operation.element), ")");
  return words;
}

std::string InWords(const Operation& operation, int64_t place) {
  return absl::StrCat(InWords(operation), ", operation ", place);
}

absl::StatusOr<Call> AllGatherCall(ConstSpan in, Span out, int size) {
  if (absl::Status checked = CheckParts("all_gather", in, out, size); !checked.ok()) return checked;
  return Call{.operation = {.kind = Operation::Kind::kAllGather, .element = in.element, .count = in.count},
              .in = static_cast<const char*>(in.data),
              .out = static_cast<char*>(out.data)};
}

absl::StatusOr<Call> ReduceScatterCall(ConstSpan in, Span out, int size) {
  if (absl::Status checked = CheckParts("reduce_scatter", out, in, size); !checked.ok()) return checked;
  if (absl::Status checked = CheckReducible("reduce_scatter", in.element); !checked.ok()) return checked;
  return Call{
      .operation = {.kind = Operation::Kind::kReduceScatter, .element = out.element, .count = out.count},
      .in = static_cast<const char*>(in.data),
      .out = static_cast<char*>(out.data)};
}

absl::StatusOr<Call> AllReduceCall(Span data, Reduction reduction) {
  if (absl::Status checked = CheckSpan("all_reduce", data); !checked.ok()) return checked;
  if (absl::Status checked = CheckReducible("all_reduce", data.element); !checked.ok()) return checked;
  char* const bytes = static_cast<char*>(data.data);
  return Call{.operation = {.kind = Operation::Kind::kAllReduce,
                            .element = data.element,
                            .count = data.count,
                            .reduction = reduction},
              .in = bytes,
              .out = bytes};
}

absl::StatusOr<Call> BroadcastCall(Span data, int root, int size) {
  if (absl::Status checked = CheckSpan("broadcast", data); !checked.ok()) return checked;
  if (root < 0 || root >= size) {
    return absl::InvalidArgumentError(absl::StrCat("broadcast: root ", root, " of ", size, " ranks"));
  }
  char* const bytes = static_cast<char*>(data.data);
  return Call{.operation = {.kind = Operation::Kind::kBroadcast,
                            .element = data.element,
                            .count = data.count,
                            .root = root},
              .in = bytes,
              .out = bytes};
}

std::unique_ptr<Pending> Ended(absl::Status status) {
  return std::make_unique<EndedOperation>(std::move(status));
}

}  // namespace lvrpo
