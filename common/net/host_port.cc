#include "common/net/host_port.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace lvrpo {
namespace {

constexpr size_t kLongestName = 253, kLongestLabel = 63, kLongestShown = 100;

// Its bytes; nullopt when it is not such an address. A string that continues after a NUL is not.
std::optional<in_addr> ToIpv4(const std::string& host) {
  in_addr address;
  if (absl::StrContains(host, '\0') || inet_pton(AF_INET, host.c_str(), &address) != 1) return std::nullopt;
  return address;
}

std::optional<in6_addr> ToIpv6(const std::string& host) {
  in6_addr address;
  if (absl::StrContains(host, '\0') || inet_pton(AF_INET6, host.c_str(), &address) != 1) return std::nullopt;
  return address;
}

bool AllOf(absl::string_view text, bool (*is)(unsigned char)) {
  return std::all_of(text.begin(), text.end(), [is](char c) { return is(static_cast<unsigned char>(c)); });
}

// A label that resolvers would read as a number, in the old notations of IPv4 too ("0x7f", "017").
bool IsNumber(absl::string_view label) {
  if (absl::StartsWithIgnoreCase(label, "0x")) return AllOf(label.substr(2), absl::ascii_isxdigit);
  return AllOf(label, absl::ascii_isdigit);
}

// What is wrong with a host that is not in brackets; empty: nothing.
std::string ProblemOfName(const std::string& host) {
  if (host.empty()) return "it has no host";
  if (ToIpv4(host).has_value()) return "";
  absl::string_view name = host;
  absl::ConsumeSuffix(&name, ".");
  if (name.size() > kLongestName) return "its host name is too long";
  const std::vector<absl::string_view> labels = absl::StrSplit(name, '.');
  for (const absl::string_view label : labels) {
    const bool sound =
        !label.empty() && label.size() <= kLongestLabel && label.front() != '-' && label.back() != '-' &&
        AllOf(label, [](unsigned char c) { return absl::ascii_isalnum(c) || c == '-' || c == '_'; });
    if (!sound) return "its host is neither an IPv4 address nor a host name";
  }
  return IsNumber(labels.back()) ? "its host is no IPv4 address of four numbers from 0 to 255" : "";
}

bool IsPort(absl::string_view text, int& port) {
  return !text.empty() && text.size() <= 5 && AllOf(text, absl::ascii_isdigit) &&
         absl::SimpleAtoi(text, &port) && port <= 65535;
}

// `text` split into host and port, or what is wrong with it.
std::string Parse(absl::string_view text, HostPort& result) {
  absl::string_view port;
  if (absl::StartsWith(text, "[")) {
    const size_t end = text.find(']');
    if (end == absl::string_view::npos) return "its '[' has no ']'";
    result.host = std::string(text.substr(1, end - 1));
    if (!ToIpv6(result.host).has_value()) return "there is no IPv6 address in its brackets";
    port = text.substr(end + 1);
    if (!absl::ConsumePrefix(&port, ":")) return "it has no port";
  } else {
    const size_t colon = text.find(':');
    if (absl::StrContains(text, "://")) return "it is a URL";
    if (colon == absl::string_view::npos) return "it has no port";
    if (text.find(':', colon + 1) != absl::string_view::npos)
      return "it has more than one colon (an IPv6 address is put in brackets)";
    result.host = std::string(text.substr(0, colon));
    port = text.substr(colon + 1);
    if (std::string problem = ProblemOfName(result.host); !problem.empty()) return problem;
  }
  return IsPort(port, result.port) ? "" : "its port is no number from 0 to 65535";
}

}  // namespace

std::string HostPort::ToString() const {
  return absl::StrContains(host, ":") ? absl::StrCat("[", host, "]:", port) : absl::StrCat(host, ":", port);
}

bool HostPort::IsLoopback() const {
  if (const auto v4 = ToIpv4(host)) return ntohl(v4->s_addr) >> 24 == 127;
  if (const auto v6 = ToIpv6(host))
    return IN6_IS_ADDR_LOOPBACK(&*v6) || (IN6_IS_ADDR_V4MAPPED(&*v6) && v6->s6_addr[12] == 127);
  return absl::EqualsIgnoreCase(host, "localhost") || absl::EqualsIgnoreCase(host, "localhost.");
}

bool HostPort::IsUnspecified() const {
  if (const auto v4 = ToIpv4(host)) return v4->s_addr == 0;
  const auto v6 = ToIpv6(host);
  if (!v6.has_value()) return false;
  const auto zero_from = [&v6](int first) {
    return std::all_of(v6->s6_addr + first, v6->s6_addr + 16, [](uint8_t byte) { return byte == 0; });
  };
  return zero_from(0) || (IN6_IS_ADDR_V4MAPPED(&*v6) && zero_from(12));
}

absl::StatusOr<HostPort> ParseHostPort(absl::string_view text, AddressUse use) {
  HostPort result;
  std::string problem = Parse(text, result);
  if (problem.empty() && use == AddressUse::kDial) {
    if (result.port == 0) problem = "its port is 0";
    if (result.IsUnspecified()) problem = "it stands for all interfaces, where nobody can be reached";
  }
  if (problem.empty()) return result;
  const std::string shown =
      absl::StrCat(absl::CEscape(text.substr(0, kLongestShown)), text.size() > kLongestShown ? "..." : "");
  return absl::InvalidArgumentError(absl::StrCat(
      "'", shown, "' is no host:port, such as 10.0.0.1:7070, [::1]:7070 or name:7070: ", problem));
}

absl::Status CheckUrlHost(absl::string_view url) {
  const size_t scheme = url.find("://");
  if (scheme == absl::string_view::npos) return absl::InvalidArgumentError("there is no \"://\" in it");
  absl::string_view host = url.substr(scheme + 3);
  host = host.substr(0, host.find_first_of("/?#"));
  if (const size_t user = host.rfind('@'); user != absl::string_view::npos) host = host.substr(user + 1);
  const bool has_port =
      absl::StartsWith(host, "[") ? !absl::EndsWith(host, "]") : absl::StrContains(host, ":");
  return ParseHostPort(has_port ? std::string(host) : absl::StrCat(host, ":80"), AddressUse::kDial).status();
}

absl::StatusOr<HostPort> ReachableAddress(absl::string_view listening, absl::string_view advertise) {
  absl::StatusOr<HostPort> server = ParseHostPort(listening, AddressUse::kListen);
  if (!server.ok()) return server.status();
  if (advertise.empty()) {
    if (!server->IsUnspecified()) return server;
    return absl::InvalidArgumentError(
        absl::StrCat("--listen ", listening,
                     " is all interfaces: --advertise host:port must say where others reach this process"));
  }
  absl::StatusOr<HostPort> told = ParseHostPort(advertise, AddressUse::kListen);
  if (!told.ok()) return absl::InvalidArgumentError(absl::StrCat("--advertise ", told.status().message()));
  if (told->IsUnspecified()) {
    return absl::InvalidArgumentError(
        absl::StrCat("--advertise ", advertise, " is all interfaces, where nobody can be reached"));
  }
  if (told->port == 0) told->port = server->port;
  return told;
}

std::string BesideAddress(absl::string_view listening, absl::string_view address) {
  absl::StatusOr<HostPort> second = ParseHostPort(listening, AddressUse::kListen);
  const absl::StatusOr<HostPort> first = ParseHostPort(address, AddressUse::kListen);
  if (!second.ok() || !first.ok()) return std::string(listening);
  if (second->IsUnspecified()) second->host = first->host;
  return second->ToString();
}

}  // namespace lvrpo
