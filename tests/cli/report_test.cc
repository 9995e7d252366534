#include "cli/report/report.h"

#include <functional>
#include <map>

#include "common/files/file.h"
#include "common/json/json_text.h"
#include "data/image/png.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/testing/temporary_folder.h"

namespace lvrpo {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

class RunReport : public ::testing::Test {
 protected:
  RunReport() { Write("run.json", {{"format", 1}, {"run_id", "r"}}); }

  void Write(const std::string& name, const nlohmann::json& json) const {
    run_.Write(name, JsonText(json) + "\n");
  }
  void WriteSteps(int count, const std::function<nlohmann::json(int)>& step) const {
    std::string lines;
    for (int i = 0; i < count; ++i) lines += JsonText(step(i)) + "\n";
    run_.Write("metrics.jsonl", lines);
  }
  // The page; it is written however damaged the folder is.
  std::string Html() const {
    const absl::StatusOr<std::string> path = WriteReport(run_.path());
    EXPECT_TRUE(path.ok()) << path.status();
    const std::string html = path.ok() ? *ReadFile(*path) : "";
    EXPECT_THAT(html, EndsWith("</body></html>\n"));
    return html;
  }
  // One sample image with all that is told of it, every text being `text`.
  void WriteSample(const std::string& phase, const std::string& text, const std::string& image) const {
    Write("images/" + phase + "/samples.json",
          {{{"id", text}, {"kind", text}, {"prompt", text}, {"image", image}, {"correct", true}}});
    Write("images/" + phase + "/rewards.json",
          {{{"id", text},
            {"reward", 0.5},
            {"scores", {{text, {{"score", 0.25}, {"detail", text}}}}},
            {"maps", {{{"phrase", text}, {"rows", 1}, {"columns", 2}, {"values", {0.0, 1.0}}}}}}});
  }

  const TemporaryFolder run_;
};

TEST_F(RunReport, NeedsARunFolder) {
  const TemporaryFolder other;
  const absl::Status status = WriteReport(other.path()).status();
  EXPECT_TRUE(absl::IsNotFound(status));
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr(other.path()), HasSubstr("is not a run folder")));
  EXPECT_TRUE(absl::IsNotFound(WriteReport(other / "none").status()));
  EXPECT_FALSE(Exists(other / "report.html"));
}

TEST_F(RunReport, OfARunWithoutStepsSaysSo) {
  EXPECT_THAT(Html(), AllOf(HasSubstr("LVRPO run r"), HasSubstr("0 steps; not finished"),
                            HasSubstr("no data"), Not(HasSubstr("<h2>Result"))));
}

TEST_F(RunReport, IsOnePageThatLoadsNothing) {
  WriteSteps(3, [](int i) { return nlohmann::json{{"step", i}, {"reward", 0.1 * i}}; });
  ASSERT_TRUE(MakeFolder(run_ / "images/before").ok());
  ASSERT_TRUE(WritePng(run_ / "images/before/sample-0000.png", {1, 1, {255, 0, 0}}).ok());
  WriteSample("before", "a red circle", "sample-0000.png");
  const std::string html = Html();
  EXPECT_THAT(html, AllOf(HasSubstr("3 steps"), HasSubstr("src=\"data:image/png;base64,iVBOR"),
                          HasSubstr("a red circle"), HasSubstr("reward 0.50"),
                          HasSubstr("<figcaption>a red circle")));
  EXPECT_THAT(html, AllOf(Not(HasSubstr("http")), Not(HasSubstr("<link")), Not(HasSubstr("<script"))));
}

TEST_F(RunReport, ShowsTextOfOthersAsText) {
  const std::string evil = "<script>alert('1')</script>\"&";
  Write("run.json", {{"run_id", evil}});
  WriteSteps(30, [&](int i) {
    return nlohmann::json{{"step", i}, {"reward", 1}, {"reward_" + evil, 0.1 * i}, {"logged_" + evil, i}};
  });
  Write("summary.json", {{"weights_digest", evil},
                         {"heldout_score_before", 0.1},
                         {"heldout_score_after", 0.2},
                         {"by_kind", {{evil, {{"before", {{"score", 0}}}, {"after", {{"score", 1}}}}}}},
                         {"reward_means_first_10_steps", {{evil, 1}}},
                         {"reward_means_last_10_steps", {{evil, 2}}},
                         {"seconds_by_phase", {{evil, 3}}}});
  run_.Write("config.yaml", "name: " + evil + "\n");
  WriteSample("before", evil, evil);
  WriteSample("after", evil, evil);
  EXPECT_THAT(Html(), AllOf(Not(HasSubstr("<script")), HasSubstr("&lt;script&gt;")));
}

TEST_F(RunReport, KeepsEveryLanguage) {
  const std::string text = "caf\xc3\xa9 \xe6\x97\xa5\xe6\x9c\xac \xf0\x9f\x8e\xa8";
  Write("run.json", {{"run_id", text}});
  WriteSample("before", text, "none.png");
  WriteSample("after", text, "none.png");
  const std::string html = Html();
  EXPECT_THAT(html, AllOf(HasSubstr("<title>" + text + "</title>"), HasSubstr("<p>" + text + "</p>"),
                          HasSubstr("before, right"), HasSubstr("after, right"), Not(HasSubstr("<img"))));
}

TEST_F(RunReport, ShowsImagesOfItsOwnFolderOnly) {
  ASSERT_TRUE(MakeFolder(run_ / "images/before").ok());
  run_.Write("secret.png", "secret");
  for (const std::string& name : {std::string("../../secret.png"), run_ / "secret.png", std::string("..")}) {
    WriteSample("before", "x", name);
    EXPECT_THAT(Html(), Not(HasSubstr("<img"))) << name;
  }
}

TEST_F(RunReport, FigureThatStandsStillIsDrawn) {
  WriteSteps(100, [](int i) { return nlohmann::json{{"step", i}, {"reward", 0.1}, {"image_kl", nullptr}}; });
  EXPECT_THAT(Html(), HasSubstr("100 steps"));
}

TEST_F(RunReport, TellsWhatAFinishedRunGained) {
  Write("summary.json", {{"wall_seconds", 125},
                         {"seed", 7},
                         {"weights_digest", "0123456789abcdef"},
                         {"resumed", true},
                         {"heldout_score_before", 0.25},
                         {"heldout_score_after", 0.75},
                         {"heldout_gain", 0.5},
                         {"heldout_gain_confidence_95", 0.125},
                         {"heldout_images", 16},
                         {"reward_means_first_10_steps", nlohmann::json::object()},
                         {"seconds_by_phase", nlohmann::json::object()}});
  EXPECT_THAT(Html(), AllOf(HasSubstr("2 min 05 s, seed 7, weights 0123456789ab, resumed"),
                            HasSubstr("0.250 &rarr; <b>0.750</b>"),
                            HasSubstr("class=\"good\">(+0.500 &plusmn; 0.125)"),
                            HasSubstr("Share of 16 images"), Not(HasSubstr("not finished"))));
}

TEST_F(RunReport, ADamagedFileCostsItsOwnPartOnly) {
  const nlohmann::json sample = {{"id", "a"}, {"prompt", "p"}, {"image", "i.png"}};
  const auto reward = [](const nlohmann::json& maps) {
    return nlohmann::json{{{"id", "a"}, {"reward", 1}, {"scores", nlohmann::json::object()}, {"maps", maps}}};
  };
  std::map<std::string, std::string> sound = {{"run.json", R"({"run_id":"r"})"},
                                              {"metrics.jsonl", R"({"step":0,"reward":0.5})"},
                                              {"summary.json", ""},
                                              {"config.yaml", "name: last\n"}};
  for (const std::string folder : {"images/before/", "images/after/"}) {
    sound[folder + "samples.json"] = JsonText(nlohmann::json::array({sample}));
    sound[folder + "scores.json"] = R"({"score":0.5})";
    sound[folder + "rewards.json"] = sound[folder + "all.jsonl"] = "";
  }
  for (const auto& [file, content] : sound) run_.Write(file, content);
  struct Damage {
    const char* file;
    nlohmann::json content;
  };
  const nlohmann::json map = {{"phrase", "x"}, {"rows", 2}, {"columns", 2}, {"values", {0.5}}};
  for (const Damage& damage : std::initializer_list<Damage>{
           {"run.json", 7},
           {"run.json", {{"run_id", 7}}},
           {"summary.json", nlohmann::json::array()},
           {"summary.json", nlohmann::json::object()},
           {"summary.json", {{"wall_seconds", "long"}, {"seed", "x"}, {"weights_digest", 3}}},
           {"summary.json",
            {{"heldout_score_before", 1}, {"heldout_score_after", 1}, {"heldout_gain", "much"}}},
           {"summary.json", {{"by_kind", 7}}},
           {"summary.json", {{"by_kind", {{"a", {{"before", 1}, {"after", 2}}}}}}},
           {"summary.json", {{"reward_means_first_10_steps", {{"a", "x"}}}}},
           {"metrics.jsonl", {{"step", "x"}, {"reward", "y"}, {"logged_a", "z"}, {"reward_", 1}}},
           {"metrics.jsonl", {{"step", "x"}, {"reward", 1.0}}},
           {"images/before/scores.json", {{"score", "x"}}},
           {"images/before/all.jsonl", {{"task", 7}}},
           {"images/before/samples.json", {1, "x", nullptr}},
           {"images/before/samples.json", {{{"id", 7}, {"prompt", 8}}}},
           {"images/before/rewards.json", {1}},
           {"images/before/rewards.json", {{{"id", 7}}}},
           {"images/before/rewards.json", {{{"id", "a"}, {"reward", "x"}}}},
           {"images/before/rewards.json", {{{"id", "a"}}}},
           {"images/before/rewards.json", reward({1})},
           {"images/before/rewards.json", reward(nlohmann::json::array({map}))},
           {"images/before/rewards.json",
            reward({{{"rows", 1 << 30}, {"columns", 1 << 30}, {"values", {1.0}}}})},
           {"images/before/rewards.json", reward({{{"rows", 1}, {"columns", 1}}})},
           {"images/after/samples.json", {1}},
       }) {
    SCOPED_TRACE(damage.file + damage.content.dump());
    Write(damage.file, damage.content);
    EXPECT_THAT(Html(), HasSubstr("name: last"));
    run_.Write(damage.file, sound.at(damage.file));
  }
}

TEST_F(RunReport, ShowsAGainAsASuccessOnlyWhenItsIntervalSaysSo) {
  struct Case {
    double gain, interval;
    const char* shown;
  };
  for (const Case& c : {Case{.2, .1, "class=\"good\">(+0.200"}, Case{.1, .1, "class=\"open\">(+0.100"},
                        Case{-.05, .1, "class=\"open\">(-0.050"}, Case{-.2, .1, "class=\"bad\">(-0.200"}}) {
    Write("summary.json", {{"heldout_score_before", 0.5},
                           {"heldout_score_after", 0.5 + c.gain},
                           {"heldout_gain", c.gain},
                           {"heldout_gain_confidence_95", c.interval}});
    EXPECT_THAT(Html(), HasSubstr(c.shown));
  }
}

}  // namespace
}  // namespace lvrpo
