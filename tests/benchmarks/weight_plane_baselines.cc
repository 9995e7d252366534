#include "tests/benchmarks/weight_plane_baselines.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <thread>
#include <utility>
#include <vector>

#include "common/hash.h"
#include "common/stopwatch.h"

namespace lvrpo {
namespace {

constexpr size_t kPiece = size_t{1} << 20;

void Require(bool holds) {
  if (!holds) std::abort();
}

// Of all calls at once.
double Seconds(const std::vector<std::function<void()>>& calls) {
  const Stopwatch watch;
  std::vector<std::thread> threads;
  for (const auto& call : calls) threads.emplace_back(call);
  for (std::thread& thread : threads) thread.join();
  return watch.Seconds();
}

std::vector<std::function<void()>> Times(int parts, const std::function<void()>& call) {
  return {static_cast<size_t>(parts), call};
}

// Two ends of a connection.
std::pair<int, int> Connect() {
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  Require(bind(listener, reinterpret_cast<sockaddr*>(&address), size) == 0 && listen(listener, 1) == 0);
  Require(getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) == 0);
  const int from = socket(AF_INET, SOCK_STREAM, 0);
  Require(connect(from, reinterpret_cast<sockaddr*>(&address), size) == 0);
  const int to = accept(listener, nullptr, nullptr);
  Require(to >= 0);
  close(listener);
  return {from, to};
}

// Memory that has been written to before, for each part.
std::vector<std::string>& Targets(size_t bytes, int parts) {
  static auto* targets = new std::map<size_t, std::vector<std::string>>();
  std::vector<std::string>& own = (*targets)[bytes];
  while (own.size() < static_cast<size_t>(parts)) own.emplace_back(bytes, 'x');
  return own;
}

void Send(int socket, const std::string& bytes) {
  for (size_t sent = 0; sent < bytes.size();) {
    const ssize_t size = send(socket, bytes.data() + sent, std::min(kPiece, bytes.size() - sent), 0);
    Require(size > 0);
    sent += static_cast<size_t>(size);
  }
  close(socket);
}

void Receive(int socket, std::string& into) {
  for (size_t held = 0; held < into.size();) {
    const ssize_t size = recv(socket, into.data() + held, std::min(kPiece, into.size() - held), 0);
    Require(size > 0);
    held += static_cast<size_t>(size);
  }
  close(socket);
}

std::vector<std::function<void()>> LoopbackCalls(const std::string& bytes, int parts) {
  std::vector<std::function<void()>> calls;
  for (std::string& target : Targets(bytes.size(), parts)) {
    if (calls.size() == static_cast<size_t>(2 * parts)) break;
    const std::pair<int, int> ends = Connect();
    calls.emplace_back([&bytes, from = ends.first] { Send(from, bytes); });
    calls.emplace_back([&target, to = ends.second] { Receive(to, target); });
  }
  return calls;
}

}  // namespace

double HashSeconds(const std::string& bytes, int parts) {
  return Seconds(Times(parts, [&bytes] { (void)Sha256Hex(bytes); }));
}

double CopySeconds(const std::string& bytes, int parts) {
  std::vector<std::function<void()>> calls;
  for (std::string& target : Targets(bytes.size(), parts)) {
    if (calls.size() == static_cast<size_t>(parts)) break;
    calls.emplace_back([&] { std::memcpy(target.data(), bytes.data(), bytes.size()); });
  }
  return Seconds(calls);
}

double LoopbackSeconds(const std::string& bytes, int parts) { return Seconds(LoopbackCalls(bytes, parts)); }

double LoopbackAndHashSeconds(const std::string& bytes, int parts) {
  std::vector<std::function<void()>> calls = LoopbackCalls(bytes, parts);
  for (const auto& call : Times(parts, [&bytes] { (void)Sha256Hex(bytes); })) calls.push_back(call);
  return Seconds(calls);
}

}  // namespace lvrpo
