#include "tests/benchmarks/load_clients.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <memory>
#include <thread>

#include "common/clock.h"
#include "common/net/rpc.h"
#include "common/random.h"
#include "proto/lvrpo/v1/reward.grpc.pb.h"

namespace lvrpo {
namespace {

// One request at all servers that are asked for it.
struct Asked {
  struct Call {
    Asked* request;
    std::unique_ptr<grpc::ClientContext> context;
    std::unique_ptr<grpc::ClientAsyncResponseReader<v1::ScoreResponse>> reader;
    v1::ScoreResponse response;
    grpc::Status status;
  };
  absl::Time due;
  std::vector<Call> calls;  // never grows after the first is started
  size_t open = 0;
};

// The calls of one thread. Not thread-safe.
class Caller {
 public:
  Caller(const std::vector<std::string>& addresses, const LoadOptions& options)
      : deadline_(options.deadline) {
    for (const std::string& address : addresses)
      stubs_.push_back(v1::Reward::NewStub(MakeChannel(address, options.max_message_mib)));
  }
  ~Caller() {
    queue_.Shutdown();
    void* tag = nullptr;
    bool ok = false;
    while (queue_.Next(&tag, &ok)) {
    }
  }

  void Send(const v1::ScoreRequest& request, absl::Time due) {
    auto* asked = new Asked;
    asked->due = due;
    asked->open = stubs_.size();
    asked->calls.resize(stubs_.size());
    ++open_;
    ++result_.sent;
    for (size_t i = 0; i < stubs_.size(); ++i) {
      Asked::Call& call = asked->calls[i];
      call.request = asked;
      call.context = MakeContext(deadline_);
      call.reader = stubs_[i]->AsyncScore(call.context.get(), request, &queue_);
      call.reader->Finish(&call.response, &call.status, &call);
    }
  }

  // Takes one answer, for which it waits until `until`; false when none has come.
  bool Receive(absl::Time until) {
    const absl::Duration left = std::max(until - RealClock().Now(), absl::ZeroDuration());
    void* tag = nullptr;
    bool ok = false;
    const auto deadline = std::chrono::system_clock::now() + absl::ToChronoNanoseconds(left);
    if (queue_.AsyncNext(&tag, &ok, deadline) != grpc::CompletionQueue::GOT_EVENT) return false;
    Asked* asked = static_cast<Asked::Call*>(tag)->request;
    if (--asked->open > 0) return true;
    Count(*asked);
    delete asked;
    --open_;
    return true;
  }

  int64_t open() const { return open_; }
  const LoadResult& result() const { return result_; }

 private:
  // A request counts as the worst of its calls.
  void Count(const Asked& asked) {
    const double latency = absl::ToDoubleSeconds(RealClock().Now() - asked.due);
    bool refused = false, failed = false, complete = true;
    for (const Asked::Call& call : asked.calls) {
      const absl::Status status = FromGrpcStatus(call.status);
      if (absl::IsResourceExhausted(status) && ErrorInfoOf(status).retry_after_seconds() > 0) {
        refused = true;
      } else if (!status.ok()) {
        failed = true;
        if (result_.first_failure.empty()) result_.first_failure = status.ToString();
      } else {
        complete = CountSamples(call.response) && complete;
      }
    }
    ++(failed ? result_.failed : refused ? result_.refused : complete ? result_.complete : result_.typed);
    if (!failed && refused) result_.refusal_latencies.push_back(latency);
    if (!failed && !refused && complete) result_.latencies.push_back(latency);
  }

  // Whether all have all scores.
  bool CountSamples(const v1::ScoreResponse& response) {
    bool complete = true;
    for (const v1::ItemScore& item : response.items()) {
      complete = complete && item.complete();
      for (const auto* scores : {&item.scores(), &item.logged()}) {
        for (const v1::ComponentScore& score : *scores) {
          if (score.outcome() != v1::ComponentScore::OK)
            ++result_.outcomes[v1::ComponentScore::Outcome_Name(score.outcome())];
        }
      }
    }
    return complete;
  }

  const absl::Duration deadline_;
  std::vector<std::unique_ptr<v1::Reward::Stub>> stubs_;
  grpc::CompletionQueue queue_;
  int64_t open_ = 0;
  LoadResult result_;
};

// Runs the threads, each with its own calls, and adds up their counts.
LoadResult RunThreads(const std::vector<std::string>& addresses, const LoadOptions& options,
                      const std::function<void(int thread, absl::Time begin, Caller& caller)>& work) {
  std::vector<LoadResult> results(static_cast<size_t>(options.threads));
  std::vector<std::thread> threads;
  const absl::Time begin = RealClock().Now();
  for (int t = 0; t < options.threads; ++t) {
    threads.emplace_back([&, t] {
      Caller caller(addresses, options);
      work(t, begin, caller);
      while (caller.open() > 0) caller.Receive(RealClock().Now() + absl::Seconds(1));
      results[static_cast<size_t>(t)] = caller.result();
    });
  }
  for (std::thread& thread : threads) thread.join();
  LoadResult sum;
  for (const LoadResult& result : results) sum.Add(result);
  sum.seconds = absl::ToDoubleSeconds(RealClock().Now() - begin);
  return sum;
}

}  // namespace

void LoadResult::Add(const LoadResult& other) {
  sent += other.sent;
  complete += other.complete;
  typed += other.typed;
  refused += other.refused;
  failed += other.failed;
  if (first_failure.empty()) first_failure = other.first_failure;
  for (const auto& [name, count] : other.outcomes) outcomes[name] += count;
  latencies.insert(latencies.end(), other.latencies.begin(), other.latencies.end());
  refusal_latencies.insert(refusal_latencies.end(), other.refusal_latencies.begin(),
                           other.refusal_latencies.end());
}

double Percentile(std::vector<double> values, double share) {
  if (values.empty()) return 0;
  const auto rank = static_cast<int64_t>(std::ceil(share * static_cast<double>(values.size()))) - 1;
  const auto nth = values.begin() + std::max<int64_t>(0, rank);
  std::nth_element(values.begin(), nth, values.end());
  return *nth;
}

std::vector<double> PoissonArrivals(double per_second, double seconds, uint64_t seed) {
  Random random(seed);
  std::vector<double> arrivals(static_cast<size_t>(std::max<int64_t>(1, std::llround(per_second * seconds))));
  for (double& at : arrivals) at = random.Uniform(0, seconds);
  std::sort(arrivals.begin(), arrivals.end());
  return arrivals;
}

LoadResult LoadOpen(const std::string& address, const RequestSource& source,
                    const std::vector<double>& arrivals, const LoadOptions& options) {
  return RunThreads({address}, options, [&](int thread, absl::Time begin, Caller& caller) {
    for (auto i = static_cast<size_t>(thread); i < arrivals.size();
         i += static_cast<size_t>(options.threads)) {
      const absl::Time due = begin + absl::Seconds(arrivals[i]);
      const v1::ScoreRequest request = source(static_cast<int64_t>(i));
      while (caller.Receive(due)) {
      }
      caller.Send(request, due);
    }
  });
}

LoadResult LoadClosed(const std::vector<std::string>& addresses, const RequestSource& source, int in_flight,
                      absl::Duration duration, const LoadOptions& options) {
  std::atomic<int64_t> next = 0;
  return RunThreads(addresses, options, [&](int, absl::Time begin, Caller& caller) {
    while (RealClock().Now() < begin + duration) {
      while (caller.open() < in_flight) {
        const v1::ScoreRequest request = source(next++);
        caller.Send(request, RealClock().Now());
      }
      caller.Receive(begin + duration);
    }
  });
}

}  // namespace lvrpo
