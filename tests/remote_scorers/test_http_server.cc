#include "tests/remote_scorers/test_http_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace lvrpo {
namespace {

// Requests to this machine's own servers must not use a proxy.
[[maybe_unused]] const int no_proxy = setenv("no_proxy", "127.0.0.1", 1);

int Listen(std::string* url, int backlog = 64) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in where = {};
  where.sin_family = AF_INET;
  where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(where);
  if (fd < 0 || bind(fd, reinterpret_cast<sockaddr*>(&where), sizeof(where)) != 0 ||
      listen(fd, backlog) != 0 || getsockname(fd, reinterpret_cast<sockaddr*>(&where), &size) != 0) {
    std::abort();
  }
  *url = absl::StrCat("http://127.0.0.1:", ntohs(where.sin_port));
  return fd;
}

// Until `text` holds `size` bytes; false when the client is gone.
bool ReadUntil(int connection, size_t size, std::string* text) {
  char buffer[65536];
  while (text->size() < size) {
    const ssize_t got = recv(connection, buffer, sizeof(buffer), 0);
    if (got <= 0) return false;
    text->append(buffer, static_cast<size_t>(got));
  }
  return true;
}

}  // namespace

TestHttpServer::TestHttpServer(Handler handler) : handler_(std::move(handler)), fd_(Listen(&url_)) {
  accepting_ = std::thread([this] { Accept(); });
}

TestHttpServer::~TestHttpServer() {
  shutdown(fd_, SHUT_RDWR);  // wakes the thread
  accepting_.join();
  std::vector<std::thread> connections;
  {
    absl::MutexLock lock(&mutex_);
    connections.swap(connections_);
  }
  for (std::thread& connection : connections) connection.join();
  close(fd_);
}

void TestHttpServer::Accept() {
  while (true) {
    const int connection = accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC);
    if (connection < 0) return;
    absl::MutexLock lock(&mutex_);
    connections_.emplace_back([this, connection] {
      Serve(connection);
      close(connection);
    });
  }
}

void TestHttpServer::Serve(int connection) {
  std::string text;
  size_t end = std::string::npos;
  while (end == std::string::npos) {
    if (!ReadUntil(connection, text.size() + 1, &text)) return;
    end = text.find("\r\n\r\n");
  }
  Request request;
  request.head = text.substr(0, end + 2);
  request.method = text.substr(0, text.find(' '));
  const size_t path = request.method.size() + 1;
  request.path = text.substr(path, text.find(' ', path) - path);
  size_t length = 0;
  constexpr char kLength[] = "\r\nContent-Length: ";
  if (const size_t at = request.head.find(kLength); at != std::string::npos) {
    const size_t from = at + sizeof(kLength) - 1;
    if (!absl::SimpleAtoi(request.head.substr(from, request.head.find("\r\n", from) - from), &length)) return;
  }
  if (!ReadUntil(connection, end + 4 + length, &text)) return;
  request.body = text.substr(end + 4);
  const std::string answer = handler_(request);
  size_t sent = 0;
  while (sent < answer.size()) {
    const ssize_t wrote = send(connection, answer.data() + sent, answer.size() - sent, MSG_NOSIGNAL);
    if (wrote <= 0) return;
    sent += static_cast<size_t>(wrote);
  }
}

std::string MakeHttpAnswer(int code, const std::string& body, const std::string& headers) {
  return absl::StrCat("HTTP/1.1 ", code, " Whatever\r\n", headers, "Content-Length: ", body.size(),
                      "\r\nConnection: close\r\n\r\n", body);
}

UnansweredListener::UnansweredListener() : fd_(Listen(&url_, 0)) {
  sockaddr_in where = {};
  socklen_t size = sizeof(where);
  getsockname(fd_, reinterpret_cast<sockaddr*>(&where), &size);
  for (int i = 0; i < 4; ++i) {  // one is enough on Linux
    waiting_.push_back(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    (void)connect(waiting_.back(), reinterpret_cast<sockaddr*>(&where), size);
  }
}

UnansweredListener::~UnansweredListener() {
  for (const int fd : waiting_) close(fd);
  close(fd_);
}

std::string UrlOfNobody() {
  std::string url;
  close(Listen(&url));
  return url;
}

}  // namespace lvrpo
