#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace lvrpo {

// An address as flags, configuration and members write it: "127.0.0.1:7070", "[::1]:7070",
// "learner.lan:7070".
struct HostPort {
  std::string host;  // an IPv6 address without its brackets
  int port = 0;

  std::string ToString() const;  // as ParseHostPort reads it
  bool IsLoopback() const;       // reachable from this machine only: 127.0.0.0/8, ::1, localhost
  bool IsUnspecified() const;    // all interfaces of a machine: 0.0.0.0, ::
};

// What an address is for. One to listen on may have port 0, which picks a free one.
enum class AddressUse { kListen, kDial };

// Reads host:port. There is no default: the port is written out, in 1 to 5 digits and at most 65535. The host
// is an IPv4 address of four numbers, an IPv6 address in brackets (without a zone), or a name of letters,
// digits,
// '-', '_' and '.'; what only looks like an IPv4 address is none. Schemes, paths, user names and blanks are
// refused, and so is an address of all interfaces to dial. InvalidArgument says what is wrong.
absl::StatusOr<HostPort> ParseHostPort(absl::string_view text, AddressUse use);

// Whether the host and, where one is written, the port of "http://host:port/path" are ones that ParseHostPort
// reads to dial. A user name before '@' is passed over. InvalidArgument says what is wrong.
absl::Status CheckUrlHost(absl::string_view url);

// Where others reach a server that listens on `listening` (with the port that was picked): there, or at
// `advertise` unless that is empty; its port 0 stands for the port listened on. InvalidArgument when neither
// is an address that others can dial.
absl::StatusOr<HostPort> ReachableAddress(absl::string_view listening, absl::string_view advertise);

// The same for a second port of a process that others reach at `address`: `listening`, with the host of
// `address` in place of all interfaces. Both are addresses that ParseHostPort reads.
std::string BesideAddress(absl::string_view listening, absl::string_view address);

}  // namespace lvrpo
