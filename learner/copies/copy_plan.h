#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

// Who keeps copies of which parts of a step's state, and from whom a learner that starts takes them. Pure.
namespace lvrpo {

// Which parts of a step's state a rank writes into its folder, in ascending order. `folders`: by rank, what
// identifies the folder that it sees (FolderToken); ranks of one machine see the same one.
//
// Sharded, part r is what rank r has. A rank writes its own part, and with several folders the one of its
// neighbour, which has the same place among the ranks of the next folder: what one folder held is in the next
// one, too. With a folder for each rank the neighbour is the next rank, the first one for the last.
// Where folders have unequal numbers of ranks a rank has several neighbours, or none.
// Not sharded, every rank has all of it, as part 0: the first rank of each folder writes it.
std::vector<int> PartsToKeep(int rank, const std::vector<std::string>& folders, bool sharded);

// A copy that a rank has of the step in question.
struct CopyOffer {
  std::string epoch;  // the learner epoch that wrote it
  int parts = 1;      // of which this is one
  int part = 0;

  bool operator==(const CopyOffer&) const = default;
};

// As text, for the other ranks; what cannot be read is left out.
std::string WriteOffers(const std::vector<CopyOffer>& offers);
std::vector<CopyOffer> ReadOffers(const std::string& text);

// Where a learner takes each part from.
struct CopySource {
  struct Part {
    int holder = 0;           // the lowest rank that has it
    bool everywhere = false;  // all ranks have it
  };
  std::string epoch;
  std::vector<Part> parts;
};
// A complete set of parts that one learner epoch wrote; nullopt: there is none. `offers`: by rank.
std::optional<CopySource> ChooseCopies(const std::vector<std::vector<CopyOffer>>& offers);

}  // namespace lvrpo
