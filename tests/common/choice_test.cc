#include "common/choice.h"

#include "common/config/choices.h"
#include "common/config/config.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace lvrpo {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

enum class Drink { kTea, kMilk, kWine };
constexpr Choice<Drink> kDrinks[] = {
    {"tea", Drink::kTea}, {"milk", Drink::kMilk}, {"wine", Drink::kWine, /*settable=*/false}};

TEST(Choose, ReadsEveryWordOfTheTable) {
  EXPECT_EQ(*Choose(kDrinks, "drink", "milk"), Drink::kMilk);
  EXPECT_EQ(*Choose(kDrinks, "drink", "wine"), Drink::kWine);
}

TEST(Choose, NamesTheOptionAndTheWords) {
  const absl::Status refused = Choose(kDrinks, "drink", "ink").status();
  EXPECT_TRUE(absl::IsInvalidArgument(refused));
  EXPECT_EQ(refused.message(), "drink: 'ink' is not one of tea, milk, wine");
  EXPECT_FALSE(Choose(kDrinks, "drink", "").ok());
}

TEST(SettableWords, LeavesOutWhatNoConfigurationMayName) {
  EXPECT_THAT(SettableWords(kDrinks), ElementsAre("tea", "milk"));
}

// A word passes validation if and only if it can be read and is settable.
template <class Table, class Set>
void ExpectValidationFollows(const Table& table, const std::string& field, Set set) {
  for (const auto& choice : table) {
    v1::RunConfig config = DefaultRunConfig();
    set(config, std::string(choice.word));
    const auto problem = Contains(HasSubstr(field + ": '"));
    if (choice.settable) {
      EXPECT_THAT(ValidateRunConfig(config), Not(problem)) << choice.word;
    } else {
      EXPECT_THAT(ValidateRunConfig(config), problem) << choice.word;
    }
  }
  v1::RunConfig config = DefaultRunConfig();
  set(config, "no_such_word");
  EXPECT_THAT(ValidateRunConfig(config), Contains(HasSubstr(field + ": 'no_such_word'")));
}

TEST(Choices, AreWhatValidationAccepts) {
  const auto check = [](const auto& table, const std::string& field, auto set) {
    ExpectValidationFollows(table, field, set);
  };
  check(kWeightsDtypes, "model.weights_dtype",
        [](v1::RunConfig& c, const std::string& word) { c.mutable_model()->set_weights_dtype(word); });
  check(kSdeKernels, "rollout.kernel",
        [](v1::RunConfig& c, const std::string& word) { c.mutable_rollout()->set_kernel(word); });
  check(kImageLossForms, "train.image_loss",
        [](v1::RunConfig& c, const std::string& word) { c.mutable_train()->set_image_loss(word); });
  check(kImageKlForms, "train.image_kl_form",
        [](v1::RunConfig& c, const std::string& word) { c.mutable_train()->set_image_kl_form(word); });
  check(kWindowDraws, "rollout.window_draw",
        [](v1::RunConfig& c, const std::string& word) { c.mutable_rollout()->set_window_draw(word); });
  check(kInitialNoises, "rollout.initial_noise",
        [](v1::RunConfig& c, const std::string& word) { c.mutable_rollout()->set_initial_noise(word); });
  check(kRatioLevels, "train.text_ratio",
        [](v1::RunConfig& c, const std::string& word) { c.mutable_train()->set_text_ratio(word); });
  check(kTextKlForms, "train.text_kl_form",
        [](v1::RunConfig& c, const std::string& word) { c.mutable_train()->set_text_kl_form(word); });
  check(kAggregations, "train.text_aggregation",
        [](v1::RunConfig& c, const std::string& word) { c.mutable_train()->set_text_aggregation(word); });
  check(kCorrectionModes, "train.text_correction.mode", [](v1::RunConfig& c, const std::string& word) {
    c.mutable_train()->mutable_text_correction()->set_mode(word);
  });
  check(kAdvantageScales, "train.advantage_scale",
        [](v1::RunConfig& c, const std::string& word) { c.mutable_train()->set_advantage_scale(word); });
  check(kRewardAggregations, "train.advantage_aggregation", [](v1::RunConfig& c, const std::string& word) {
    c.mutable_train()->set_advantage_aggregation(word);
  });
  check(kGroundingForms, "reward.grounding_form",
        [](v1::RunConfig& c, const std::string& word) { c.mutable_reward()->set_grounding_form(word); });
  check(kGroundingDense, "reward.grounding_dense",
        [](v1::RunConfig& c, const std::string& word) { c.mutable_reward()->set_grounding_dense(word); });
  check(kGroundingRegions, "reward.grounding_regions",
        [](v1::RunConfig& c, const std::string& word) { c.mutable_reward()->set_grounding_regions(word); });
  check(
      kGroundingCalibrations, "reward.grounding_calibration",
      [](v1::RunConfig& c, const std::string& word) { c.mutable_reward()->set_grounding_calibration(word); });
  check(kInstructionForms, "reward.instruction_form",
        [](v1::RunConfig& c, const std::string& word) { c.mutable_reward()->set_instruction_form(word); });
  check(kImageTransports, "reward.image_transport",
        [](v1::RunConfig& c, const std::string& word) { c.mutable_reward()->set_image_transport(word); });
}

}  // namespace
}  // namespace lvrpo
