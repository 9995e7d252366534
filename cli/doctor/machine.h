#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cli/doctor/check.h"

// What the machine or the pod gives a run: facts, and what they mean. Pure.
namespace lvrpo {

struct FolderFacts {
  std::string path;
  std::string problem = {};                  // why it cannot be written; empty when it can
  std::vector<double> write_seconds = {};    // of small files that were made durable
  int64_t free_bytes = 0, needed_bytes = 0;  // needed: 0 is not known
  bool in_memory = false;                    // tmpfs: gone with the machine
};
std::vector<Check> CheckFolder(const FolderFacts& facts);

struct ClockFacts {
  double unix_seconds = 0;
  double wall_seconds = 0, steady_seconds = 0;      // that passed on both clocks meanwhile
  std::optional<double> ahead_of_coordinator = {};  // seconds
};
std::vector<Check> CheckClock(const ClockFacts& facts);

struct LimitFacts {
  int64_t files = 0;              // descriptors that may be open
  bool many_connections = false;  // the role serves many members
};
Check CheckLimits(const LimitFacts& facts);

struct MemoryFacts {
  std::optional<int64_t> limit, needed;  // bytes; of the machine or its control group
  std::string what_needs;                // in words
};
Check CheckMemory(const MemoryFacts& facts);

struct CpuFacts {
  int cores = 0;                // that this process may use
  std::optional<double> quota;  // of its control group, in cores
  int threads = 0;              // that the role starts; 0: not known
  bool avx2 = false, avx512 = false, amx = false;
};
std::vector<Check> CheckCpu(const CpuFacts& facts);

// "max 100000" of a control group's cpu.max: nullopt without a limit.
std::optional<double> ParseCpuMax(const std::string& text);

}  // namespace lvrpo
