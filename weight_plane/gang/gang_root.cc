#include "weight_plane/gang/gang_root.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "common/stopwatch.h"
#include "common/unguessable.h"
#include "spdlog/spdlog.h"

namespace lvrpo {
namespace {

using Plan = v1::GangPlan;

NcclPlace WithClock(NcclPlace place, Clock& clock) {
  place.limits.waiting.clock = &clock;
  return place;
}

std::string NamesOf(const std::vector<GangAsk>& ranks) {
  return absl::StrJoin(
      ranks, ", ", [](std::string* out, const GangAsk& ask) { absl::StrAppend(out, ask.worker.member_id); });
}

std::string WhatOf(const GangStart& start) {
  return start.weights == nullptr ? "the preflight"
                                  : absl::StrCat("version ", start.weights->manifest.version().number());
}

std::string InWords(const v1::GangMember& member) {
  return absl::StrCat(member.device(), member.place().empty() ? "" : absl::StrCat(" at ", member.place()),
                      " of ", member.host(), ", NCCL ", NcclVersionInWords(member.nccl_version()));
}

// Ranks derive from the manifest how much comes.
absl::Status CheckWhole(const PackedWeights& weights) {
  bool whole = weights.manifest.buckets_size() == static_cast<int>(weights.buckets.size());
  for (int i = 0; whole && i < weights.manifest.buckets_size(); ++i)
    whole = weights.manifest.buckets(i).size() == static_cast<int64_t>(weights.buckets[i].size());
  return whole ? absl::OkStatus() : absl::InternalError("its buckets are not what its manifest says");
}

}  // namespace

std::vector<std::string> TopologyInWords(const v1::GangMember& root, const std::vector<GangAsk>& ranks,
                                         const std::vector<std::string>& reaches) {
  std::vector<std::string> lines = {absl::StrCat("rank 0: the learner, ", InWords(root))};
  for (size_t i = 0; i < ranks.size(); ++i) {
    lines.push_back(absl::StrCat("rank ", i + 1, ": ", ranks[i].worker.member_id, ", ",
                                 InWords(ranks[i].member), ", ", reaches[i]));
  }
  return lines;
}

GangRoot::GangRoot(const Options& options, const NcclPlace& place, GangDesk& desk, WeightPublisher& others,
                   Metrics& metrics)
    : options_(options),
      clock_(*place.limits.waiting.clock),
      place_(WithClock(place, clock_)),
      desk_(desk),
      others_(others),
      metrics_(metrics),
      means_(MeansOf(*place.library)),
      end_(place_),
      thread_([this] { Work(); }) {}

GangRoot::~GangRoot() {
  desk_.Close("the learner leaves");
  clock_.End();
  thread_.join();
}

void GangRoot::Publish(std::shared_ptr<const PackedWeights> weights) {
  others_.Publish(weights);
  desk_.Offer(std::move(weights));
}

void GangRoot::Work() {
  while (const std::optional<GangStart> start = desk_.AwaitStart()) Run(*start);
}

void GangRoot::Run(const GangStart& start) {
  if (!start.late.empty()) {
    spdlog::warn("{} begins without {}, which did not come in time: {} gRPC", WhatOf(start),
                 absl::StrJoin(start.late, ", "),
                 start.late.size() == 1 ? "it fetches over" : "they fetch over");
    metrics_.Counter("lvrpo_learner_weight_late_total").Increment(static_cast<double>(start.late.size()));
  }
  const GangForm form = ChooseForm(gang_, means_, start.there);
  const Stopwatch watch(clock_);
  const absl::Status status = Broadcast(start, form);
  const std::vector<std::string> not_taken = desk_.End();
  gang_.broken = end_.broken();
  if (end_.gang() == 0) gang_ = {};
  metrics_.Gauge("lvrpo_learner_weight_gang_ranks")
      .Set(gang_.gang == 0 || gang_.broken ? 0 : static_cast<double>(gang_.workers.size() + 1));
  if (!status.ok()) {
    Note(start, form, status, not_taken);
  } else {
    failures_ = 0;
    if (start.weights != nullptr) {
      metrics_.Seconds("lvrpo_learner_weight_broadcast_seconds").Observe(watch.Seconds());
      spdlog::info("{} was broadcast to {}", WhatOf(start), NamesOf(form.ranks));
    }
  }
  metrics_
      .Counter("lvrpo_learner_weight_broadcasts_total", {{"outcome", status.ok() ? "complete" : "failed"}})
      .Increment();
}

absl::Status GangRoot::Broadcast(const GangStart& start, const GangForm& form) {
  if (start.weights != nullptr) {
    if (absl::Status status = CheckWhole(*start.weights); !status.ok()) return status;
  }
  const absl::StatusOr<v1::GangPlan> plan = Plan(form, start.weights == nullptr);
  if (!plan.ok()) return plan.status();
  gang_ = {.gang = plan->gang(), .broken = false, .workers = {}};
  for (const GangAsk& ask : form.ranks) gang_.workers.push_back(ask.worker);
  if (absl::Status status = end_.Rebuild(*plan); !status.ok()) {
    // Not twice: the library, or somebody's, cannot what it says.
    if (form.way == Plan::SHRINK) means_.shrink = false;
    if (form.way == Plan::GROW) means_.grow = false;
    return status;
  }
  return start.weights == nullptr ? Measure(form) : Send(start.weights);
}

absl::StatusOr<v1::GangPlan> GangRoot::Plan(const GangForm& form, bool measure) {
  v1::GangPlan own;
  own.set_way(form.way);
  own.set_gang(form.way == Plan::KEEP ? gang_.gang : static_cast<int64_t>(UnguessableNumber() | 1));
  own.set_size(static_cast<int>(form.ranks.size()) + 1);
  own.mutable_gone()->Add(form.gone.begin(), form.gone.end());
  own.set_chunk_bytes(options_.chunk_bytes);
  own.set_measured_bytes(measure ? options_.measured_bytes : 0);
  std::string id;
  if (form.way == Plan::NEW || form.way == Plan::GROW) {
    const absl::StatusOr<nccl::UniqueId> made =
        form.way == Plan::NEW ? NcclCommunicator::NewId(*place_.library) : end_.NewcomersId();
    if (!made.ok()) {
      end_.Break(made.status());
      return made.status();
    }
    id.assign(made->internal, sizeof(made->internal));
  }
  std::vector<v1::GangPlan> plans(form.ranks.size(), own);
  for (size_t i = 0; i < plans.size(); ++i) {
    plans[i].set_rank(static_cast<int>(i) + 1);
    const bool joins = form.way == Plan::GROW && i >= gang_.workers.size();
    if (joins) plans[i].set_way(Plan::JOIN);
    if (joins || form.way == Plan::NEW) plans[i].set_unique_id(id);
  }
  desk_.Issue(plans);
  own.set_unique_id(id);
  return own;
}

absl::Status GangRoot::Send(const std::shared_ptr<const PackedWeights>& weights) {
  std::vector<absl::string_view> buckets;
  double bytes = 0;
  for (const Bucket& bucket : weights->buckets) {
    buckets.push_back(bucket.view());
    bytes += static_cast<double>(bucket.size());
  }
  const absl::Status status = end_.Send(buckets, clock_.Now() + options_.whole);
  // What the GPU may still read stays for good.
  if (!end_.Idle()) (void)new std::shared_ptr<const PackedWeights>(weights);
  if (status.ok()) {
    metrics_.Counter("lvrpo_learner_weight_bytes_total", {{"transport", "nccl"}}).Increment(bytes);
  }
  return status;
}

absl::Status GangRoot::Measure(const GangForm& form) {
  auto bytes = std::make_unique<std::string>(static_cast<size_t>(options_.measured_bytes), '\0');
  for (size_t i = 0; i < bytes->size(); ++i) (*bytes)[i] = MeasuredByte(static_cast<int64_t>(i));
  absl::Status status = end_.Barrier();  // ranks connect with the first operation
  const Stopwatch watch(clock_);
  if (status.ok()) status = end_.Send({*bytes}, clock_.Now() + options_.whole);
  if (!end_.Idle()) (void)bytes.release();
  if (status.ok()) status = end_.Barrier();
  if (!status.ok()) return status;
  const double rate = static_cast<double>(options_.measured_bytes) / watch.Seconds();
  metrics_.Gauge("lvrpo_learner_weight_preflight_bytes_per_second").Set(rate);
  std::vector<std::string> reaches;
  for (const GangAsk& ask : form.ranks) {
    const bool same_host = ask.member.host() == options_.self.host();
    const auto reached = same_host ? place_.device->Reaches(ask.member.place()) : std::nullopt;
    reaches.push_back(!same_host ? "another machine"
                      : !reached ? "peer access unknown"
                                 : absl::StrCat(*reached ? "" : "no ", "peer access"));
  }
  spdlog::info("weights go to {} over NCCL: {:.2f} GB/s in the preflight, {}", NamesOf(form.ranks),
               rate / 1e9, absl::StrJoin(TopologyInWords(options_.self, form.ranks, reaches), "; "));
  return absl::OkStatus();
}

void GangRoot::Note(const GangStart& start, const GangForm& form, const absl::Status& status,
                    const std::vector<std::string>& not_taken) {
  if (clock_.ended()) return;  // which is why
  const std::string silent =
      !absl::IsDeadlineExceeded(status) || not_taken.empty()
          ? ""
          : absl::StrCat(" (", absl::StrJoin(not_taken, ", "), " did not take the plan)");
  const bool last = ++failures_ >= options_.most_failures;
  spdlog::warn("{} could not be broadcast over NCCL to {}: {}{}; {} over gRPC", WhatOf(start),
               NamesOf(form.ranks), std::string(status.message()), silent,
               last ? "from now on all versions go" : "they fetch it");
  if (last) desk_.Close("broadcasts failed too often in this learner");
}

}  // namespace lvrpo
