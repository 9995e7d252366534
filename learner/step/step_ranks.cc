#include "learner/step/step_ranks.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "learner/ranks/step_agreement.h"

namespace lvrpo {
namespace {

absl::Status Finish(std::unique_ptr<Pending> pending) {
  const absl::Status status = pending->Wait();
  return status.ok() ? status : RanksAreLost(status);
}

Span SpanOf(std::span<double> values) {
  return {values.data(), static_cast<int64_t>(values.size()), Element::kFloat64};
}

}  // namespace

Span SpanOf(const torch::Tensor& values) {
  const torch::Dtype dtype = values.scalar_type();
  TORCH_CHECK(dtype == torch::kFloat32 || dtype == torch::kBFloat16, "ranks exchange fp32 and bf16 tensors");
  return {values.data_ptr(), values.numel(),
          dtype == torch::kFloat32 ? Element::kFloat32 : Element::kBFloat16,
          values.is_cpu() ? Memory::kHost : Memory::kDevice};
}

absl::Status StepRanks::Reduce(Span values, Reduction reduction) const {
  if (size() == 1 || values.count == 0) return absl::OkStatus();
  return Finish(collectives_->AllReduce(values, reduction));
}

absl::Status StepRanks::Sum(std::span<double> values) const {
  return Reduce(SpanOf(values), Reduction::kSum);
}

absl::Status StepRanks::Max(std::span<double> values) const {
  return Reduce(SpanOf(values), Reduction::kMax);
}

absl::Status StepRanks::Sum(torch::Tensor& values) const { return Reduce(SpanOf(values), Reduction::kSum); }

absl::Status StepRanks::Broadcast(torch::Tensor& values, int root) const {
  if (size() == 1 || values.numel() == 0) return absl::OkStatus();
  return Finish(collectives_->Broadcast(SpanOf(values), root));
}

void SumInRankOrder(const StepRanks& ranks, std::span<double> values) {
  // With zeros for the others' values the communicator's order does not matter.
  std::vector<double> all(values.size() * static_cast<size_t>(ranks.size()));
  std::copy(values.begin(), values.end(), all.begin() + static_cast<ptrdiff_t>(values.size()) * ranks.rank());
  const bool summed = ranks.Sum(all).ok();
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] = summed ? 0 : std::nan("");
    for (size_t at = i; at < all.size(); at += values.size()) values[i] += all[at];
  }
}

absl::Status ShareStatuses(const StepRanks& ranks, std::vector<absl::Status>& statuses) {
  if (ranks.size() == 1) return absl::OkStatus();
  std::vector<double> codes;
  for (const absl::Status& status : statuses) codes.push_back(static_cast<double>(status.code()));
  if (absl::Status status = ranks.Max(codes); !status.ok()) return status;
  for (size_t i = 0; i < statuses.size(); ++i) {
    if (statuses[i].ok() && codes[i] > 0)
      statuses[i] = absl::Status(static_cast<absl::StatusCode>(codes[i]), "the log of its rank says why");
  }
  return absl::OkStatus();
}

absl::Status ShareStatus(const StepRanks& ranks, absl::Status& own) {
  std::vector<absl::Status> by_rank(static_cast<size_t>(ranks.size()));
  by_rank[static_cast<size_t>(ranks.rank())] = own;
  if (absl::Status status = ShareStatuses(ranks, by_rank); !status.ok()) return status;
  if (!own.ok()) return absl::OkStatus();
  const auto first =
      std::find_if(by_rank.begin(), by_rank.end(), [](const absl::Status& status) { return !status.ok(); });
  if (first != by_rank.end()) own = *first;
  return absl::OkStatus();
}

absl::Status CheckAlike(const StepRanks& ranks, double value, const char* what) {
  const bool number = !std::isnan(value);
  double ends[] = {number ? value : 0, number ? -value : 0, number ? 0.0 : 1.0, number ? 1.0 : 0.0};
  if (absl::Status status = ranks.Max(ends); !status.ok()) return status;
  if (ends[0] == -ends[1] && ends[2] + ends[3] == 1) return absl::OkStatus();
  return absl::InternalError(absl::StrCat(
      "the ranks of this learner have different ", what, ": from ", -ends[1], " to ", ends[0], ", ",
      ends[2] > 0 ? "not a number on some" : "all of them numbers", "; the step is not committed"));
}

}  // namespace lvrpo
