#include "cli/report/chart.h"

#include <cmath>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace lvrpo {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(Chart, TicksAreRound) {
  EXPECT_THAT(RoundTicks(0, 10, 5), ElementsAre(0, 2, 4, 6, 8, 10));
  EXPECT_THAT(RoundTicks(3, 3, 5), ElementsAre(3));
  const std::vector<double> ticks = RoundTicks(0.37, 0.62, 5);
  ASSERT_EQ(ticks.size(), 5u);
  EXPECT_NEAR(ticks[0], 0.4, 1e-9);
  EXPECT_NEAR(ticks[4], 0.6, 1e-9);
}

TEST(Chart, LeavesOutWhatIsNotFiniteAndSurvivesEmptiness) {
  EXPECT_THAT(DrawChart({"t", "x", {}, false}), HasSubstr("no data"));
  const std::string svg = DrawChart({"a < b", "x", {{"s", {{0, 1}, {1, NAN}, {2, 3}}, {}}}, false});
  EXPECT_THAT(svg, HasSubstr("a &lt; b"));
  EXPECT_THAT(svg, Not(HasSubstr("nan")));
}

// A chart of one line.
std::string ChartOf(const std::vector<std::pair<double, double>>& points,
                    const std::vector<double>& errors = {}, bool from_zero = false) {
  return DrawChart({.title = "t",
                    .x_label = "step",
                    .series = {{.name = "s", .points = points, .errors = errors}},
                    .from_zero = from_zero});
}

TEST(Chart, DrawsWhateverNumbersARunHas) {
  constexpr double kInf = INFINITY;
  struct Case {
    const char* promise;
    std::vector<std::pair<double, double>> points;
    std::vector<double> errors = {};
  };
  const double above = std::nextafter(0.1, 1);
  for (const Case& c : std::initializer_list<Case>{
           {"one point", {{1, 0.5}}},
           {"one point at the origin", {{0, 0}}},
           {"constant", {{1, 3}, {2, 3}, {3, 3}}},
           {"constant but for the last bit, as a mean of equal numbers is", {{1, 0.1}, {2, above}, {3, 0.1}}},
           {"steps of a last bit at 1e17", {{1, 1e17}, {2, 1e17 + 64}}},
           {"negative", {{1, -3}, {2, -1}}},
           {"tiny", {{1, 1e-300}, {2, 3e-300}}},
           {"huge", {{1, -1e200}, {2, 1e200}}},
           {"nothing finite but one", {{1, NAN}, {2, kInf}, {3, 1}, {4, -kInf}, {kInf, 1}, {NAN, 1}}},
           {"an interval that is not known", {{1, 1}, {2, 2}}, {0.1, NAN}},
           {"an interval without end", {{1, 1}, {2, 2}}, {kInf, 0.1}},
           {"fewer intervals than points", {{1, 1}, {2, 2}}, {0.1}},
       }) {
    for (const bool from_zero : {false, true}) {
      SCOPED_TRACE(c.promise);
      const std::string svg = ChartOf(c.points, c.errors, from_zero);
      EXPECT_THAT(svg, AllOf(HasSubstr("<path d=\"M"), EndsWith("</svg>"), Not(HasSubstr("nan")),
                             Not(HasSubstr("inf"))));
      EXPECT_LT(svg.size(), 10000u);
    }
  }
  for (const double beyond : {kInf, double{NAN}, 1e308})
    EXPECT_THAT(ChartOf({{1, beyond}, {2, -beyond}}), HasSubstr("no data"));
}

TEST(Chart, TicksEndWhateverTheRange) {
  for (const auto& [low, high] : {std::pair(0.1, std::nextafter(0.1, 1)),
                                  {1e17, 1e17 + 64},
                                  {-1e308, 1e308},
                                  {0.0, 5e-324},
                                  {1.0, 1.0 + 1e-15},
                                  {0.0, double{INFINITY}},
                                  {double{NAN}, 1.0}})
    EXPECT_LE(RoundTicks(low, high, 5).size(), 11u) << low << " " << high;
  EXPECT_THAT(RoundTicks(5, 3, 5), ElementsAre(5));
}

TEST(Chart, NamesSeveralLinesAndKeepsOneWithoutLegend) {
  const Series one = {.name = "<one>", .points = {{0, 1}, {1, 2}}, .errors = {}};
  Chart chart = {.title = "t", .x_label = "a & b", .series = {one}};
  EXPECT_THAT(DrawChart(chart), AllOf(HasSubstr("a &amp; b"), Not(HasSubstr("&lt;one"))));
  chart.series.assign(10, one);  // more than there are colours
  EXPECT_THAT(DrawChart(chart), AllOf(HasSubstr("&lt;one&gt;"), Not(HasSubstr("<one>"))));
}

TEST(Chart, HtmlIsEscaped) {
  EXPECT_EQ(EscapeHtml(R"(<a href="x" id='y'>&amp;</a>)"),
            "&lt;a href=&quot;x&quot; id=&#39;y&#39;&gt;&amp;amp;&lt;/a&gt;");
  EXPECT_EQ(EscapeHtml("caf\xc3\xa9 \xe6\x97\xa5\xe6\x9c\xac"), "caf\xc3\xa9 \xe6\x97\xa5\xe6\x9c\xac");
  EXPECT_EQ(EscapeHtml(""), "");
}

// The number after `name="` at its first place after `from`.
double NumberAt(const std::string& svg, const std::string& name, size_t from) {
  return std::atof(svg.c_str() + svg.find(name + "=\"", from) + name.size() + 2);
}

TEST(Chart, LegendStandsAboveThePlotHoweverManySeriesThereAre) {
  Chart chart{"rewards", "step", {}, false};
  for (int i = 0; i < 8; ++i) chart.series.push_back({"a component's name", {{0, 0}, {1, 1}}, {}});
  const std::string svg = DrawChart(chart);
  double highest = 1e9, lowest_legend = 0, right = 0;
  for (size_t at = svg.find("class=\"grid\""); at != std::string::npos;
       at = svg.find("class=\"grid\"", at + 1))
    highest = std::min(highest, NumberAt(svg, "y1", svg.rfind("<line", at)));
  for (size_t at = svg.find("<rect"); at != std::string::npos; at = svg.find("<rect", at + 1)) {
    lowest_legend = std::max(lowest_legend, NumberAt(svg, "y", at) + 4);
    right = std::max(right, NumberAt(svg, "x", at) + 22 + 6.2 * 18);
  }
  EXPECT_LT(lowest_legend, highest);
  EXPECT_LE(right, 520);
}

TEST(Chart, BothEndsOfABarAreInsideThePlot) {
  const std::string svg = ChartOf({{0, .4}, {100, .5}}, {.1, .2});
  for (size_t at = svg.find("stroke=\"#"); at != std::string::npos; at = svg.find("stroke=\"#", at + 1)) {
    const size_t line = svg.rfind('<', at);
    if (svg.compare(line, 5, "<line") != 0) continue;
    EXPECT_LT(NumberAt(svg, "y1", line), 208);  // of the x axis: 210
    EXPECT_GT(NumberAt(svg, "y2", line), 32);   // of the plot's top: 30
  }
}

}  // namespace
}  // namespace lvrpo
