#include "common/words/words.h"

#include "gtest/gtest.h"
#include "proto/lvrpo/v1/coordinator.pb.h"

namespace lvrpo {
namespace {

// What dashboards, scripts and people read: it changes with the schema's names only.
TEST(Words, OfTheSchemasNames) {
  EXPECT_EQ(Word(v1::REFUSAL_STALE_EPOCH), "stale_epoch");
  EXPECT_EQ(Word(v1::REFUSAL_BY_SCORER), "by_scorer");
  EXPECT_EQ(Word(v1::RETURN_LEARNER_UNREACHABLE), "learner_unreachable");
  EXPECT_EQ(Word(v1::RETIRE_ZERO_VARIANCE), "zero_variance");
  EXPECT_EQ(Word(v1::PLANNED), "planned");  // without a prefix
  EXPECT_EQ(Word(v1::ROLE_ROLLOUT_WORKER), "rollout");
  EXPECT_EQ(Word(v1::ROLE_REWARD_SERVER), "reward");
  EXPECT_EQ(Word(v1::ROLE_LEARNER), "learner");
  EXPECT_EQ(Word(v1::RETIRE_UNSPECIFIED), "unspecified");
  EXPECT_EQ(Word(static_cast<v1::RetireReason>(99)), "unknown");
}

TEST(Words, RolesInASentence) {
  EXPECT_EQ(RoleName(v1::ROLE_ROLLOUT_WORKER), "rollout worker");
  EXPECT_EQ(RoleName(v1::ROLE_REWARD_SERVER), "reward server");
  EXPECT_EQ(RoleName(v1::ROLE_LEARNER), "learner");
}

// A label is one word of lower case in each enum that becomes one.
TEST(Words, AreLabels) {
  for (const auto* type :
       {v1::RefusalReason_descriptor(), v1::ReturnReason_descriptor(), v1::RetireReason_descriptor(),
        v1::Role_descriptor(), v1::GroupState_descriptor()}) {
    for (int i = 0; i < type->value_count(); ++i) {
      const std::string word = WordOf(*type, type->value(i)->number());
      EXPECT_EQ(word.find_first_not_of("abcdefghijklmnopqrstuvwxyz_"), std::string::npos) << word;
      EXPECT_FALSE(word.empty());
    }
  }
}

}  // namespace
}  // namespace lvrpo
