#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "reward_server/remote/http/http.h"

namespace lvrpo {

// What was sent through a FakeTransport; the test keeps it, the transport writes into it.
struct SentLog {
  struct Sent {
    std::string url;
    std::string body;
  };
  std::vector<Sent> sent;
  std::vector<HttpOptions> options;  // one a call of Send
};

// Answers as a function says, without a network.
class FakeTransport : public HttpTransport {
 public:
  using Answer = std::function<absl::StatusOr<HttpAnswer>(const SentLog::Sent&)>;
  FakeTransport(SentLog& log, Answer answer) : log_(log), answer_(std::move(answer)) {}

  std::vector<absl::StatusOr<HttpAnswer>> Send(std::span<const HttpRequest> requests,
                                               const HttpOptions& options) override {
    log_.options.push_back(options);
    std::vector<absl::StatusOr<HttpAnswer>> answers;
    for (const HttpRequest& request : requests) {
      log_.sent.push_back({.url = request.url, .body = request.json ? request.json() : ""});
      answers.push_back(answer_(log_.sent.back()));
    }
    return answers;
  }

 private:
  SentLog& log_;
  const Answer answer_;
};

}  // namespace lvrpo
