#pragma once

#include <string>

#include "tests/collectives/nccl_double/wire.h"

// Faults that tests ask for, and breaches of the library's rules. Thread-safe.
namespace lvrpo::nccl_double {

// Notes that a rule was broken, in words that name it.
void Breach(const std::string& rule);

// Whether this fault is asked for; -1: of a fault without this number.
bool HasFault(const char* kind, int rank = -1, int op = -1);

// Rings when a test releases what is held.
Bell& Released();

}  // namespace lvrpo::nccl_double
