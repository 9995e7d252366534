#pragma once

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"

namespace lvrpo {

// The metrics of one process. Handles live as long as the object. Thread-safe.
class Metrics {
 public:
  using Labels = std::map<std::string, std::string>;
  prometheus::Counter& Counter(const std::string& name, const std::string& help, const Labels& labels = {});
  prometheus::Gauge& Gauge(const std::string& name, const std::string& help, const Labels& labels = {});
  // Buckets suit durations in seconds: 1 ms to 60 s.
  prometheus::Histogram& Seconds(const std::string& name, const std::string& help, const Labels& labels = {});

  std::string Render() const;  // Prometheus text format

 private:
  prometheus::Registry registry_;
};

// Serves /metrics, /healthz (200 while the process lives) and /readyz (503 with the reason until ready) by a
// small HTTP/1.0 server of one thread: requests above 8 KiB or slower than 2 s are dropped.
class MetricsServer {
 public:
  // Why the process is not ready, or empty when it is.
  using Readiness = std::function<std::string()>;

  // `address`: host:port, port 0 picks one. FailedPrecondition when the port is in use. `metrics` must
  // outlive it.
  static absl::StatusOr<std::unique_ptr<MetricsServer>> Start(const std::string& address,
                                                              const Metrics& metrics, Readiness readiness);
  ~MetricsServer();

  const std::string& address() const { return address_; }  // host:port

 private:
  MetricsServer(int fd, std::string address, const Metrics& metrics, Readiness readiness);
  void Serve();
  std::string Answer(const std::string& request) const;

  const int fd_;
  int stop_pipe_[2];
  const std::string address_;
  const Metrics& metrics_;
  const Readiness readiness_;
  std::thread thread_;
};

}  // namespace lvrpo
