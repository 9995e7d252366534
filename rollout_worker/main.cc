#include <algorithm>
#include <atomic>
#include <map>
#include <optional>
#include <string>
#include <thread>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "common/allocator.h"
#include "common/bounded_queue.h"
#include "common/clock.h"
#include "common/config/config.h"
#include "common/exit_code.h"
#include "common/files/file.h"
#include "common/files/file_kind.h"
#include "common/flags/role_flags.h"
#include "common/flags/run_main.h"
#include "common/hash.h"
#include "common/net/rpc.h"
#include "common/shutdown.h"
#include "common/telemetry/logging.h"
#include "common/telemetry/metrics.h"
#include "coordinator/client.h"
#include "learner/client.h"
#include "policy/contract.h"
#include "policy/prompt_source.h"
#include "policy/run_policy.h"
#include "reward_server/client.h"
#include "rollout_worker/backoff.h"
#include "rollout_worker/delivery.h"
#include "rollout_worker/generator.h"
#include "rollout_worker/policy_holder.h"
#include "rollout_worker/sampling_health.h"
#include "rollout_worker/scoring_trouble.h"
#include "spdlog/spdlog.h"
#include "weight_plane/weight_buckets.h"

namespace lvrpo {
namespace {

constexpr char kProgram[] = "lvrpo-rollout-worker";
constexpr int kCallAttempts = 40;  // with growing pauses: about a minute
using Stub = v1::Coordinator::Stub;

absl::StatusOr<Autoencoder> LoadAutoencoder(const v1::RunConfig& config, const Bagel& base) {
  const std::string path = JoinPath(config.model().policy(), "ae.safetensors");
  absl::StatusOr<TensorMap> tensors = LoadTensors(path);
  if (!tensors.ok()) return tensors.status();
  return Autoencoder::Create(base.config().autoencoder, *std::move(tensors), path);
}

// Seconds that the slowest scorer may take.
double LongestScoring(const v1::RewardConfig& reward) {
  double longest = reward.compute_deadline_seconds();
  for (const v1::ExternalScorerConfig& external : reward.external())
    longest = std::max(longest, external.timeout_seconds());
  return longest;
}

absl::Status Work(const RoleFlags& flags, const v1::RunConfig& config, ShutdownSignal& shutdown) {
  KeepFreedMemory();
  torch::set_num_threads(flags.threads > 0 ? flags.threads : config.local().threads_rollout());
  absl::StatusOr<Bagel> base = LoadRunPolicy(config);
  if (!base.ok()) return base.status();
  const absl::StatusOr<std::unique_ptr<Tokenizer>> tokenizer = LoadTokenizer(config.model().policy());
  if (!tokenizer.ok()) return tokenizer.status();
  absl::StatusOr<Autoencoder> autoencoder = LoadAutoencoder(config, *base);
  if (!autoencoder.ok()) return autoencoder.status();
  const absl::StatusOr<PromptSource> prompts = PromptSource::Load(config, **tokenizer, base->config());
  if (!prompts.ok()) return prompts.status();
  // Terms of workers only: they must agree with one another, or a group would depend on who sampled it.
  std::map<std::string, std::string> contract = WorkContract(config, *base, **tokenizer);
  contract["prompts"] = prompts->Digest();
  contract["autoencoder"] = DigestOf(autoencoder->tensors());
  const Generator generator(config, *std::move(autoencoder), **tokenizer);
  const absl::StatusOr<TrainedTensors> trained = SelectTrainedTensors(config, *base);
  if (!trained.ok()) return trained.status();
  const absl::StatusOr<std::shared_ptr<const Policy>> initial =
      MakePolicy(*base, {}, PackWeights(trained->All(), 0).manifest.version());
  if (!initial.ok()) return initial.status();

  Metrics metrics("rollout_worker");
  HeldLeases held;
  absl::Mutex mutex;  // guards what follows against the heartbeat thread
  PolicyHolder* holder_seen = nullptr;
  std::string waiting_for = "starting";
  ScoringTrouble trouble(absl::Seconds(LongestScoring(config.reward())), RealClock());
  const auto set_waiting = [&](const std::string& text) {
    absl::MutexLock lock(&mutex);
    waiting_for = text;
  };

  absl::StatusOr<std::unique_ptr<MetricsServer>> metrics_server =
      MetricsServer::Start(flags.metrics_listen, metrics, [&]() -> std::string {
        absl::MutexLock lock(&mutex);
        return holder_seen == nullptr ? "starting" : "";
      });
  if (!metrics_server.ok()) return metrics_server.status();

  MemberSession::Options options;
  options.coordinator = flags.coordinator;
  options.role = v1::ROLE_ROLLOUT_WORKER;
  options.member_id = flags.member_id;
  options.config_digest = ConfigDigest(config);
  options.contract = std::move(contract);
  options.timeout = absl::Seconds(config.rpc().timeout_seconds());
  options.channel = config.rpc();
  absl::StatusOr<std::unique_ptr<MemberSession>> joined = MemberSession::Join(
      options,
      [&]() {
        MemberSession::Report report;
        report.held_ordinals = held.Report();
        report.load = static_cast<double>(report.held_ordinals.size());
        absl::MutexLock lock(&mutex);
        report.state = holder_seen == nullptr ? "starting" : "ready";
        if (holder_seen != nullptr) report.version = holder_seen->current()->version;
        report.waiting_for = waiting_for;
        if (const std::string scores = trouble.text(); !scores.empty()) report.waiting_for = scores;
        return report;
      },
      [&] { return shutdown.requested(); },
      [&](const std::vector<int64_t>& ordinals) { held.Revoke(ordinals); });
  if (absl::IsCancelled(joined.status())) return absl::OkStatus();
  if (!joined.ok()) return joined.status();
  MemberSession& session = **joined;

  LearnerClient learner(config.rpc());
  RewardClient rewards(config.rpc());
  const absl::Duration transfer_deadline = absl::Seconds(config.rpc().timeout_seconds() * 3);
  PolicyHolder holder(
      *base, ShapesOf(trained->All()), *initial,
      [&](const v1::PolicyVersion& version,
          const LearnerClient::CheckManifest& check) -> absl::StatusOr<LearnerClient::Weights> {
        const v1::PoolView view = session.view();
        if (view.weight_holders_size() == 0) return absl::UnavailableError("nobody offers these weights yet");
        return learner.FetchWeights(
            view.weight_holders(0).address(), version, check, transfer_deadline, [&](int64_t bytes) {
              metrics.Counter("lvrpo_rollout_weight_bytes_total", "Bytes of weights received.")
                  .Increment(static_cast<double>(bytes));
            });
      },
      [&](const v1::PolicyVersion& version) {
        v1::AcknowledgeVersionRequest request;
        *request.mutable_version() = version;
        return session.Call(&Stub::AcknowledgeVersion, request).status();
      },
      metrics);
  {
    absl::MutexLock lock(&mutex);
    holder_seen = &holder;
  }
  spdlog::info("rollout worker {} joined run {}, metrics at {}", flags.member_id,
               session.registration().run_id(), (*metrics_server)->address());

  std::atomic<bool> unable = false;  // this process cannot sample any more
  const auto leaving = [&] {
    return unable || shutdown.requested() || session.view().draining() || session.view().finished() ||
           !session.lost().ok();
  };
  Delivery delivery(
      {.view = [&] { return session.view(); },
       .score =
           [&](const std::string& address, const v1::ScoreRequest& request) {
             return rewards.Score(address, request, absl::Seconds(config.reward().deadline_seconds()));
           },
       .upload =
           [&](const std::string& address, const v1::UploadHeader& header, const std::string& bytes) {
             return learner.Upload(address, header, bytes, transfer_deadline);
           },
       .submit =
           [&](const v1::SubmitGroupRequest& request) { return session.Call(&Stub::SubmitGroup, request); },
       .give_back =
           [&](const v1::ReturnLeaseRequest& request) {
             return session.Call(&Stub::ReturnLease, request).status();
           },
       .fence = [&] { return session.fence(); },
       .sleep = [](absl::Duration duration) { absl::SleepFor(duration); },
       .stopping = leaving},
      kCallAttempts, StableHash64(flags.member_id), held, trouble, metrics);

  absl::Status unwell;  // why it is unable to
  SamplingHealth health;
  Backoff backoff;
  BoundedQueue<GeneratedGroup> finished(1);
  std::thread follower([&] { holder.Follow(session, leaving); });
  std::thread deliverer([&] {
    while (true) {
      absl::StatusOr<GeneratedGroup> group = finished.Pop(absl::InfiniteDuration());
      if (!group.ok()) return;
      backoff.Note(delivery.Deliver(*std::move(group)));
    }
  });

  while (!leaving()) {
    if (backoff.Left() > absl::ZeroDuration()) {
      set_waiting(absl::StrCat("a while, because its groups came to nothing: ", backoff.reason()));
      absl::SleepFor(std::min(backoff.Left(), absl::Milliseconds(100)));
      continue;
    }
    const std::shared_ptr<const Policy> policy = holder.acknowledged(session.fence().incarnation());
    if (policy == nullptr) {
      if (const std::string why = holder.trouble(); !why.empty())
        set_waiting(absl::StrCat("the current weights: ", why));
      absl::SleepFor(absl::Milliseconds(5));
      continue;
    }
    v1::LeaseGroupRequest request;
    *request.mutable_version() = policy->version;
    const absl::Time asked = RealClock().Now();
    absl::StatusOr<v1::LeaseGroupResponse> response = session.Call(&Stub::LeaseGroup, request);
    if (!response.ok()) {
      if (session.lost().ok()) absl::SleepFor(absl::Milliseconds(200));
      continue;
    }
    if (!response->granted()) {
      set_waiting(response->waiting_for());
      absl::SleepFor(absl::Seconds(std::clamp(response->retry_after_seconds(), 0.01, 1.0)));
      metrics.Counter("lvrpo_rollout_wait_seconds_total", "Seconds spent without a lease.")
          .Increment(absl::ToDoubleSeconds(RealClock().Now() - asked));
      continue;
    }
    set_waiting("");
    held.Add(response->lease());
    absl::StatusOr<GeneratedGroup> group =
        generator.TryGenerate(*policy, prompts->At(response->lease().ordinal()), response->lease());
    if (!group.ok()) {
      spdlog::error("ordinal {} cannot be sampled: {}", response->lease().ordinal(),
                    std::string(group.status().message()));
      const bool bad_data = absl::IsInvalidArgument(group.status());
      delivery.GiveBack(response->lease(), bad_data ? "bad_prompt" : "worker_failed", bad_data);
      held.Remove(response->lease());
      if (bad_data) continue;
      const std::optional<absl::Duration> pause = health.Failed();
      if (!pause.has_value()) {
        unwell = absl::AbortedError(absl::StrCat("cannot sample any more: ", group.status().message()));
        unable = true;
        break;
      }
      set_waiting(absl::StrCat("itself: it could not sample: ", OneLine(group.status().message(), 200)));
      const absl::Time until = RealClock().Now() + *pause;
      while (!leaving() && RealClock().Now() < until) absl::SleepFor(absl::Milliseconds(100));
      continue;
    }
    health.Sampled();
    if (group->trajectory.prompt().task() == v1::TASK_KIND_IMAGE) {
      metrics.Counter("lvrpo_rollout_images_total", "Images generated.")
          .Increment(group->trajectory.samples_size());
    }
    set_waiting("delivery of the last group");
    (void)finished.Push(*std::move(group), absl::InfiniteDuration());
  }
  finished.Close();
  deliverer.join();
  follower.join();
  const absl::Status lost = session.lost();
  session.Leave(!lost.ok() ? "lost" : unwell.ok() ? "done" : "unwell");
  return lost.ok() ? unwell : lost;
}

int Main(int argc, char** argv) {
  CLI::App app(
      "A rollout worker: leases groups from the coordinator, samples them from the newest policy, has them "
      "scored and "
      "hands them to the learner. Ends when the run has finished or drains; SIGTERM finishes what is held "
      "and leaves.");
  RoleFlags flags;
  flags.member_id = "rollout-0";
  flags.AddTo(app, "cmt");
  app.get_option("--coordinator")->required();
  if (const std::optional<int> code = ParseFlags(app, argc, argv)) return *code;
  ShutdownSignal shutdown;
  absl::StatusOr<LoadedConfig> loaded = LoadConfigOrExplain(kProgram, flags);
  if (!loaded.ok()) return kExitConfig;
  InitLogging(flags.member_id);
  return Explain(kProgram, Work(flags, loaded->config, shutdown));
}

}  // namespace
}  // namespace lvrpo

int main(int argc, char** argv) { return lvrpo::RunMain(lvrpo::kProgram, argc, argv, lvrpo::Main); }
