#pragma once

#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace lvrpo {

// A web server on a free port that answers exactly what a test wants, broken answers included. One request
// per connection, one thread each.
class TestHttpServer {
 public:
  struct Request {
    std::string method;
    std::string path;
    std::string head;  // the request line and all headers
    std::string body;
  };
  // Gives every byte of the answer (MakeHttpAnswer). Called on several threads at once.
  using Handler = std::function<std::string(const Request&)>;

  explicit TestHttpServer(Handler handler);
  // Waits for running handlers.
  ~TestHttpServer();

  const std::string& url() const { return url_; }  // "http://127.0.0.1:PORT"

 private:
  void Accept();
  void Serve(int connection);

  const Handler handler_;
  std::string url_;
  const int fd_;  // listens at url_
  absl::Mutex mutex_;
  std::vector<std::thread> connections_ ABSL_GUARDED_BY(mutex_);
  std::thread accepting_;
};

// `headers` are lines that end in "\r\n".
std::string MakeHttpAnswer(int code, const std::string& body, const std::string& headers = "");

// A URL of this machine where connections are neither made nor refused, as of a machine that is gone: the
// queue of those that wait to be accepted is full.
class UnansweredListener {
 public:
  UnansweredListener();
  ~UnansweredListener();
  UnansweredListener(const UnansweredListener&) = delete;
  const std::string& url() const { return url_; }

 private:
  std::string url_;
  const int fd_;
  std::vector<int> waiting_;
};

// A URL of this machine on which nothing listens.
std::string UrlOfNobody();

}  // namespace lvrpo
