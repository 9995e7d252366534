// Addresses: what is accepted is read back as the same, and no refusal carries raw bytes.
#include <cstdint>
#include <cstdlib>

#include "absl/strings/ascii.h"
#include "common/net/host_port.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  for (const lvrpo::AddressUse use : {lvrpo::AddressUse::kListen, lvrpo::AddressUse::kDial}) {
    const absl::StatusOr<lvrpo::HostPort> parsed = lvrpo::ParseHostPort(text, use);
    if (!parsed.ok()) {
      for (const char c : parsed.status().message()) {
        if (!absl::ascii_isprint(static_cast<unsigned char>(c))) abort();
      }
      continue;
    }
    if (parsed->port < 0 || parsed->port > 65535 || parsed->host.empty()) abort();
    if (use == lvrpo::AddressUse::kDial && (parsed->port == 0 || parsed->IsUnspecified())) abort();
    if (parsed->IsLoopback() && parsed->IsUnspecified()) abort();
    const absl::StatusOr<lvrpo::HostPort> again = lvrpo::ParseHostPort(parsed->ToString(), use);
    if (!again.ok() || again->host != parsed->host || again->port != parsed->port) abort();
    (void)lvrpo::ReachableAddress(parsed->ToString(), text);
  }
  (void)lvrpo::CheckUrlHost(text);
  return 0;
}
