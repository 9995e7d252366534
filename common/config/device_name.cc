#include "common/config/device_name.h"

#include <cstdlib>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace lvrpo {

absl::StatusOr<DeviceName> ParseDeviceName(absl::string_view text) {
  if (text == "cpu") return DeviceName{};
  if (text == "cuda") return DeviceName{.kind = DeviceName::Kind::kCuda};
  absl::string_view digits = text;
  int index = -1;
  // One way to write a number: SimpleAtoi() would take signs, blanks and leading zeros too.
  if (absl::ConsumePrefix(&digits, "cuda:") && absl::SimpleAtoi(digits, &index) && index >= 0 &&
      index < kMostGpus && digits == absl::StrCat(index)) {
    return DeviceName{.kind = DeviceName::Kind::kCuda, .index = index};
  }
  return absl::InvalidArgumentError(
      absl::StrCat("'", text, "' is no device: use cpu, cuda or cuda:0 to cuda:", kMostGpus - 1));
}

std::string WeightsDevice(const std::string& compute_device) {
  const char* const named = std::getenv("LVRPO_WEIGHTS_DEVICE");
  return named != nullptr && *named != '\0' ? named : compute_device;
}

}  // namespace lvrpo
