#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

// Unix sockets with abstract addresses, and waits on them that can be ended.
namespace lvrpo::nccl_double {

class Fd {
 public:
  explicit Fd(int fd = -1) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Fd();
  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }

 private:
  int fd_;
};

// Once rung, it rings. Thread-safe.
class Bell {
 public:
  Bell();
  void Ring();
  void Reset();
  bool HasRung() const;
  int fd() const { return fd_.get(); }

 private:
  const Fd fd_;
};

// Blocks until either rings.
void AwaitEither(const Bell& one, const Bell& other);

enum class Io { kDone, kClosed, kStopped };  // all of it; the other side is gone; the bell rang

// One direction or both with one peer.
struct Transfer {
  int fd = -1;
  const char* out = nullptr;
  size_t out_bytes = 0;
  char* in = nullptr;
  size_t in_bytes = 0;
};

// Does all transfers at once: neither side's full buffers stop the other's.
Io Exchange(std::vector<Transfer> transfers, const Bell& stop);

std::string NewAddress();
Fd Listen(const std::string& address);
// No Fd: nobody listens there.
Fd Connect(const std::string& address);
// One of the sockets that has something to read, or is closed. -1: the bell rang.
int AwaitReadable(const std::vector<int>& fds, const Bell& stop);
// No Fd: the bell rang.
Fd Accept(const Fd& listener, const Bell& stop);

}  // namespace lvrpo::nccl_double
