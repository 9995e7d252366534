#pragma once

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <functional>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace lvrpo {

// The metrics of one process. Handles live as long as the object. Thread-safe.
//
// Names, labels and help texts stand in the catalogue (common/telemetry/catalogue.h): std::logic_error for a
// name, a type or a set of labels that does not.
class Metrics {
 public:
  using Labels = std::map<std::string, std::string>;
  Metrics() = default;
  // With lvrpo_build_info: what runs here, in which version; and with the counters of `role` ("coordinator",
  // "learner", "rollout", "reward", "evaluation") at 0, as far as their labels are known.
  explicit Metrics(const std::string& role);
  prometheus::Counter& Counter(const std::string& name, const Labels& labels = {});
  prometheus::Gauge& Gauge(const std::string& name, const Labels& labels = {});
  // Of durations in seconds: buckets from 1 ms to an hour.
  prometheus::Histogram& Seconds(const std::string& name, const Labels& labels = {});

  // From now on every series has the label `run`.
  void SetRun(const std::string& run_id);
  // Called before each Render(), on its thread, to set what is measured only then. Must be valid for as long
  // as the object.
  void BeforeRender(std::function<void()> refresh);
  // Shows how much room there is where `folder` is, as lvrpo_disk_*_bytes.
  void WatchDisk(const std::string& place, const std::string& folder);

  std::string Render() const;  // Prometheus text format

 private:
  prometheus::Registry registry_;
  mutable absl::Mutex mutex_;
  std::string run_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::function<void()>> refreshers_ ABSL_GUARDED_BY(mutex_);
};

struct PageRequest {
  std::string path;  // without what follows a "?"
  std::string host;  // the header, or empty
  bool from_loopback = false;
};

struct PageAnswer {
  int code = 200;
  std::string reason = "OK", type = "text/plain", body = {};
  std::string headers = {};  // more of them, each with its "\r\n"
};

// Serves /metrics, /healthz (200 while the process lives) and /readyz (503 with the reason until ready) by a
// small HTTP/1.0 server of one thread that serves up to 64 clients at once; for one more, the oldest is
// dropped. GET and HEAD. Requests above 8 KiB, and those not sent and answered within `patience` in total,
// are dropped, so that no client blocks another.
class MetricsServer {
 public:
  // Why the process is not ready, or empty when it is. Asked before /metrics is rendered, too: what it sets
  // is there.
  using Readiness = std::function<std::string()>;

  // What is served under all other paths; called on the server's thread, where it must not take long.
  using Pages = std::function<PageAnswer(const PageRequest&)>;

  // `address`: host:port, port 0 picks one. InvalidArgument when it is none; else as BindSocket. `metrics`
  // must outlive it; `readiness` is called on the server's thread.
  static absl::StatusOr<std::unique_ptr<MetricsServer>> Start(const std::string& address,
                                                              const Metrics& metrics, Readiness readiness,
                                                              absl::Duration patience = absl::Seconds(2),
                                                              Pages pages = nullptr);
  // Drops open requests.
  ~MetricsServer();

  const std::string& address() const { return address_; }  // host:port

 private:
  struct Client {
    int fd;
    bool from_loopback;
    absl::Time deadline;
    std::string request, answer;
    size_t sent = 0;
  };
  MetricsServer(int fd, std::string address, const Metrics& metrics, Readiness readiness,
                absl::Duration patience, Pages pages);
  void Serve();
  void Accept(std::list<Client>& clients) const;
  // Reads or writes without blocking; false: the connection is finished.
  bool Advance(Client& client) const;
  std::string Answer(const std::string& request, bool from_loopback) const;
  PageAnswer AnswerTo(const PageRequest& request) const;

  const int fd_;
  int stop_pipe_[2];
  const std::string address_;
  const Metrics& metrics_;
  const Readiness readiness_;
  const absl::Duration patience_;
  const Pages pages_;
  std::thread thread_;
};

}  // namespace lvrpo
