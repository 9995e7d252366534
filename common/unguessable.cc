#include "common/unguessable.h"

#include <sys/random.h>

#include <random>

#include "absl/strings/str_cat.h"

namespace lvrpo {

uint64_t UnguessableNumber() {
  uint64_t number = 0;
  if (getrandom(&number, sizeof(number), 0) == sizeof(number)) return number;
  std::random_device device;
  return uint64_t{device()} << 32 | device();
}

std::string UnguessableToken() { return absl::StrCat(absl::Hex(UnguessableNumber(), absl::kZeroPad16)); }

}  // namespace lvrpo
