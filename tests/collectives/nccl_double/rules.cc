#include "tests/collectives/nccl_double/rules.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <sstream>
#include <vector>

#include "tests/collectives/nccl_double/control.h"

namespace lvrpo::nccl_double {
namespace {

struct Fault {
  std::string kind;
  int rank = -1;
  int op = -1;
};

struct State {
  std::mutex mutex;
  std::vector<Fault> faults;
  std::string breaches;
  std::string told;
  Bell released;
};

bool Parse(const std::string& text, Fault* fault) {
  char kind[32] = "";
  int end = 0;
  if (std::sscanf(text.c_str(), " %31s rank=%d op=%d %n", kind, &fault->rank, &fault->op, &end) < 1)
    return false;
  fault->kind = kind;
  const bool of_operation = fault->op >= 0, of_rank = fault->rank >= 0;
  for (const char* known : {"hold", "drop", "stall", "error"}) {
    if (fault->kind == known) return of_operation;
  }
  for (const char* known : {"die_in_init", "die_in_shrink", "stick_in_abort", "stick_in_revoke"}) {
    if (fault->kind == known) return of_rank;
  }
  return fault->kind == "silent_loss" || fault->kind == "refuse_grow";
}

State& Get() {
  static State* const state = [] {
    auto* made = new State;
    const char* environment = std::getenv("NCCL_DOUBLE_FAULTS");
    std::stringstream words(environment != nullptr ? environment : "");
    for (std::string text; std::getline(words, text, ',');) {
      if (Fault fault; Parse(text, &fault)) {
        made->faults.push_back(fault);
      } else {
        std::fprintf(stderr, "nccl_double: NCCL_DOUBLE_FAULTS: '%s' is no fault\n", text.c_str());
        std::abort();
      }
    }
    return made;
  }();
  return *state;
}

}  // namespace

void Breach(const std::string& rule) {
  std::fprintf(stderr, "nccl_double: broken rule: %s\n", rule.c_str());
  const std::lock_guard lock(Get().mutex);
  Get().breaches += rule + "\n";
}

bool HasFault(const char* kind, int rank, int op) {
  const std::lock_guard lock(Get().mutex);
  for (const Fault& fault : Get().faults) {
    if (fault.kind == kind && fault.rank == rank && fault.op == op) return true;
  }
  return false;
}

Bell& Released() { return Get().released; }

}  // namespace lvrpo::nccl_double

using namespace lvrpo::nccl_double;

int nccl_double_fault(const char* text) {
  const std::lock_guard lock(Get().mutex);
  if (text == nullptr) {
    Get().faults.clear();
    Get().released.Reset();
    return 0;
  }
  Fault fault;
  if (!Parse(text, &fault)) return 1;
  Get().faults.push_back(fault);
  return 0;
}

void nccl_double_release(void) { Get().released.Ring(); }

const char* nccl_double_breaches(void) {
  const std::lock_guard lock(Get().mutex);
  Get().told.swap(Get().breaches);
  Get().breaches.clear();
  return Get().told.c_str();
}
