#include "weight_plane/gang/gang_round.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace lvrpo {
namespace {

using ::testing::ElementsAre;
using Plan = v1::GangPlan;

const absl::Time kStart = absl::FromUnixSeconds(1000);

absl::Time At(double seconds) { return kStart + absl::Seconds(seconds); }

GangAsk Asked(const std::string& id, double first, double last) {
  return {.worker = {.member_id = id, .incarnation = 1}, .member = {}, .first = At(first), .last = At(last)};
}

std::vector<std::string> NamesOf(const std::vector<GangAsk>& asks) {
  std::vector<std::string> names;
  for (const GangAsk& ask : asks) names.push_back(ask.worker.member_id);
  return names;
}

// ---- When.

struct When {
  const char* what;
  double now;
  std::set<std::string> expected;
  std::vector<GangAsk> asks;
  bool begin;
  std::vector<std::string> there, late;
};

TEST(Gather, BeginsWithAllThatAreExpectedOrWhenPatienceIsOver) {
  const When table[] = {
      {"nobody asks", 9, {"a"}, {}, false, {}, {}},
      {"all are there", 1, {"a", "b"}, {Asked("a", 0, 1), Asked("b", 1, 1)}, true, {"a", "b"}, {}},
      {"one is missing", 4.9, {"a", "b"}, {Asked("a", 0, 4.9)}, false, {"a"}, {"b"}},
      {"one is missing for too long", 5, {"a", "b"}, {Asked("a", 0, 5)}, true, {"a"}, {"b"}},
      {"patience counts from the first",
       5,
       {"a", "b", "c"},
       {Asked("a", 1, 5), Asked("b", 0, 5)},
       true,
       {"a", "b"},
       {"c"}},
      {"others than expected come too", 1, {"a"}, {Asked("a", 0, 1), Asked("n", 0, 1)}, true, {"a", "n"}, {}},
      {"a stranger alone", 1, {"a"}, {Asked("n", 0, 1)}, false, {"n"}, {"a"}},
      {"it is not known whom to expect", 4, {}, {Asked("a", 0, 4)}, false, {"a"}, {}},
      {"all that came meanwhile", 5, {}, {Asked("a", 0, 5), Asked("b", 3, 5)}, true, {"a", "b"}, {}},
      {"one has died meanwhile", 3, {"a", "b"}, {Asked("a", 0, .9), Asked("b", 1, 3)}, false, {"b"}, {"a"}},
      {"the one that asked first has died",
       5,
       {"a", "b"},
       {Asked("a", 0, .9), Asked("b", 1, 5)},
       false,
       {"b"},
       {"a"}},
      {"all have died", 9, {"a"}, {Asked("a", 0, 1)}, false, {}, {}},
  };
  for (const When& row : table) {
    const Gathered gathered = Gather({.now = At(row.now),
                                      .patience = absl::Seconds(5),
                                      .silence = absl::Seconds(2),
                                      .expected = row.expected,
                                      .asks = row.asks});
    EXPECT_EQ(gathered.begin, row.begin) << row.what;
    EXPECT_EQ(NamesOf(gathered.there), row.there) << row.what;
    if (!row.there.empty()) {
      EXPECT_EQ(gathered.late, row.late) << row.what;
    }
  }
}

// ---- How.

// A worker that holds the communicator `gang`.
GangAsk Holding(const std::string& id, int64_t gang, bool broken = false, bool can_grow = true) {
  GangAsk ask = Asked(id, 0, 0);
  ask.member.set_gang(gang);
  ask.member.set_broken(broken);
  ask.member.set_can_shrink(true);
  ask.member.set_can_grow(can_grow);
  return ask;
}

GangAsk Restarted(GangAsk ask) {
  ask.worker.incarnation = 2;
  return ask;
}

RootGang Of(int64_t gang, const std::vector<std::string>& ids, bool broken = false) {
  RootGang root = {.gang = gang, .broken = broken, .workers = {}};
  for (const std::string& id : ids) root.workers.push_back({.member_id = id, .incarnation = 1});
  return root;
}

struct How {
  const char* what;
  RootGang root;
  std::vector<GangAsk> there;
  Plan::Way way;
  std::vector<std::string> ranks;
  std::vector<int> gone;
};

constexpr NcclMeans kNewest = {.shrink = true, .grow = true};

TEST(ChooseForm, KeepsWhatItCanOfTheCommunicator) {
  const How table[] = {
      {"the first", {}, {Holding("a", 0), Holding("b", 0)}, Plan::NEW, {"a", "b"}, {}},
      {"the same, in its ranks' order",
       Of(7, {"b", "a"}),
       {Holding("a", 7), Holding("b", 7)},
       Plan::KEEP,
       {"b", "a"},
       {}},
      {"one is gone",
       Of(7, {"a", "b", "c"}),
       {Holding("a", 7), Holding("c", 7)},
       Plan::SHRINK,
       {"a", "c"},
       {2}},
      {"two are gone", Of(7, {"a", "b", "c"}), {Holding("b", 7)}, Plan::SHRINK, {"b"}, {1, 3}},
      {"one is gone in mid-broadcast",
       Of(7, {"a", "b"}, true),
       {Holding("b", 7, true)},
       Plan::SHRINK,
       {"b"},
       {1}},
      {"one is new", Of(7, {"b"}), {Holding("a", 0), Holding("b", 7)}, Plan::GROW, {"b", "a"}, {}},
      {"one is new, and it is broken",
       Of(7, {"b"}, true),
       {Holding("a", 0), Holding("b", 7)},
       Plan::NEW,
       {"b", "a"},
       {}},
      {"one is gone, another new",
       Of(7, {"a", "b"}),
       {Holding("b", 7), Holding("c", 0)},
       Plan::NEW,
       {"b", "c"},
       {}},
      {"one was restarted",
       Of(7, {"a", "b"}),
       {Restarted(Holding("a", 0)), Holding("b", 7)},
       Plan::NEW,
       {"b", "a"},
       {}},
      {"one lost it", Of(7, {"a", "b"}), {Holding("a", 7), Holding("b", 0)}, Plan::NEW, {"a", "b"}, {}},
      {"one has another", Of(7, {"a", "b"}), {Holding("a", 7), Holding("b", 6)}, Plan::NEW, {"a", "b"}, {}},
      {"the root's is broken", Of(7, {"a"}, true), {Holding("a", 7)}, Plan::NEW, {"a"}, {}},
      {"a member's is broken", Of(7, {"a"}), {Holding("a", 7, true)}, Plan::NEW, {"a"}, {}},
      {"all are gone", Of(7, {"a"}), {Holding("b", 0)}, Plan::NEW, {"b"}, {}},
      {"the root lost it", Of(0, {}), {Holding("a", 7)}, Plan::NEW, {"a"}, {}},
      {"a newcomer cannot grow",
       Of(7, {"a"}),
       {Holding("a", 7), Holding("b", 0, false, false)},
       Plan::NEW,
       {"a", "b"},
       {}},
  };
  for (const How& row : table) {
    const GangForm form = ChooseForm(row.root, kNewest, row.there);
    EXPECT_EQ(form.way, row.way) << row.what;
    EXPECT_EQ(NamesOf(form.ranks), row.ranks) << row.what;
    EXPECT_EQ(form.gone, row.gone) << row.what;
  }
}

TEST(ChooseForm, AsksNoMoreOfTheRootsLibraryThanItHas) {
  const RootGang root = Of(7, {"a", "b"});
  EXPECT_EQ(ChooseForm(root, {}, {Holding("a", 7)}).way, Plan::NEW);
  EXPECT_THAT(ChooseForm(root, {}, {Holding("a", 7)}).gone, ElementsAre());
  EXPECT_EQ(ChooseForm(root, {.shrink = true}, {Holding("a", 7), Holding("b", 7), Holding("c", 0)}).way,
            Plan::NEW);
  EXPECT_EQ(ChooseForm(root, {}, {Holding("a", 7), Holding("b", 7)}).way, Plan::KEEP);
}

}  // namespace
}  // namespace lvrpo
