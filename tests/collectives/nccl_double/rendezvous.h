#pragma once

#include <string>
#include <vector>

#include "collectives/nccl_abi.h"
#include "tests/collectives/nccl_double/wire.h"

// How the ranks of a communicator find each other: each tells the process that made the id where it listens,
// and gets the whole table when all have. An id is the address of that process and a name for the meeting.
namespace lvrpo::nccl_double {

constexpr int kMostRanks = 16;

struct Meeting {
  std::string root;  // address
  std::string name;
};

// At this process.
Meeting NewMeeting();
nccl::UniqueId IdOf(const Meeting& meeting);
Meeting MeetingOf(const nccl::UniqueId& id);

// What one rank tells the others, as it travels.
struct Member {
  char meeting[128];
  int rank;
  int size;
  char listens_at[96];  // for the other ranks
  char root[96];        // where this process holds meetings
};

enum class Met { kAll, kStopped, kNobodyThere, kUsedBefore };
// Waits for all members; the table is by rank.
Met Meet(const Meeting& meeting, int rank, int size, const std::string& listens_at, const Bell& stop,
         std::vector<Member>* table);

}  // namespace lvrpo::nccl_double
