#include "common/pause_point.h"

#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "absl/strings/numbers.h"

namespace lvrpo {
namespace {

struct Place {
  std::string phase;  // empty: none
  int count = 0;
};

Place ReadPlace() {
  const char* text = std::getenv("LVRPO_PAUSE_AT");
  const char* colon = text == nullptr ? nullptr : std::strchr(text, ':');
  Place place;
  if (colon == nullptr || !absl::SimpleAtoi(colon + 1, &place.count)) return {};
  place.phase.assign(text, colon);
  return place;
}

}  // namespace

void PausePoint(const char* phase) {
  static const Place* const place = new Place(ReadPlace());
  if (place->phase.empty() || place->phase != phase) return;
  static std::atomic<int> passed = 0;
  if (++passed != place->count) return;
  dprintf(STDERR_FILENO, "stopped at %s:%d, as LVRPO_PAUSE_AT asks\n", phase, place->count);
  kill(getpid(), SIGSTOP);
}

}  // namespace lvrpo
