// Publication of weights over gRPC, from packed buckets in memory to receivers that have verified them all,
// against what hashing, copying, a plain socket and Gloo's broadcast take for the same bytes in the same run.

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/allocator.h"
#include "common/stopwatch.h"
#include "spdlog/spdlog.h"
#include "tests/benchmarks/gloo_broadcast.h"
#include "tests/benchmarks/machine.h"
#include "tests/benchmarks/timing.h"
#include "tests/benchmarks/weight_plane_baselines.h"
#include "tests/testing/test_certificates.h"
#include "weight_plane/weight_client.h"
#include "weight_plane/weight_service.h"

namespace lvrpo {
namespace {

constexpr StreamLimits kLimits = {.whole = absl::Seconds(60), .silence = absl::Seconds(60)};
constexpr int kTensorMegabytes = 2;

std::string SomeBytes(size_t size) {
  std::string bytes(size, 0);
  uint32_t state = 1;
  for (char& byte : bytes) byte = static_cast<char>((state = state * 1664525 + 1013904223) >> 24);
  return bytes;
}

// Tensors of 2 MB, as `bytes` has them.
PackedWeights Pack(const std::string& bytes) {
  constexpr size_t kTensor = size_t{kTensorMegabytes} * 1000000;
  WeightPacker packer;
  for (size_t begin = 0; begin < bytes.size(); begin += kTensor) {
    packer.Add(absl::StrCat("t", 1000 + begin / kTensor), {kTensor / 4},
               [&, begin](char* into) { std::memcpy(into, bytes.data() + begin, kTensor); });
  }
  return std::move(packer).Seal(1);
}

WantedWeights WantedOf(const PackedWeights& weights) {
  WantedWeights wanted{.version = weights.manifest.version(), .shapes = {}};
  for (const v1::TensorEntry& tensor : weights.manifest.tensors())
    wanted.shapes[tensor.name()] = {tensor.shape().begin(), tensor.shape().end()};
  return wanted;
}

// A holder, and receivers with a connection each.
class Plane {
 public:
  // Over TLS where the holder and the receivers have certificates, else in plain text.
  Plane(PackedWeights weights, int receivers, std::shared_ptr<TlsContext> holder = nullptr,
        std::shared_ptr<TlsContext> receiver = nullptr)
      : wanted_(WantedOf(weights)) {
    service_.Publish(std::make_shared<const PackedWeights>(std::move(weights)));
    RpcServer::Options options;
    options.tls = std::move(holder);
    server_ = *RpcServer::Start(options, {&service_});
    ChannelOptions channel(64);
    channel.tls = std::move(receiver);
    for (int i = 0; i < receivers; ++i) clients_.push_back(std::make_unique<WeightClient>(channel));
  }

  // Until all receivers have verified everything.
  double Seconds() {
    const Stopwatch watch;
    std::vector<std::thread> threads;
    for (const auto& client : clients_) {
      threads.emplace_back([&] {
        PartialWeights partial(wanted_);
        const absl::Status status = partial.Continue(*client->Open(server_->address(), 1, kLimits), nullptr);
        if (!status.ok()) std::printf("%s\n", status.ToString().c_str());
      });
    }
    for (std::thread& thread : threads) thread.join();
    return watch.Seconds();
  }

  // A receiver that asked for everything, took the first bytes, and takes no more until it is destroyed: then
  // it is gone.
  std::unique_ptr<WeightStream> DeadReceiver() {
    std::unique_ptr<WeightStream> stream = dead_.Open(server_->address(), 1, kLimits);
    Bucket bucket(static_cast<size_t>(kBucketBytes));
    if (!stream->Read(0, 0, {bucket.data(), bucket.size()}).ok()) std::abort();
    return stream;
  }

 private:
  const WantedWeights wanted_;
  CallWatch watch_{{.most = 16}};
  WeightService service_{watch_, 1};
  std::unique_ptr<RpcServer> server_;
  std::vector<std::unique_ptr<WeightClient>> clients_;
  WeightClient dead_{64};
};

double MedianOf(int repeats, const std::function<double()>& seconds) {
  (void)seconds();
  std::vector<double> all;
  for (int i = 0; i < repeats; ++i) all.push_back(seconds());
  return Median(all);
}

void Row(int megabytes, int receivers) {
  const int repeats = megabytes < 100 ? 15 : 5;
  const std::string bytes = SomeBytes(static_cast<size_t>(megabytes) * 1000000);
  Plane plane(Pack(bytes), receivers);
  GlooBroadcast gloo(receivers);
  // In turns, so that what the machine does besides meets all of them.
  std::vector<double> fetch, hash, copy, loopback, both, broadcast, verified;
  for (int i = -1; i < repeats; ++i) {
    const double seconds[] = {plane.Seconds(),
                              HashSeconds(bytes, receivers),
                              CopySeconds(bytes, receivers),
                              LoopbackSeconds(bytes, receivers),
                              LoopbackAndHashSeconds(bytes, receivers),
                              gloo.Seconds(bytes, false),
                              gloo.Seconds(bytes, true)};
    std::vector<double>* all[] = {&fetch, &hash, &copy, &loopback, &both, &broadcast, &verified};
    for (int k = 0; k < 7 && i >= 0; ++k) all[k]->push_back(seconds[k]);
  }
  const double each = megabytes / Median(fetch);
  const auto rate = [&](const std::vector<double>& seconds) { return megabytes / Median(seconds); };
  const double ceiling = std::min(rate(hash), rate(loopback));
  std::printf(
      "%4d MB, %d receivers %8.0f MB/s each | SHA-256 %5.0f  memcpy %6.0f  loopback %5.0f  both %5.0f | "
      "%.2f of the ceiling (%.0f), %.2f of both at once\n",
      megabytes, receivers, each, rate(hash), rate(copy), rate(loopback), rate(both), each / ceiling, ceiling,
      each / rate(both));
  std::printf("%28s Gloo's broadcast %5.0f, and verified %5.0f: %.2f and %.2f of them; %.3f of memcpy\n", "",
              rate(broadcast), rate(verified), each / rate(broadcast), each / rate(verified),
              each / rate(copy));
  std::fflush(stdout);
}

void BenchSealing(int megabytes) {
  const std::string bytes = SomeBytes(static_cast<size_t>(megabytes) * 1000000);
  const double sealed = MedianOf(7, [&] {
    const Stopwatch watch;
    const PackedWeights packed = Pack(bytes);
    return watch.Seconds();
  });
  const double hash = MedianOf(7, [&] { return HashSeconds(bytes, 1); });
  std::printf("%4d MB packed and sealed %8.0f MB/s, %.2f of SHA-256 on one thread (%.0f)\n", megabytes,
              megabytes / sealed, hash / sealed, megabytes / hash);
}

void BenchDeadReceiver(int megabytes, int receivers) {
  Plane plane(Pack(SomeBytes(static_cast<size_t>(megabytes) * 1000000)), receivers);
  std::vector<double> alone, with_stopped, with_gone;
  (void)plane.Seconds();
  for (int i = 0; i < 7; ++i) {
    alone.push_back(plane.Seconds());
    std::unique_ptr<WeightStream> dead = plane.DeadReceiver();
    with_stopped.push_back(plane.Seconds());
    std::thread going([&dead] { dead.reset(); });
    with_gone.push_back(plane.Seconds());
    going.join();
  }
  const double usual = Median(alone);
  std::printf(
      "%4d MB, %d receivers: %.1f ms; with one more that has stopped reading %.2f of that, that dies "
      "meanwhile %.2f\n",
      megabytes, receivers, 1000 * usual, Median(with_stopped) / usual, Median(with_gone) / usual);
}

void BenchTls(int megabytes, int receivers) {
  const TemporaryFolder folder;
  const TestAuthority authority;
  const auto identity = [&](PeerRole role) {
    return std::make_shared<TlsContext>(authority.Write(folder, std::string(Word(role)), role));
  };
  const std::string bytes = SomeBytes(static_cast<size_t>(megabytes) * 1000000);
  Plane plain(Pack(bytes), receivers);
  Plane tls(Pack(bytes), receivers, identity(PeerRole::kLearner), identity(PeerRole::kRollout));
  std::vector<double> plain_seconds, tls_seconds;
  for (int i = -1; i < 15; ++i) {
    const double one = plain.Seconds(), other = tls.Seconds();
    if (i < 0) continue;
    plain_seconds.push_back(one);
    tls_seconds.push_back(other);
  }
  std::printf("%4d MB, %d receivers: plain %.1f ms, TLS %.1f ms, %.2f of plain\n", megabytes, receivers,
              1000 * Median(plain_seconds), 1000 * Median(tls_seconds),
              Median(tls_seconds) / Median(plain_seconds));
}

int Main(int argc, char** argv) {
  if (argc > 1) {
    std::printf("lvrpo-bench-weights: publication of weights; without arguments; takes about a minute\n");
    return argc == 2 && std::string(argv[1]) == "--help" ? 0 : 2;
  }
  spdlog::set_level(spdlog::level::warn);
  KeepFreedMemory();  // as rollout workers do
  std::printf("%s\n", DescribeMachine().c_str());
  for (const int megabytes : {20, 200}) {
    BenchSealing(megabytes);
    for (const int receivers : {1, 2, 4}) Row(megabytes, receivers);
  }
  BenchDeadReceiver(20, 2);
  BenchDeadReceiver(200, 2);
  for (const int receivers : {1, 4}) BenchTls(20, receivers);
  return 0;
}

}  // namespace
}  // namespace lvrpo

int main(int argc, char** argv) { return lvrpo::Main(argc, argv); }
