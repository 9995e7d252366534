#pragma once

#include <atomic>
#include <list>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace lvrpo {

// An S3-compatible server of one bucket, "bucket", on a free port of this machine, in memory: PUT (with
// If-None-Match: *), GET (with Range), HEAD, DELETE, LIST in pages and multipart uploads, path style. Each
// request's signature and SHA-256 are checked. POST to / is a token service that gives the same keys with a
// session token, which end in 2030, for any web identity. It fails as it is told to, and closes connections
// on which no HTTP comes. Thread-safe.
class FakeS3 {
 public:
  static constexpr char kAccessKey[] = "AKIDEXAMPLE0001", kSecretKey[] = "secret/Key+of=the-fake-0123456789";
  static constexpr char kRegion[] = "test-region-1", kToken[] = "session-token-0123456789";

  enum class Kind {
    kAnswer,        // `code` with the error `name`, and Retry-After when it is above 0
    kDamageBody,    // a bit of the request's body is flipped before it is looked at
    kDamageAnswer,  // a bit of the answer's body is flipped
    kCutAnswer,     // half of the answer's body, then the connection closes
    kLoseAnswer,    // the request is carried out, the connection closes without an answer
    kHold,          // waits for Release() before it does anything
  };
  struct Fault {
    Kind kind = Kind::kAnswer;
    std::string method = {}, path = {};  // requests of this method whose path and query contain this
    int after = 0, times = 1;            // so many of them pass before it, so many are met by it
    int code = 500;
    std::string name = "InternalError";
    int retry_after = 0;  // seconds
  };

  FakeS3();
  // Waits for requests in progress; those that are held are released.
  ~FakeS3();

  const std::string& url() const { return url_; }  // "http://127.0.0.1:PORT"
  void Fail(Fault fault);
  void Release();
  // Blocks until so many requests are held; false after `timeout`.
  bool AwaitHeld(int count, absl::Duration timeout = absl::Seconds(60));
  // Requests must bear the session token, or must not.
  void WantToken(bool want);
  void SetPageSize(int objects);

  std::map<std::string, std::string> objects() const;
  void Put(const std::string& key, const std::string& bytes);
  size_t open_uploads() const;
  // "METHOD path?query" of all requests, in the order of their arrival.
  std::vector<std::string> requests() const;
  // Requests of the method whose path and query contain this.
  int Count(const std::string& method, const std::string& path) const;

 private:
  struct Request {
    std::string method, path, query;             // as sent
    std::map<std::string, std::string> headers;  // names in lower case
    std::string body;
  };
  struct Answer {
    int code = 200;
    std::string body = {};
    std::string headers = {};      // lines
    std::string head_length = {};  // Content-Length of an answer to HEAD
  };
  struct Upload {
    std::string key;
    std::map<int, std::string> parts;
  };

  void Accept();
  void Serve(int connection);
  static bool Read(int connection, std::string* buffered, Request* request);
  // False: the connection closes.
  bool Respond(int connection, Request request);
  Answer Handle(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Answer HandleObject(const Request& request, const std::string& key) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Answer HandleUpload(const Request& request, const std::string& key) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Answer List(const Request& request) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // What is wrong with the signature or the body; OK: code 200.
  Answer Check(const Request& request) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::list<Fault>::iterator FaultOf(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  std::string url_;
  int fd_ = -1;
  mutable absl::Mutex mutex_;
  std::map<std::string, std::string> objects_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, Upload> uploads_ ABSL_GUARDED_BY(mutex_);
  std::list<Fault> faults_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> requests_ ABSL_GUARDED_BY(mutex_);
  int next_upload_ ABSL_GUARDED_BY(mutex_) = 1, page_size_ ABSL_GUARDED_BY(mutex_) = 1000;
  int held_ ABSL_GUARDED_BY(mutex_) = 0;
  bool released_ ABSL_GUARDED_BY(mutex_) = false, want_token_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<int> open_ ABSL_GUARDED_BY(mutex_);  // connections
  std::vector<std::thread> connections_ ABSL_GUARDED_BY(mutex_);
  std::thread accepting_;
};

}  // namespace lvrpo
