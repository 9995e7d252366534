#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "absl/strings/str_cat.h"
#include "common/bounded_queue.h"
#include "common/config/config.h"
#include "common/config/reward_config.h"
#include "common/exit_code.h"
#include "common/files/file.h"
#include "common/hash.h"
#include "common/net/host_port.h"
#include "common/net/rpc.h"
#include "common/random.h"
#include "common/telemetry/metrics.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proto/lvrpo/v1/reward.grpc.pb.h"

namespace lvrpo {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

std::string TempPath(const std::string& name) {
  return (std::filesystem::temp_directory_path() / ("lvrpo-common-" + std::to_string(getpid()) + "-" + name))
      .string();
}

class ConfigTest : public ::testing::Test {
 protected:
  absl::StatusOr<LoadedConfig> Load(const std::string& yaml, const std::vector<std::string>& overrides = {}) {
    const std::string path = TempPath("run.yaml");
    EXPECT_TRUE(WriteFileAtomic(path, yaml).ok());
    auto loaded = LoadRunConfig(path, overrides);
    std::filesystem::remove(path);
    return loaded;
  }
  // A configuration whose files exist; run from the repository's root.
  static std::string Base() {
    return "model:\n  policy: assets/shapes/policy\n  referee: assets/shapes/referee\n"
           "data:\n  image_prompts: [assets/shapes/prompts/train_image.jsonl]\n";
  }
  std::string ErrorOf(const std::string& yaml, const std::vector<std::string>& overrides = {}) {
    const auto loaded = Load(Base() + yaml, overrides);
    EXPECT_TRUE(absl::IsInvalidArgument(loaded.status())) << loaded.status();
    return std::string(loaded.status().message());
  }
};

TEST_F(ConfigTest, ReadsValuesAndSaysWhereTheyCameFrom) {
  const auto loaded = Load(Base() + "train:\n  steps: 12\n  image:\n    learning_rate: 2e-4\n",
                           {"seed=9", "data.text_fraction=0.0"});
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->config.train().steps(), 12);
  EXPECT_DOUBLE_EQ(loaded->config.train().image().learning_rate(), 2e-4);
  EXPECT_EQ(loaded->config.seed(), 9u);
  EXPECT_EQ(loaded->config.rollout().group_size(), DefaultRunConfig().rollout().group_size());
  EXPECT_THAT(loaded->origins.at("train.steps"), HasSubstr("run.yaml:7"));
  EXPECT_EQ(loaded->origins.at("seed"), "--set");
}

TEST_F(ConfigTest, NamesEveryErrorAtOnceWithItsLine) {
  const std::string error =
      ErrorOf("train:\n  stepz: 3\n  groups_per_step: many\nrollout:\n  kernel: euler\n");
  EXPECT_THAT(error, AllOf(HasSubstr("run.yaml:7"), HasSubstr("stepz"), HasSubstr("steps")));
  EXPECT_THAT(error, AllOf(HasSubstr("run.yaml:8"), HasSubstr("groups_per_step")));
  EXPECT_THAT(error, AllOf(HasSubstr("kernel"), HasSubstr("flow_sde")));
}

TEST_F(ConfigTest, RefusesWhatCannotBeMeant) {
  EXPECT_THAT(ErrorOf("train:\n  steps: 3\n  steps: 4\n"), HasSubstr("steps"));
  EXPECT_THAT(ErrorOf("train:\n  steps: 0\n"), HasSubstr("train.steps"));
  EXPECT_THAT(ErrorOf("train:\n  steps: 1.5\n"), HasSubstr("steps"));
  EXPECT_THAT(ErrorOf("train: 7\n"), HasSubstr("train"));
  EXPECT_THAT(ErrorOf("", {"nonsense"}), HasSubstr("nonsense"));
  EXPECT_THAT(ErrorOf("", {"train.stepz=3"}), HasSubstr("stepz"));
  EXPECT_THAT(ErrorOf("", {"model.referee=/no/such/folder"}), HasSubstr("/no/such/folder"));
  EXPECT_THAT(ErrorOf("", {"rollout.window_size=99"}), HasSubstr("rollout.window_size"));
  EXPECT_THAT(ErrorOf("", {"rollout.antithetic=true", "rollout.group_size=7"}),
              HasSubstr("rollout.group_size is 7; make it even"));
  EXPECT_THAT(ErrorOf("", {"rollout.kernel=cps", "rollout.noise_level=1.1", "train.image_loss=ppo"}),
              HasSubstr("rollout.noise_level"));
  EXPECT_THAT(ErrorOf("", {"rollout.kernel=cps", "rollout.noise_level=0.8", "train.image_loss=grpo_guard"}),
              HasSubstr("train.image_loss"));
  EXPECT_FALSE(Load("model: [unclosed\n").ok());
  EXPECT_FALSE(LoadRunConfig("/no/such/file.yaml", {}).ok());
}

TEST_F(ConfigTest, ThePrintedFormReadsBackTheSame) {
  const auto loaded = LoadRunConfig("configs/shapes.yaml", {"seed=7", "train.image.trainable=[llm2vae]"});
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  const auto again = Load(PrintConfig(*loaded));
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->config.SerializeAsString(), loaded->config.SerializeAsString());
  EXPECT_EQ(ConfigDigest(again->config), ConfigDigest(loaded->config));
}

TEST_F(ConfigTest, ListsOfSectionsAreReadAndPrintedAndTheirMistakesNamed) {
  const auto loaded =
      Load(Base() +
           "reward:\n  external:\n  - {name: brand, address: \"scorer:50070\", weight: 0.5, task: image}\n"
           "  - name: tone\n    address: http://tone:8080/v1\n    task: both\n");
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  ASSERT_EQ(loaded->config.reward().external_size(), 2);
  EXPECT_EQ(loaded->config.reward().external(1).address(), "http://tone:8080/v1");
  const auto again = Load(PrintConfig(*loaded));
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->config.SerializeAsString(), loaded->config.SerializeAsString());
  EXPECT_TRUE(Load(Base(), {"reward.external=[{name: a, address: \"h:1\", weight: 1, task: text}]"}).ok());

  EXPECT_THAT(ErrorOf("reward:\n  external:\n  - {nmae: a}\n"),
              HasSubstr("reward.external[0].nmae: unknown key; did you mean 'name'?"));
  EXPECT_THAT(ErrorOf("reward:\n  external: [a]\n"), HasSubstr("reward.external[0]: want a section"));
  EXPECT_THAT(ErrorOf("", {"reward.external.name=a"}), HasSubstr("'external' is a list: give it whole"));
  const std::string problems =
      ErrorOf("reward:\n  external:\n  - {name: grounding, address: here, weight: -1, task: sound}\n");
  EXPECT_THAT(problems, HasSubstr("reward.external[0].name: 'grounding' is taken"));
  EXPECT_THAT(problems, HasSubstr("reward.external[0].address: 'here' is neither host:port nor"));
  EXPECT_THAT(problems, HasSubstr("reward.external[0].weight: -1 is out of range"));
  EXPECT_THAT(problems, HasSubstr("reward.external[0].task: 'sound' is not one of"));
}

TEST_F(ConfigTest, RewardSettingsThatDoNotFitTogetherAreNamed) {
  EXPECT_THAT(ErrorOf("", {"reward.grounding_dense=box", "reward.grounding_form=max_patch"}),
              HasSubstr("box needs regions"));
  EXPECT_THAT(ErrorOf("", {"reward.vqa_endpoint.url=http://vllm:8000/v1"}),
              HasSubstr("reward.vqa_endpoint.model: is empty"));
  for (const char* address : {"scorer", "scorer:0", "scorer:70000", "0.0.0.0:7101", "::1:7101",
                              "http://scorer:x", "https://[::1"}) {
    EXPECT_THAT(ErrorOf("", {absl::StrCat("reward.external=[{name: mine, weight: 1, task: image, address: \"",
                                          address, "\"}]")}),
                HasSubstr("reward.external[0].address"))
        << address;
  }
  EXPECT_TRUE(
      Load(Base(), {"reward.external=[{name: mine, weight: 1, task: image, address: \"[::1]:7101\"}]"}).ok());
  EXPECT_THAT(ErrorOf("", {"reward.detector=http://detector:80800"}), HasSubstr("reward.detector"));
  EXPECT_THAT(ErrorOf("", {"reward.logged=[instruction]"}), HasSubstr("'instruction' has a weight"));
  EXPECT_THAT(ErrorOf("", {"reward.guards=[artefact]"}), HasSubstr("'artefact' is not one of"));
  EXPECT_THAT(ErrorOf("", {"reward.detector=/no/such/folder"}), HasSubstr("there is no /no/such/folder"));
  EXPECT_TRUE(Load(Base(), {"reward.detector=http://detector:8080"}).ok());
}

TEST(ComponentWeights, AreOfWhatCountsAndTheRestIsLogged) {
  v1::RewardConfig config;
  config.set_instruction_weight(1);
  config.add_guards("artefacts");
  config.add_logged("grounding");
  for (const auto& [name, weight] : {std::pair{"brand", 2.0}, {"tone", 0.0}}) {
    config.add_external()->set_name(name);
    config.mutable_external()->rbegin()->set_weight(weight);
  }
  EXPECT_THAT(ComponentWeights(config),
              ::testing::ElementsAre(::testing::Pair("brand", 2), ::testing::Pair("exact_match", 1),
                                     ::testing::Pair("instruction", 1)));
  EXPECT_THAT(LoggedNames(config), ::testing::ElementsAre("artefacts", "grounding", "tone"));
}

TEST_F(ConfigTest, TheDigestCoversWhatDecidesResults) {
  v1::RunConfig config = DefaultRunConfig();
  const std::string digest = ConfigDigest(config);
  config.mutable_local()->set_rollout_workers(7);
  config.set_out("elsewhere");
  EXPECT_EQ(ConfigDigest(config), digest);
  config.set_seed(99);
  EXPECT_NE(ConfigDigest(config), digest);
}

TEST(ExitCodes, FollowTheStatus) {
  EXPECT_EQ(ExitCodeFor(absl::OkStatus()), kExitDone);
  EXPECT_EQ(ExitCodeFor(absl::DataLossError("")), kExitData);
  EXPECT_EQ(ExitCodeFor(absl::NotFoundError("")), kExitData);
  EXPECT_EQ(ExitCodeFor(absl::UnavailableError("")), kExitUnavailable);
  EXPECT_EQ(ExitCodeFor(absl::AbortedError("")), kExitRetry);
  EXPECT_EQ(ExitCodeFor(absl::InternalError("")), kExitBug);
}

TEST(BoundedQueue, BlocksDropsAndCloses) {
  BoundedQueue<int> queue(1);
  EXPECT_TRUE(queue.TryPush(1).ok());
  EXPECT_TRUE(absl::IsResourceExhausted(queue.TryPush(2)));
  EXPECT_TRUE(absl::IsDeadlineExceeded(queue.Push(2, absl::ZeroDuration())));
  std::thread pusher([&] { EXPECT_TRUE(queue.Push(3, absl::InfiniteDuration()).ok()); });
  EXPECT_EQ(*queue.Pop(absl::InfiniteDuration()), 1);
  EXPECT_EQ(*queue.Pop(absl::InfiniteDuration()), 3);
  pusher.join();
  EXPECT_TRUE(absl::IsDeadlineExceeded(queue.Pop(absl::ZeroDuration()).status()));
  EXPECT_TRUE(queue.TryPush(4).ok());
  queue.Close();
  EXPECT_TRUE(absl::IsCancelled(queue.TryPush(5)));
  EXPECT_EQ(*queue.Pop(absl::InfiniteDuration()), 4);  // what was inside comes out
  EXPECT_TRUE(absl::IsCancelled(queue.Pop(absl::InfiniteDuration()).status()));
}

TEST(Rpc, StatusAndReasonSurviveTheWire) {
  v1::ErrorInfo info;
  info.set_reason("STALE_EPOCH");
  info.set_current_run_epoch(4);
  const absl::Status status = WithReason(absl::FailedPreconditionError("old"), info);
  const absl::Status back = FromGrpcStatus(ToGrpcStatus(status));
  EXPECT_TRUE(absl::IsFailedPrecondition(back));
  EXPECT_EQ(back.message(), "old");
  EXPECT_EQ(ErrorInfoOf(back).reason(), "STALE_EPOCH");
  EXPECT_EQ(ErrorInfoOf(back).current_run_epoch(), 4);
  EXPECT_EQ(ErrorInfoOf(absl::InternalError("x")).reason(), "");
  EXPECT_TRUE(FromGrpcStatus(ToGrpcStatus(absl::OkStatus())).ok());
}

TEST(Rpc, RefusesPlainTextToTheWorldAndTakenPorts) {
  EXPECT_TRUE(absl::IsFailedPrecondition(RpcServer::Start({.listen = "0.0.0.0:0"}, {}).status()));
  for (const char* listen : {"", "7070", ":7070", "::1:7070", "127.0.0.1:70000", "[::1", "unix:/tmp/socket"})
    EXPECT_TRUE(absl::IsInvalidArgument(RpcServer::Start({.listen = listen}, {}).status())) << listen;
  EXPECT_TRUE(
      absl::IsFailedPrecondition(RpcServer::Start({.listen = "192.0.2.1:0", .insecure = true}, {}).status()));
  v1::Reward::Service service;  // answers UNIMPLEMENTED to everything
  const auto server = RpcServer::Start({}, {&service});
  ASSERT_TRUE(server.ok()) << server.status();
  const auto second = RpcServer::Start({.listen = (*server)->address()}, {&service});
  EXPECT_TRUE(absl::IsUnavailable(second.status()));
  EXPECT_THAT(std::string(second.status().message()), HasSubstr((*server)->address()));
}

// How often a process with clients only polls idle connections: gRPC reads it from its environment.
TEST(Rpc, LooksAtIdleConnectionsOften) {
  ASSERT_NE(getenv("GRPC_CLIENT_CHANNEL_BACKUP_POLL_INTERVAL_MS"), nullptr);
  EXPECT_LE(atoi(getenv("GRPC_CLIENT_CHANNEL_BACKUP_POLL_INTERVAL_MS")), 500);
}

TEST(Rpc, ClosesConnectionsThatSayNothing) {
  v1::Reward::Service service;
  const auto server = RpcServer::Start({.silence = absl::Milliseconds(100)}, {&service});
  ASSERT_TRUE(server.ok()) << server.status();
  sockaddr_in where = {};
  where.sin_family = AF_INET;
  where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  where.sin_port = htons(static_cast<uint16_t>(ParseHostPort((*server)->address(), AddressUse::kDial)->port));
  const int silent = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ASSERT_EQ(connect(silent, reinterpret_cast<sockaddr*>(&where), sizeof(where)), 0);
  // Until the server hangs up; what it may say before that does not count.
  const timeval patience = {.tv_sec = 20, .tv_usec = 0};
  setsockopt(silent, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  char buffer[256];
  ssize_t got;
  while ((got = recv(silent, buffer, sizeof(buffer), 0)) > 0) {
  }
  EXPECT_TRUE(got == 0 || errno == ECONNRESET) << errno;
  close(silent);
}

// Where nothing is: a proxy there lets no call through.
class ProxyVariables {
 public:
  ProxyVariables() {
    for (const char* name : kNames) setenv(name, "http://127.0.0.1:9", 1);
  }
  ~ProxyVariables() {
    for (const char* name : kNames) unsetenv(name);
  }

 private:
  static constexpr const char* kNames[] = {"http_proxy", "https_proxy", "grpc_proxy", "all_proxy",
                                           "HTTP_PROXY", "HTTPS_PROXY", "GRPC_PROXY", "ALL_PROXY"};
};

TEST(Rpc, ChannelsPassProxiesByUnlessToldOtherwise) {
  v1::Reward::Service service;
  const auto server = RpcServer::Start({}, {&service});
  ASSERT_TRUE(server.ok()) << server.status();
  const ProxyVariables variables;
  v1::RpcConfig config;
  config.set_max_message_mib(4);
  const auto call = [&] {
    v1::GetInfoResponse response;
    return v1::Reward::NewStub(MakeChannel((*server)->address(), config))
        ->GetInfo(MakeContext(absl::Seconds(20)).get(), v1::GetInfoRequest(), &response)
        .error_code();
  };
  EXPECT_EQ(call(), grpc::StatusCode::UNIMPLEMENTED);  // it arrived
  config.set_use_proxy(true);
  EXPECT_EQ(call(), grpc::StatusCode::UNAVAILABLE);
}

TEST(Metrics, RenderAndServe) {
  Metrics metrics;
  metrics.Counter("lvrpo_test_total", "Things.", {{"kind", "a\"b"}}).Increment(3);
  metrics.Seconds("lvrpo_test_seconds", "Time.").Observe(0.5);
  EXPECT_THAT(metrics.Render(), AllOf(HasSubstr("lvrpo_test_total{kind=\"a\\\"b\"} 3"),
                                      HasSubstr("lvrpo_test_seconds_count 1")));
  EXPECT_TRUE(MetricsServer::Start("127.0.0.1:0", metrics, [] { return ""; }).ok());
  EXPECT_FALSE(MetricsServer::Start("nonsense", metrics, [] { return ""; }).ok());
}

TEST(File, WritesWholeFilesOnly) {
  const std::string folder = TempPath("folder/deeper");
  ASSERT_TRUE(MakeFolder(folder).ok());
  const std::string path = JoinPath(folder, "file");
  ASSERT_TRUE(WriteFileAtomic(path, "first").ok());
  ASSERT_TRUE(WriteFileAtomic(path, "second").ok());
  EXPECT_EQ(*ReadFile(path), "second");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder), std::filesystem::directory_iterator()),
            1);
  EXPECT_FALSE(WriteFileAtomic(JoinPath(folder, "no/such/file"), "x").ok());
  const auto missing = ReadFile(JoinPath(folder, "missing"));
  EXPECT_TRUE(absl::IsNotFound(missing.status()));
  EXPECT_THAT(std::string(missing.status().message()), HasSubstr("missing"));
  std::filesystem::remove_all(TempPath("folder"));
}

TEST(Hash, KnownValues) {
  EXPECT_EQ(Sha256Hex("abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");  // FIPS 180-2, B.1
  EXPECT_EQ(Crc32("123456789"), 0xCBF43926u);                                     // the CRC-32 check value
  Sha256 parts;
  parts.Update("a");
  parts.Update("bc");
  EXPECT_EQ(parts.FinishHex(), Sha256Hex("abc"));
}

TEST(Random, IsSplitMix64) {
  Random random(1234567);  // first values of the reference implementation for this seed (Vigna, splitmix64.c)
  EXPECT_EQ(random.Next(), 6457827717110365317u);
  EXPECT_EQ(random.Next(), 3203168211198807973u);
}

}  // namespace
}  // namespace lvrpo
