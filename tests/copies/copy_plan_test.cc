#include "learner/copies/copy_plan.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace lvrpo {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

using Parts = std::vector<std::vector<int>>;  // by rank

TEST(CopyPlan, SaysWhoKeepsWhat) {
  struct {
    const char* what;
    std::vector<std::string> folders;
    bool sharded;
    Parts kept;
  } cases[] = {
      {"one rank", {"a"}, false, {{0}}},
      {"one sharded rank", {"a"}, true, {{0}}},
      {"whole ranks of one machine: once is enough", {"a", "a", "a"}, false, {{0}, {}, {}}},
      {"whole ranks of two machines", {"a", "a", "b", "b"}, false, {{0}, {}, {0}, {}}},
      {"sharded ranks of one machine have no neighbour", {"a", "a", "a"}, true, {{0}, {1}, {2}}},
      {"each on its own machine", {"a", "b", "c"}, true, {{0, 1}, {1, 2}, {0, 2}}},
      {"two on each machine", {"a", "a", "b", "b"}, true, {{0, 2}, {1, 3}, {0, 2}, {1, 3}}},
      {"in turns", {"a", "b", "a", "b"}, true, {{0, 1}, {0, 1}, {2, 3}, {2, 3}}},
      {"unequal machines", {"a", "a", "b"}, true, {{0, 2}, {1}, {0, 1, 2}}},
  };
  for (const auto& c : cases) {
    for (size_t rank = 0; rank < c.folders.size(); ++rank)
      EXPECT_EQ(PartsToKeep(static_cast<int>(rank), c.folders, c.sharded), c.kept[rank])
          << c.what << ", rank " << rank;
  }
}

// Whatever machine is lost, the others' folders have all parts; and no part is written twice in a folder.
TEST(CopyPlan, AnyOneMachineMayBeLost) {
  for (const std::vector<std::string>& folders : std::vector<std::vector<std::string>>{
           {"a", "b"}, {"a", "a", "b"}, {"a", "b", "b", "b"}, {"a", "a", "b", "c", "c", "c", "d"}}) {
    const auto ranks = static_cast<int>(folders.size());
    for (const std::string& lost : folders) {
      std::set<int> left;
      std::multiset<std::pair<std::string, int>> written;
      for (int rank = 0; rank < ranks; ++rank) {
        const std::string& folder = folders[static_cast<size_t>(rank)];
        for (const int part : PartsToKeep(rank, folders, true)) {
          if (folder != lost) left.insert(part);
          written.insert({folder, part});
          EXPECT_EQ(written.count({folder, part}), 1u);
        }
      }
      EXPECT_EQ(left.size(), folders.size()) << lost;
    }
  }
}

std::vector<std::pair<int, bool>> PartsOf(const std::optional<CopySource>& source) {
  std::vector<std::pair<int, bool>> parts;
  if (!source.has_value()) return parts;
  for (const CopySource::Part& part : source->parts) parts.emplace_back(part.holder, part.everywhere);
  return parts;
}

TEST(CopyPlan, ChoosesACompleteSetOfOneEpoch) {
  const auto copy = [](const char* epoch, int part, int parts) {
    return CopyOffer{.epoch = epoch, .parts = parts, .part = part};
  };
  using Sources = std::vector<std::pair<int, bool>>;
  struct {
    const char* what;
    std::vector<std::vector<CopyOffer>> offers;
    Sources parts;
  } cases[] = {
      {"none", {{}, {}}, {}},
      {"a rank's own", {{copy("e", 0, 1)}}, {{0, true}}},
      {"each its own", {{copy("e", 0, 2)}, {copy("e", 1, 2)}}, {{0, false}, {1, false}}},
      {"one folder",
       {{copy("e", 0, 2), copy("e", 1, 2)}, {copy("e", 1, 2), copy("e", 0, 2)}},
       {{0, true}, {0, true}}},
      {"the neighbour has it", {{}, {copy("e", 1, 2), copy("e", 0, 2)}}, {{1, false}, {1, false}}},
      {"a part is missing", {{copy("e", 0, 3)}, {copy("e", 2, 3)}}, {}},
      {"of different epochs", {{copy("e", 0, 2)}, {copy("f", 1, 2)}}, {}},
      {"one epoch is whole",
       {{copy("e", 0, 2)}, {copy("f", 1, 2), copy("f", 0, 2)}},
       {{1, false}, {1, false}}},
      {"of another number of ranks",
       {{copy("e", 2, 3)}, {copy("e", 0, 3), copy("e", 1, 3)}},
       {{1, false}, {1, false}, {0, false}}},
  };
  for (const auto& c : cases) EXPECT_EQ(PartsOf(ChooseCopies(c.offers)), c.parts) << c.what;
  EXPECT_EQ(ChooseCopies({{copy("e", 0, 2)}, {copy("f", 1, 2), copy("f", 0, 2)}})->epoch, "f");
}

TEST(CopyPlan, OffersAreTextThatMayBeWrong) {
  const std::vector<CopyOffer> offers = {{.epoch = "e 1", .parts = 4, .part = 3}, {.epoch = "", .parts = 1}};
  EXPECT_EQ(ReadOffers(WriteOffers(offers)), offers);
  EXPECT_THAT(ReadOffers(""), IsEmpty());
  EXPECT_THAT(ReadOffers("4 4 e\n-1 4 e\n0 0 e\nx 1 e\n1 2\n0 99999999 e\n0 1 good\n"),
              ElementsAre(CopyOffer{.epoch = "good", .parts = 1, .part = 0}));
}

}  // namespace
}  // namespace lvrpo
