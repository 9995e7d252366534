// A reward server under load: latency and batch sizes at given request rates and at ten times its capacity;
// one process or one per scorer; cached or computed scores; raw pixels or PNG. Server and clients share the
// machine. Each figure has a baseline of the same run.

#include <atomic>
#include <cstdio>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "cli/local/reward_server_process.h"
#include "common/allocator.h"
#include "common/config/config.h"
#include "common/files/file.h"
#include "common/flags/role_flags.h"
#include "data/image/image_message.h"
#include "reward_server/client.h"
#include "reward_server/decode_request.h"
#include "shapes_world/composition.h"
#include "spdlog/spdlog.h"
#include "tests/benchmarks/load_clients.h"
#include "tests/benchmarks/memory.h"
#include "tests/benchmarks/reward_servers.h"
#include "tests/benchmarks/timing.h"
#include "tests/testing/temporary_folder.h"

namespace lvrpo {
namespace {

constexpr char kProgram[] = "lvrpo-bench-score-load";

struct Flags {
  std::string config = "configs/shapes.yaml";
  std::vector<std::string> only = {"load", "processes", "cache", "transport"};
  std::vector<double> levels = {25, 50, 75, 100, 1000};  // percent of capacity
  double seconds = 10;
  int rounds = 3, clients = 8, in_flight = 4, group = 8, prompts = 48;
  uint64_t seed = 1;

  LoadOptions load() const { return {.threads = clients}; }
};

// A prompt and its samples.
struct Group {
  v1::PromptRecord record;
  std::vector<RgbImage> images;
};

// Prompts of all kinds, each with images that are right.
std::vector<Group> MakeGroups(const Flags& flags) {
  std::vector<Group> groups;
  for (int i = 0; i < flags.prompts; ++i) {
    Random random(StreamSeed(flags.seed, static_cast<uint64_t>(i)));
    const auto& all = shapes::AllCompositions(static_cast<shapes::Composition::Kind>(i % shapes::kKindCount));
    const shapes::Composition& composition =
        all[static_cast<size_t>(random.Below(static_cast<int>(all.size())))];
    Group group = {shapes::MakeRecord(composition, absl::StrCat("load-", i), random), {}};
    for (int k = 0; k < flags.group; ++k)
      group.images.push_back(shapes::Render(shapes::MakeScene(composition, random)));
    groups.push_back(std::move(group));
  }
  return groups;
}

enum class Transport { kRaw, kPng };

// Content that no server has seen: the number in the first pixels.
void Mark(RgbImage& image, int64_t number) {
  for (size_t byte = 0; byte < 6; ++byte) image.pixels[byte] = static_cast<uint8_t>(number >> (8 * byte));
}

// Request i of the groups in turn. `fresh`: no two are the same.
RequestSource RequestsOf(const std::vector<Group>& groups, Transport transport, bool fresh) {
  // Over all sources of this process, so that another one's content is not known either.
  static std::atomic<int64_t> marks = 1;
  return [&groups, transport, fresh](int64_t index) {
    const Group& group = groups[static_cast<size_t>(index) % groups.size()];
    v1::ScoreRequest request;
    *request.mutable_prompt() = group.record;
    for (const RgbImage& image : group.images) {
      v1::RgbImage& out = *request.add_items()->mutable_image();
      if (!fresh) {
        out = ToMessage(image, transport == Transport::kPng);
        continue;
      }
      RgbImage marked = image;
      Mark(marked, marks++);
      out = ToMessage(marked, transport == Transport::kPng);
    }
    return request;
  };
}

// Samples a call, by component, between two readings; 0 where there was none.
nlohmann::json MeanBatches(const Batching& before, const Batching& after) {
  const auto at = [](const std::map<std::string, double>& values, const std::string& name) {
    const auto found = values.find(name);
    return found == values.end() ? 0 : found->second;
  };
  nlohmann::json means;
  for (const std::string& name : kComponents) {
    const double requests = at(after.requests, name) - at(before.requests, name);
    const double samples = at(after.samples, name) - at(before.samples, name);
    means[name] = requests > 0 ? Rounded(samples / requests, .1) : 0;
  }
  return means;
}

void PrintJson(const std::string& what, nlohmann::json line) {
  line["measurement"] = what;
  std::printf("%s\n", line.dump().c_str());
  std::fflush(stdout);
}

nlohmann::json ToJson(const LoadResult& r) {
  const auto milliseconds = [](double seconds) { return Rounded(seconds * 1e3, .1); };
  return {{"sent", r.sent},
          {"complete", r.complete},
          {"typed_without_score", r.typed},
          {"refused", r.refused},
          {"failed", r.failed},
          {"outcomes", r.outcomes},
          {"seconds", Rounded(r.seconds, .01)},
          {"requests_per_second", Rounded(r.complete_per_second(), .01)},
          {"p50_ms", milliseconds(Percentile(r.latencies, .5))},
          {"p99_ms", milliseconds(Percentile(r.latencies, .99))},
          {"refusal_p50_ms", milliseconds(Percentile(r.refusal_latencies, .5))},
          {"refusal_p99_ms", milliseconds(Percentile(r.refusal_latencies, .99))}};
}

// Every request has a result or says in a typed way why it has none.
absl::Status CheckAccounts(const LoadResult& result) {
  if (result.failed == 0 && result.accounted() == result.sent) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat(result.sent, " requests, ", result.accounted(), " accounted for, ",
                                          result.failed, " failed: ", result.first_failure));
}

absl::StatusOr<v1::RunConfig> Settings(const Flags& flags, const std::vector<std::string>& overrides) {
  const absl::StatusOr<LoadedConfig> loaded = LoadRunConfig(flags.config, overrides);
  if (!loaded.ok()) return loaded.status();
  return loaded->config;
}

// A server whose scores are all computed, or all kept once they are.
absl::StatusOr<std::unique_ptr<LocalServer>> StartServer(const Flags& flags, int cached_scores) {
  const absl::StatusOr<v1::RunConfig> config =
      Settings(flags, {absl::StrCat("reward.cached_scores=", cached_scores)});
  if (!config.ok()) return config.status();
  return LocalServer::Start(*config);
}

LoadResult Closed(const std::vector<std::string>& addresses, const RequestSource& source,
                  const Flags& flags) {
  return LoadClosed(addresses, source, flags.in_flight, absl::Seconds(flags.seconds), flags.load());
}

// A row of the table of loads.
void PrintLevel(double percent, double rate, double capacity, const nlohmann::json& line) {
  std::vector<std::string> batches;
  for (const std::string& name : kComponents)
    batches.push_back(absl::StrFormat("%.1f", line["samples_a_call"][name].get<double>()));
  std::printf("| %.0f %% | %.1f | %.1f | %.2f | %.1f | %.1f | %s | %d | %d | %d |\n", percent, rate,
              line["requests_per_second"].get<double>(), line["requests_per_second"].get<double>() / capacity,
              line["p50_ms"].get<double>(), line["p99_ms"].get<double>(),
              absl::StrJoin(batches, " / ").c_str(), line["refused"].get<int>(),
              line["typed_without_score"].get<int>(), line["failed"].get<int>());
}

struct Level {
  double percent, rate;
  nlohmann::json line;
};

absl::StatusOr<Level> MeasureLevel(const LocalServer& server, const RequestSource& source, double percent,
                                   double capacity, const Flags& flags) {
  Level level = {percent, capacity * percent / 100, {}};
  const Batching before = server.batching();
  ForgetPeak();
  const LoadResult result = LoadOpen(
      server.address(), source,
      PoissonArrivals(level.rate, flags.seconds, StreamSeed(flags.seed, static_cast<uint64_t>(percent))),
      flags.load());
  level.line = ToJson(result);
  level.line["percent"] = percent;
  level.line["asked_per_second"] = Rounded(level.rate, .01);
  level.line["samples_a_call"] = MeanBatches(before, server.batching());
  level.line["peak_rss_mb"] = Rounded(static_cast<double>(StatusBytes("VmHWM")) / 1e6, .1);
  PrintJson("open_loop", level.line);
  if (absl::Status status = CheckAccounts(result); !status.ok()) return status;
  return level;
}

absl::Status MeasureLoad(const Flags& flags, const std::vector<Group>& groups) {
  const absl::StatusOr<std::unique_ptr<LocalServer>> server = StartServer(flags, 0);
  if (!server.ok()) return server.status();
  const RequestSource source = RequestsOf(groups, Transport::kRaw, true);
  RewardClient client(64);
  const absl::StatusOr<v1::ScoreResponse> first =
      client.Score((*server)->address(), source(0), absl::Seconds(60));
  if (!first.ok()) return first.status();
  const double idle = static_cast<double>(StatusBytes("VmRSS")) / 1e6;
  const Batching before = (*server)->batching();
  const LoadResult closed = Closed({(*server)->address()}, source, flags);
  if (absl::Status status = CheckAccounts(closed); !status.ok()) return status;
  const double capacity = closed.complete_per_second();
  nlohmann::json line = ToJson(closed);
  line["idle_rss_mb"] = Rounded(idle, .1);
  line["samples_a_call"] = MeanBatches(before, (*server)->batching());
  PrintJson("capacity", line);
  std::vector<Level> levels;
  for (const double percent : flags.levels) {
    absl::StatusOr<Level> level = MeasureLevel(**server, source, percent, capacity, flags);
    if (!level.ok()) return level.status();
    levels.push_back(*std::move(level));
  }
  std::printf(
      "\nCapacity, closed loop, %d clients with %d open requests of %d images each: %.1f requests/s (%.1f "
      "images/s); memory idle %.0f MB (clients included)\n"
      "| load | asked for, requests/s | scored, requests/s | of capacity | p50 ms | p99 ms | samples a call "
      "(%s) | refused | typed, no score | failed |\n|---|---|---|---|---|---|---|---|---|---|\n",
      flags.clients, flags.in_flight, flags.group, capacity, capacity * flags.group, idle,
      absl::StrJoin(kComponents, " / ").c_str());
  for (const Level& level : levels) PrintLevel(level.percent, level.rate, capacity, level.line);
  const nlohmann::json& last = levels.back().line;
  std::printf(
      "At %.0f %%: peak memory %.0f MB, %.2fx of idle; refusals take %.1f ms (p50), %.1f ms (p99)\n\n",
      levels.back().percent, last["peak_rss_mb"].get<double>(), last["peak_rss_mb"].get<double>() / idle,
      last["refusal_p50_ms"].get<double>(), last["refusal_p99_ms"].get<double>());
  return absl::OkStatus();
}

// Servers that answer together for all components.
struct Fleet {
  std::vector<std::unique_ptr<RewardServerProcess>> servers;

  std::vector<std::string> addresses() const {
    std::vector<std::string> addresses;
    for (const auto& server : servers) addresses.push_back(server->address());
    return addresses;
  }
  double rss_mb() const {
    double sum = 0;
    for (const auto& server : servers)
      sum += static_cast<double>(StatusBytes("VmRSS", absl::StrCat(server->pid()))) / 1e6;
    return sum;
  }
};

absl::StatusOr<Fleet> StartFleet(const Flags& flags, bool one_for_each, const std::string& folder) {
  Fleet fleet;
  std::vector<std::vector<std::string>> settings;
  if (!one_for_each) settings.emplace_back();
  for (const std::string& own : kComponents) {
    if (!one_for_each) break;
    settings.emplace_back();
    for (const std::string& name : kComponents) {
      if (name != own) settings.back().push_back(absl::StrCat("reward.", name, "_weight=0"));
    }
  }
  for (std::vector<std::string>& own : settings) {
    own.push_back("reward.cached_scores=0");
    own.push_back("reward.guards=[]");  // or every process would have them
    const int number = static_cast<int>(fleet.servers.size()) + (one_for_each ? 1 : 0);
    absl::StatusOr<std::unique_ptr<RewardServerProcess>> server = RewardServerProcess::Start(
        {.config = flags.config,
         .settings = own,
         .address_file = JoinPath(folder, absl::StrCat("address-", number, ".json")),
         .log = JoinPath(folder, absl::StrCat("server-", number, ".log"))});
    if (!server.ok()) return server.status();
    fleet.servers.push_back(*std::move(server));
  }
  return fleet;
}

// A way of doing something, measured in turns with others.
struct Way {
  std::string name;
  std::vector<std::string> addresses;
  RequestSource source;
};

// Requests a second of each way, the median of the rounds.
absl::StatusOr<std::vector<double>> InTurns(const std::string& what, const std::vector<Way>& ways,
                                            const Flags& flags) {
  std::vector<std::vector<double>> rates(ways.size());
  for (int round = -1; round < flags.rounds; ++round) {  // the first does not count
    for (size_t i = 0; i < ways.size(); ++i) {
      const LoadResult result = Closed(ways[i].addresses, ways[i].source, flags);
      if (absl::Status status = CheckAccounts(result); !status.ok()) return status;
      if (round < 0) continue;
      rates[i].push_back(result.complete_per_second());
      nlohmann::json line = ToJson(result);
      line["way"] = ways[i].name;
      line["round"] = round;
      PrintJson(what, line);
    }
  }
  std::vector<double> medians;
  for (const std::vector<double>& own : rates) medians.push_back(Median(own));
  return medians;
}

// Every way compared with the first.
void PrintWays(const std::vector<Way>& ways, const std::vector<double>& rates) {
  for (size_t i = 0; i < ways.size(); ++i) {
    std::printf("%-46s %10.1f requests/s %6.2fx of %s (%.1f)\n", ways[i].name.c_str(), rates[i],
                rates[i] / rates[0], ways[0].name.c_str(), rates[0]);
  }
  std::printf("\n");
  std::fflush(stdout);
}

absl::Status MeasureProcesses(const Flags& flags, const std::vector<Group>& groups) {
  const TemporaryFolder folder;
  const absl::StatusOr<Fleet> one = StartFleet(flags, false, folder.path());
  if (!one.ok()) return one.status();
  const absl::StatusOr<Fleet> three = StartFleet(flags, true, folder.path());
  if (!three.ok()) return three.status();
  const RequestSource source = RequestsOf(groups, Transport::kRaw, true);
  const std::vector<Way> ways = {{"a process for each scorer, asked in parallel", three->addresses(), source},
                                 {"one process with all scorers", one->addresses(), source}};
  const absl::StatusOr<std::vector<double>> rates = InTurns("processes", ways, flags);
  if (!rates.ok()) return rates.status();
  PrintWays(ways, *rates);
  std::printf("memory: one process %.0f MB, a process for each scorer %.0f MB\n\n", one->rss_mb(),
              three->rss_mb());
  return absl::OkStatus();
}

// Cache size: twice the scores of all groups.
int CacheFor(const Flags& flags) {
  return 2 * flags.prompts * flags.group * static_cast<int>(kComponents.size());
}

absl::Status MeasureCache(const Flags& flags, const std::vector<Group>& groups) {
  const absl::StatusOr<std::unique_ptr<LocalServer>> fresh = StartServer(flags, CacheFor(flags)),
                                                     known = StartServer(flags, CacheFor(flags)),
                                                     without = StartServer(flags, 0);
  for (const auto* server : {&fresh, &known, &without}) {
    if (!server->ok()) return server->status();
  }
  const std::vector<Way> ways = {
      {"computed, nothing kept", {(*without)->address()}, RequestsOf(groups, Transport::kRaw, true)},
      {"computed and kept", {(*fresh)->address()}, RequestsOf(groups, Transport::kRaw, true)},
      {"known", {(*known)->address()}, RequestsOf(groups, Transport::kRaw, false)}};
  const absl::StatusOr<std::vector<double>> rates = InTurns("cache", ways, flags);
  if (!rates.ok()) return rates.status();
  PrintWays(ways, *rates);
  return absl::OkStatus();
}

// Cost of sending a request: its bytes, and the milliseconds to encode and decode one.
nlohmann::json TransportCosts(const std::vector<Group>& groups, Transport transport) {
  const RequestSource source = RequestsOf(groups, transport, false);
  std::vector<v1::ScoreRequest> requests;
  const auto count = static_cast<int64_t>(groups.size());
  const double make = TimeOf([&] {
                        for (int64_t i = 0; i < count; ++i) requests.push_back(source(i));
                      }).wall;
  double bytes = 0;
  for (const v1::ScoreRequest& request : requests) bytes += static_cast<double>(request.ByteSizeLong());
  const double read = TimeOf([&] {
                        for (const v1::ScoreRequest& request : requests) (void)DecodeRequest(request);
                      }).wall;
  const auto each = static_cast<double>(count);
  return {{"transport", transport == Transport::kRaw ? "raw" : "png"},
          {"bytes_a_request", Rounded(bytes / each, 1)},
          {"make_ms", Rounded(make / each * 1e3, .001)},
          {"read_ms", Rounded(read / each * 1e3, .001)}};
}

void PrintCosts(const std::vector<Group>& groups) {
  for (const Transport transport : {Transport::kRaw, Transport::kPng}) {
    const nlohmann::json costs = TransportCosts(groups, transport);
    PrintJson("transport_costs", costs);
    std::printf("%-4s %8.0f bytes a request, %.2f ms to make one, %.2f ms to read it\n",
                costs["transport"].get<std::string>().c_str(), costs["bytes_a_request"].get<double>(),
                costs["make_ms"].get<double>(), costs["read_ms"].get<double>());
  }
}

absl::Status MeasureTransport(const Flags& flags, const std::vector<Group>& groups) {
  const absl::StatusOr<std::unique_ptr<LocalServer>> computing = StartServer(flags, 0),
                                                     knowing = StartServer(flags, CacheFor(flags));
  if (!computing.ok()) return computing.status();
  if (!knowing.ok()) return knowing.status();
  const std::string &computes = (*computing)->address(), &knows = (*knowing)->address();
  RewardClient client(64);
  const absl::StatusOr<v1::ScoreResponse> accepted =
      client.Score(computes, RequestsOf(groups, Transport::kPng, true)(0), absl::Seconds(60));
  PrintCosts(groups);
  if (!accepted.ok()) {
    std::printf("png: this server takes raw pixels only, so its requests were counted, not sent: %s\n\n",
                std::string(accepted.status().message()).c_str());
    return absl::OkStatus();
  }
  // The requests are made from pixels inside the time, so PNG's encoding counts.
  std::vector<std::pair<std::vector<Way>, std::string>> tables;
  tables.push_back({{{"raw, scores computed", {computes}, RequestsOf(groups, Transport::kRaw, true)},
                     {"png, scores computed", {computes}, RequestsOf(groups, Transport::kPng, true)}},
                    "transport_computed"});
  tables.push_back({{{"raw, scores known", {knows}, RequestsOf(groups, Transport::kRaw, false)},
                     {"png, scores known", {knows}, RequestsOf(groups, Transport::kPng, false)}},
                    "transport_known"});
  for (const auto& [ways, what] : tables) {
    const absl::StatusOr<std::vector<double>> rates = InTurns(what, ways, flags);
    if (!rates.ok()) return rates.status();
    PrintWays(ways, *rates);
  }
  return absl::OkStatus();
}

absl::Status Run(const Flags& flags) {
  spdlog::set_level(spdlog::level::warn);
  KeepFreedMemory();  // as reward servers do
  const absl::StatusOr<v1::RunConfig> config = Settings(flags, {});
  if (!config.ok()) return config.status();
  torch::set_num_threads(config->local().threads_reward());
  const std::vector<Group> groups = MakeGroups(flags);
  PrintJson("settings", {{"config", flags.config},
                         {"clients", flags.clients},
                         {"in_flight", flags.in_flight},
                         {"images_a_request", flags.group},
                         {"prompts", flags.prompts},
                         {"seconds", flags.seconds},
                         {"rounds", flags.rounds},
                         {"scorer_threads", config->local().threads_reward()},
                         {"queue_limit", config->reward().queue_limit()},
                         {"batch_samples", config->reward().batch_samples()}});
  const std::map<std::string, absl::Status (*)(const Flags&, const std::vector<Group>&)> measurements = {
      {"load", MeasureLoad},
      {"processes", MeasureProcesses},
      {"cache", MeasureCache},
      {"transport", MeasureTransport}};
  for (const std::string& name : flags.only) {
    if (absl::Status status = measurements.at(name)(flags, groups); !status.ok()) return status;
  }
  return absl::OkStatus();
}

int Main(int argc, char** argv) {
  CLI::App app("Loads a reward server of coloured shapes. Run from the repository's root.");
  Flags flags;
  app.add_option("--config", flags.config)->capture_default_str();
  app.add_option("--only", flags.only, "of load, processes, cache, transport")
      ->check(CLI::IsMember({"load", "processes", "cache", "transport"}));
  app.add_option("--levels", flags.levels, "of load, in percent of capacity, the last one the overload");
  app.add_option("--seconds", flags.seconds, "of each measurement")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--rounds", flags.rounds, "of ways that are measured in turns")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--clients", flags.clients, "threads")->check(CLI::PositiveNumber)->capture_default_str();
  app.add_option("--in-flight", flags.in_flight, "open requests of a client, closed loop")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--group", flags.group, "images of a request")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--seed", flags.seed)->capture_default_str();
  if (const std::optional<int> code = ParseFlags(app, argc, argv)) return *code;
  return Explain(kProgram, Run(flags));
}

}  // namespace
}  // namespace lvrpo

int main(int argc, char** argv) { return lvrpo::Main(argc, argv); }
