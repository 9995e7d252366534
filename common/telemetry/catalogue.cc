#include "common/telemetry/catalogue.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/json/json_text.h"
#include "nlohmann/json.hpp"

namespace lvrpo {
namespace {

// Labels as "name" or "name=value|value|...", separated by commas.
struct Row {
  MetricType type;
  const char* name;
  const char* labels;
  const char* help;
};

constexpr MetricType kC = MetricType::kCounter, kG = MetricType::kGauge, kH = MetricType::kHistogram;

constexpr Row kRows[] = {
    // Every role.
    {kG, "lvrpo_build_info", "role,version,commit",
     "1 for each process: what runs here, in which version, built from which commit (where that is known)."},
    {kG, "lvrpo_role_state",
     "state=loading|joining|serving|lost_coordinator|unwell|draining|leaving|finished",
     "1 for what this process does now, else 0."},
    {kH, "lvrpo_rpc_server_seconds", "method",
     "Seconds that a call to this process took, waits for news included."},
    {kC, "lvrpo_rpc_server_handled_total", "method,code",
     "Calls to this process that ended, by status code."},
    {kC, "lvrpo_rpc_denied_total", "method,reason",
     "Calls, and connections (no method), that were refused before they reached a service."},
    {kG, "lvrpo_tls_certificate_expiry_timestamp_seconds", "",
     "With --tls: when this process's certificate ends, in seconds since 1970; 0: it cannot be read."},
    {kG, "lvrpo_disk_free_bytes", "place=run",
     "Bytes that may still be written where the run folder is; its spool is there too."},
    {kG, "lvrpo_disk_size_bytes", "place=run", "Size of the file system where the run folder is."},
    {kC, "process_cpu_seconds_total", "", "Processor time of this process, user and system, in seconds."},
    {kG, "process_resident_memory_bytes", "", "Memory of this process that is in RAM."},
    {kG, "process_open_fds", "", "Open file descriptors of this process."},
    {kG, "process_max_fds", "", "How many file descriptors this process may open."},
    {kG, "process_start_time_seconds", "", "When this process started, in seconds since 1970."},

    // Coordinator.
    {kG, "lvrpo_coordinator_step", "", "Committed optimizer steps."},
    {kG, "lvrpo_coordinator_steps_wanted", "", "Optimizer steps of the whole run."},
    {kG, "lvrpo_coordinator_last_progress_timestamp_seconds", "",
     "When a group or a step was last accepted, or the coordinator started, in seconds since 1970."},
    {kG, "lvrpo_coordinator_blocked_seconds", "on",
     "For how long the run has waited for one kind of thing, without a pause; 0 for all others."},
    {kG, "lvrpo_coordinator_run_epoch", "", "Starts of the coordinator in this run."},
    {kG, "lvrpo_coordinator_degraded", "", "1 while the records cannot be written, else 0."},
    {kG, "lvrpo_coordinator_open_groups", "state=planned|leased|complete|assigned",
     "Groups on their way to a step, by state."},
    {kC, "lvrpo_coordinator_groups_total",
     "outcome=accepted|zero_variance|bad_prompt|no_reward|reward_failed|reward_not_finite|"
     "log_probs_not_finite|trajectory_lost|untrainable|stale",
     "Groups submitted, by what became of them."},
    {kG, "lvrpo_coordinator_members", "role=rollout|reward|learner|evaluation",
     "Members that are heard from, by role."},
    {kC, "lvrpo_coordinator_members_lost_total", "role=rollout|reward|learner|evaluation",
     "Members that were silent for coordinator.member_timeout_seconds and are counted no more."},
    {kG, "lvrpo_coordinator_members_of_other_version", "",
     "Members whose program is of another version than the coordinator's, and works with it."},
    {kC, "lvrpo_coordinator_leases_expired_total", "",
     "Leases that ended because their worker did not renew or deliver them in time."},
    {kG, "lvrpo_coordinator_learner_ranks", "", "Ranks of the learner that may train together."},
    {kG, "lvrpo_coordinator_learner_ranks_wanted", "", "Ranks that the learner has when it is complete."},
    {kC, "lvrpo_coordinator_refusals_total",
     "reason=stale_epoch|not_a_member|superseded|config_mismatch|contract_mismatch|name_in_use|"
     "too_many_members|learner_exists|version_mismatch|lease_ended|submitted_before|wrong_digest|not_started|"
     "wrong_step|ahead_of_records|no_such_checkpoint|learner_epoch|degraded",
     "Requests refused, by reason (proto/lvrpo/v1/reasons.proto)."},
    {kG, "lvrpo_coordinator_groups_wanted", "",
     "Groups that rollout workers may begin: planned, and what the staleness leaves room for."},
    {kG, "lvrpo_coordinator_pool_in_flight", "pool=rollout|reward", "Groups that a pool works on."},
    {kG, "lvrpo_coordinator_pool_replicas_wanted", "pool=rollout|reward", "Members that a pool should have."},
    {kG, "lvrpo_coordinator_heldout_step", "", "Steps of the newest weights that were evaluated."},
    {kG, "lvrpo_coordinator_heldout_score", "",
     "Share of held-out images that the checker finds right, of the newest evaluation."},
    {kG, "lvrpo_coordinator_heldout_gain", "",
     "Paired difference of the held-out score to the base weights, of the newest evaluation."},
    {kG, "lvrpo_coordinator_database_bytes", "", "Bytes of the records and their write-ahead log."},
    {kH, "lvrpo_coordinator_database_write_seconds", "",
     "Seconds of writing one change to the records, until it is on disk."},

    // Learner.
    {kC, "lvrpo_learner_steps_total", "", "Optimizer steps committed by this process."},
    {kC, "lvrpo_learner_samples_total", "", "Samples trained on by this process."},
    {kC, "lvrpo_learner_nonfinite_total", "",
     "Updates that were left out because the policy's gradients were not finite."},
    {kG, "lvrpo_learner_step_value", "name", "Figures of the newest step, by name (below)."},
    {kH, "lvrpo_learner_phase_seconds", "phase=wait|load|update|publish|copy|commit|checkpoint",
     "Seconds of a step's phases. wait: for its groups; copy: with learner.step_copies; checkpoint: copying "
     "the tensors, and waiting for the checkpoint before."},
    {kC, "lvrpo_learner_groups_given_up_total", "reason,member",
     "Groups that could not be trained on (trajectory_lost, untrainable), by the worker that sampled them."},
    {kC, "lvrpo_learner_uploads_total",
     "outcome=stored|RESOURCE_EXHAUSTED|DATA_LOSS|INVALID_ARGUMENT|FAILED_PRECONDITION|UNAVAILABLE",
     "Groups received, by outcome: stored, or the status code of the refusal."},
    {kC, "lvrpo_learner_trajectory_bytes_total", "", "Bytes of trajectories received."},
    {kG, "lvrpo_learner_spool_bytes", "", "Bytes of trajectories in the spool, and on their way into it."},
    {kC, "lvrpo_learner_checkpoints_total", "", "Checkpoints written."},
    {kG, "lvrpo_learner_checkpoint_timestamp_seconds", "",
     "When this process last wrote a checkpoint, or began to train, in seconds since 1970."},
    {kH, "lvrpo_learner_checkpoint_write_seconds", "", "Seconds of writing a checkpoint in the background."},
    {kG, "lvrpo_learner_checkpoints_not_stored", "",
     "Checkpoints that are to be sent to the object store; stays above 0 while it is away."},
    {kC, "lvrpo_learner_checkpoint_uploads_total", "outcome=stored|failed|given_up",
     "Tries to send a checkpoint to the store: failed is tried again; given_up: it is damaged, gone, or "
     "another learner's."},
    {kC, "lvrpo_learner_checkpoint_upload_bytes_total", "", "Bytes of checkpoints sent to the store."},
    {kH, "lvrpo_learner_checkpoint_upload_seconds", "", "Seconds of sending a checkpoint to the store."},
    {kG, "lvrpo_learner_restored_from", "source=copies|checkpoint|base",
     "1 for what this process began with, else 0."},
    {kG, "lvrpo_learner_steps_retrained", "",
     "Steps that were committed when this process began, and that it trains again."},
    {kC, "lvrpo_learner_step_copies_failed_total", "", "Steps of which this rank could keep no copies."},
    {kH, "lvrpo_learner_collective_seconds",
     "operation=all_gather|reduce_scatter|all_reduce|broadcast|barrier",
     "Seconds that a rank was blocked by an operation of all ranks. The rank that others wait for is blocked "
     "least."},
    {kC, "lvrpo_learner_collective_bytes_total",
     "operation=all_gather|reduce_scatter|all_reduce|broadcast|barrier",
     "Bytes given to, or got from, all ranks."},
    {kC, "lvrpo_learner_collective_failures_total",
     "operation=all_gather|reduce_scatter|all_reduce|broadcast|barrier",
     "Operations of all ranks that failed."},
    {kC, "lvrpo_learner_weight_bytes_total", "transport=grpc|nccl", "Bytes of weights sent."},
    {kC, "lvrpo_learner_weight_broadcasts_total", "outcome=complete|failed",
     "Broadcasts of weights over NCCL."},
    {kH, "lvrpo_learner_weight_broadcast_seconds", "",
     "Seconds of broadcasting a version over NCCL, gathering the workers not included."},
    {kC, "lvrpo_learner_weight_late_total", "", "Workers that a broadcast of weights began without."},
    {kG, "lvrpo_learner_weight_gang_ranks", "",
     "Ranks of the communicator that weights are broadcast over; 0 while there is none."},
    {kG, "lvrpo_learner_weight_preflight_bytes_per_second", "",
     "Bytes that the preflight broadcast in a second, to all workers."},

    // Rollout workers.
    {kC, "lvrpo_rollout_groups_total", "outcome",
     "Groups by what became of them: accepted, why the group was retired, or why its lease was returned."},
    {kC, "lvrpo_rollout_samples_total", "", "Samples generated."},
    {kC, "lvrpo_rollout_images_total", "", "Images generated."},
    {kH, "lvrpo_rollout_phase_seconds", "phase=prefill|sample|decode|score|upload|submit",
     "Seconds of a group's phases."},
    {kC, "lvrpo_rollout_wait_seconds_total", "", "Seconds spent without a lease."},
    {kC, "lvrpo_rollout_reward_retries_total", "", "Score calls that were repeated."},
    {kG, "lvrpo_rollout_version", "", "Version of the weights in use."},
    {kH, "lvrpo_rollout_weight_seconds", "", "Seconds from a new version's announcement to its use."},
    {kH, "lvrpo_rollout_weight_fetch_seconds", "", "Seconds in which a version's bytes were received."},
    {kH, "lvrpo_rollout_weight_verify_seconds", "", "Seconds of hashing a version, during the fetch."},
    {kH, "lvrpo_rollout_weight_pause_seconds", "", "Seconds for which a swap of weights blocks sampling."},
    {kH, "lvrpo_rollout_weight_gather_seconds", "",
     "Seconds of waiting for a broadcast of weights to begin, or to be refused."},
    {kC, "lvrpo_rollout_weight_failures_total", "",
     "Tries to bring a new version into use that failed: not received, damaged, or refused."},
    {kC, "lvrpo_rollout_weight_broadcasts_total", "outcome=complete|failed",
     "Broadcasts of weights that this worker took part in."},
    {kC, "lvrpo_rollout_weight_bytes_total", "from,transport",
     "Bytes of weights received, by the holder's role, over gRPC or NCCL."},
    {kC, "lvrpo_rollout_weight_sent_bytes_total", "", "Bytes of weights sent to other workers."},

    // Reward servers.
    {kC, "lvrpo_reward_requests_total",
     "outcome=ok|INVALID_ARGUMENT|RESOURCE_EXHAUSTED|DEADLINE_EXCEEDED|CANCELLED|UNAVAILABLE",
     "Score requests, by outcome: ok, or the status code of the refusal."},
    {kC, "lvrpo_reward_items_total", "component,outcome", "Samples scored, by component and outcome."},
    {kC, "lvrpo_reward_score_total", "component",
     "Scores added up; divided by the OK items it is the mean. Guards are components here."},
    {kC, "lvrpo_reward_cached_items_total", "component", "Samples whose score was known already."},
    {kH, "lvrpo_reward_queue_seconds", "component",
     "Seconds that requests waited for a scorer. Longer than computing for minutes: add reward servers."},
    {kH, "lvrpo_reward_compute_seconds", "component", "Seconds that a scorer took for a request's batch."},
    {kC, "lvrpo_reward_batch_samples_total", "component",
     "Samples in the calls that scored requests, added up over requests; by "
     "lvrpo_reward_compute_seconds_count "
     "it is the mean batch. Near reward.batch_samples: saturated."},
    {kG, "lvrpo_reward_queue_depth", "component", "Requests that wait for a scorer or are computed."},
    {kG, "lvrpo_reward_busy_seconds", "component",
     "Seconds that a scorer's call has taken so far; grows while it hangs."},
    {kC, "lvrpo_reward_vqa_requests_total",
     "outcome=ok|timed_out|unavailable|exhausted|refused|failed|bad_answer|no_choice",
     "Questions put to reward.vqa_endpoint."},
    {kC, "lvrpo_reward_vqa_tokens_total", "kind=input|output", "Tokens paid for."},
    {kC, "lvrpo_reward_vqa_cost_total", "",
     "What the tokens cost, in the currency of the prices that are set."},
    {kC, "lvrpo_reward_vqa_cache_hits_total", "", "Questions whose answer was known."},
    {kC, "lvrpo_reward_vqa_floored_total", "", "Choices that were not among the log-probabilities returned."},

    // Evaluation.
    {kC, "lvrpo_evaluation_evaluations_total", "", "Held-out evaluations that this process made."},
};

std::vector<MetricSpec::Label> ParseLabels(absl::string_view text) {
  std::vector<MetricSpec::Label> labels;
  for (absl::string_view part : absl::StrSplit(text, ',', absl::SkipEmpty())) {
    const std::pair<std::string, std::string> split = absl::StrSplit(part, absl::MaxSplits('=', 1));
    labels.push_back({split.first, absl::StrSplit(split.second, '|', absl::SkipEmpty())});
  }
  return labels;
}

const char* WordOf(MetricType type) {
  return type == MetricType::kCounter ? "counter" : type == MetricType::kGauge ? "gauge" : "histogram";
}

std::string LabelsInWords(const MetricSpec& metric) {
  std::vector<std::string> words;
  for (const MetricSpec::Label& label : metric.labels) {
    words.push_back(label.values.empty()
                        ? absl::StrCat("`", label.name, "`")
                        : absl::StrCat("`", label.name, "`: ", absl::StrJoin(label.values, ", ")));
  }
  return absl::StrJoin(words, "; ");
}

constexpr char kIntroduction[] = R"(# Metrics

Written by `lvrpo metrics > docs/metrics.md` from `common/telemetry/catalogue.cc`, from which the processes make their metrics: a new one is
a row there.

Each process serves these at `/metrics` ([operating.md](operating.md), "Metrics"). Every series also has the label `run`, the run's id, as
soon as the process knows it. Roles are called coordinator, learner, rollout, reward and evaluation. Counters, and labels whose values are
listed here, are there from the start with the value 0. Histograms have buckets from 1 ms to an hour. The figures of a step
(`lvrpo_learner_step_value`) are in [operating.md](operating.md).
)";

}  // namespace

const std::vector<MetricSpec>& MetricCatalogue() {
  static const auto* catalogue = [] {
    auto* all = new std::vector<MetricSpec>;
    for (const Row& row : kRows) all->push_back({row.name, row.type, ParseLabels(row.labels), row.help});
    return all;
  }();
  return *catalogue;
}

const MetricSpec* FindMetric(absl::string_view name) {
  static const auto* by_name = [] {
    auto* all = new std::map<std::string, const MetricSpec*, std::less<>>;
    for (const MetricSpec& metric : MetricCatalogue()) (*all)[metric.name] = &metric;
    return all;
  }();
  const auto found = by_name->find(std::string(name));
  return found == by_name->end() ? nullptr : found->second;
}

std::string RoleOf(const MetricSpec& metric) {
  for (const char* role : {"coordinator", "learner", "rollout", "reward", "evaluation"}) {
    if (absl::StartsWith(metric.name, absl::StrCat("lvrpo_", role, "_"))) return role;
  }
  return "every role";
}

std::string UnitOf(const MetricSpec& metric) {
  absl::string_view name = metric.name;
  absl::ConsumeSuffix(&name, "_total");
  if (absl::EndsWith(name, "_timestamp_seconds") || absl::EndsWith(name, "_time_seconds")) return "timestamp";
  if (absl::EndsWith(name, "_bytes_per_second")) return "bytes/second";
  for (const char* unit : {"seconds", "bytes"}) {
    if (absl::EndsWith(name, absl::StrCat("_", unit))) return unit;
  }
  return "";
}

std::vector<std::map<std::string, std::string>> KnownSeries(const MetricSpec& metric) {
  std::vector<std::map<std::string, std::string>> series = {{}};
  for (const MetricSpec::Label& label : metric.labels) {
    std::vector<std::map<std::string, std::string>> longer;
    for (const auto& labels : series) {
      for (const std::string& value : label.values) {
        longer.push_back(labels);
        longer.back()[label.name] = value;
      }
    }
    series = std::move(longer);
  }
  return series;
}

std::string MetricsJson() {
  nlohmann::ordered_json all = nlohmann::ordered_json::array();
  for (const MetricSpec& metric : MetricCatalogue()) {
    nlohmann::ordered_json labels = nlohmann::ordered_json::object();
    for (const MetricSpec::Label& label : metric.labels) labels[label.name] = label.values;
    all.push_back({{"name", metric.name},
                   {"type", WordOf(metric.type)},
                   {"unit", UnitOf(metric)},
                   {"role", RoleOf(metric)},
                   {"labels", labels},
                   {"help", metric.help}});
  }
  return absl::StrCat(JsonText(all, 1), "\n");
}

std::string MetricsDocument() {
  std::string text = kIntroduction, role;
  for (const MetricSpec& metric : MetricCatalogue()) {
    if (RoleOf(metric) != role) {
      role = RoleOf(metric);
      absl::StrAppend(&text, "\n## ", role == "every role" ? "Every role" : absl::StrCat("Role ", role),
                      "\n\n| metric | type | unit | labels | meaning |\n|---|---|---|---|---|\n");
    }
    absl::StrAppend(&text, "| `", metric.name, "` | ", WordOf(metric.type), " | ", UnitOf(metric), " | ",
                    absl::StrReplaceAll(LabelsInWords(metric), {{"|", "\\|"}}), " | ", metric.help, " |\n");
  }
  return text;
}

}  // namespace lvrpo
