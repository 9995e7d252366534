#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace lvrpo {

// An address as written in flags, configuration and by members: "127.0.0.1:7070", "[::1]:7070",
// "learner.lan:7070".
struct HostPort {
  std::string host;  // an IPv6 address without its brackets
  int port = 0;

  std::string ToString() const;  // as ParseHostPort reads it
  bool IsLoopback() const;       // reachable from this machine only: 127.0.0.0/8, ::1, localhost
  bool IsUnspecified() const;    // all interfaces of a machine: 0.0.0.0, ::
};

// What an address is used for. A listen address may have port 0, which picks a free one.
enum class AddressUse { kListen, kDial };

// Reads host:port. There is no default: the port is written out, in 1 to 5 digits and at most 65535. The host
// is an IPv4 address of four numbers, an IPv6 address in brackets (without a zone), or a name of letters,
// digits, '-', '_' and '.'; a malformed IPv4 address is not accepted as a name. Schemes, paths, user names
// and blanks are refused, and so is an all-interfaces address to connect to. InvalidArgument says what is
// wrong.
absl::StatusOr<HostPort> ParseHostPort(absl::string_view text, AddressUse use);

// Whether the host and, where one is written, the port of "http://host:port/path" pass ParseHostPort for
// connecting. A user name before '@' is skipped. InvalidArgument says what is wrong.
absl::Status CheckUrlHost(absl::string_view url);

// The address at which others reach a server that listens on `listening` (with the port that was picked):
// `advertise` unless that is empty, its port 0 replaced by the listening port; else `listening`.
// InvalidArgument when others cannot connect to it.
absl::StatusOr<HostPort> ReachableAddress(absl::string_view listening, absl::string_view advertise);

// The same for a second port of a process that others reach at `address`: `listening`, with the host of
// `address` in place of all interfaces. Both are addresses that ParseHostPort reads.
std::string BesideAddress(absl::string_view listening, absl::string_view address);

}  // namespace lvrpo
