#include "cli/report/chart.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace lvrpo {
namespace {

constexpr double kWidth = 520, kHeight = 250, kLeft = 58, kRight = 12, kTop = 30, kBottom = 40,
                 kLegendRow = 14;
// Distinct for most colour-blind readers (Okabe, Ito 2008).
constexpr std::array<const char*, 8> kColors = {"#0072b2", "#d55e00", "#009e73", "#cc79a7",
                                                "#e69f00", "#56b4e9", "#000000", "#999999"};

// Leaves room for the width of a range.
bool Drawable(double value) { return std::abs(value) < 1e300; }

// Values that differ by less are equal but for rounding.
double Resolution(double low, double high) { return 1e-12 * std::max(std::abs(low), std::abs(high)); }

double ErrorOf(const Series& series, size_t i) {
  return i < series.errors.size() && Drawable(series.errors[i]) ? series.errors[i] : 0;
}

// A series' place in the legend, which stands between the title and the plot; one series needs none.
struct LegendPlace {
  double x;
  int row;
};
std::vector<LegendPlace> LegendPlaces(const Chart& chart) {
  std::vector<LegendPlace> places;
  LegendPlace next = {kLeft, 0};
  for (const Series& series : chart.series) {
    const double width = 22 + 6.2 * static_cast<double>(series.name.size());
    if (next.x > kLeft && next.x + width > kWidth - kRight) next = {kLeft, next.row + 1};
    places.push_back(next);
    next.x += width;
  }
  return places;
}

// Rows above the plot, the one that is empty where there is no legend included.
int LegendRows(const Chart& chart) {
  return chart.series.size() < 2 ? 1 : LegendPlaces(chart).back().row + 2;
}

void AppendLegend(const Chart& chart, std::string& svg) {
  if (chart.series.size() < 2) return;
  const std::vector<LegendPlace> places = LegendPlaces(chart);
  for (size_t s = 0; s < places.size(); ++s) {
    const double y = kTop + 2 + kLegendRow * places[s].row;
    absl::StrAppendFormat(&svg,
                          "<rect x=\"%.1f\" y=\"%g\" width=\"10\" height=\"3\" fill=\"%s\"/><text "
                          "x=\"%.1f\" y=\"%g\" class=\"tick\">%s</text>",
                          places[s].x, y - 4, kColors[s % kColors.size()], places[s].x + 13, y,
                          EscapeHtml(chart.series[s].name));
  }
}

bool HasErrors(const Chart& chart) {
  return std::any_of(chart.series.begin(), chart.series.end(),
                     [](const Series& series) { return !series.errors.empty(); });
}

std::string Number(double value) {
  if (value != 0 && (std::abs(value) < 1e-3 || std::abs(value) >= 1e5)) return absl::StrFormat("%.1e", value);
  return absl::StrFormat("%g", value == 0 ? 0.0 : value);  // no "-0"
}

}  // namespace

std::string EscapeHtml(const std::string& text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::vector<double> RoundTicks(double low, double high, int count) {
  if (!(high - low > Resolution(low, high)) || !Drawable(high - low)) return {low};
  const double raw = (high - low) / std::max(1, count);
  const double power = std::pow(10, std::floor(std::log10(raw)));
  double step = power;
  for (const double factor : {1.0, 2.0, 5.0, 10.0}) {
    step = factor * power;
    if (step >= raw * 0.999) break;
  }
  std::vector<double> ticks;
  if (!(step > 0)) return {low};
  for (double i = std::ceil(low / step - 1e-9); i * step <= high + step * 1e-9; ++i)
    ticks.push_back(i * step);
  return ticks;
}

std::string DrawChart(const Chart& chart) {
  double x_low = INFINITY, x_high = -INFINITY, y_low = INFINITY, y_high = -INFINITY;
  for (const Series& series : chart.series) {
    for (size_t i = 0; i < series.points.size(); ++i) {
      const auto [x, y] = series.points[i];
      if (!Drawable(x) || !Drawable(y)) continue;
      const double error = ErrorOf(series, i);
      x_low = std::min(x_low, x);
      x_high = std::max(x_high, x);
      y_low = std::min(y_low, y - error);
      y_high = std::max(y_high, y + error);
    }
  }
  std::string svg = absl::StrFormat(
      "<svg viewBox=\"0 0 %g %g\" role=\"img\" aria-label=\"%s\"><text x=\"%g\" y=\"16\" "
      "class=\"title\">%s</text>",
      kWidth, kHeight, EscapeHtml(chart.title), kLeft, EscapeHtml(chart.title));
  if (!(x_low <= x_high)) {
    return svg + absl::StrFormat("<text x=\"%g\" y=\"%g\" class=\"tick\">no data</text></svg>", kWidth / 2,
                                 kHeight / 2);
  }
  if (chart.from_zero) {
    y_low = std::min(y_low, 0.0);
    y_high = std::max(y_high, 0.0);
  }
  if (y_high - y_low <= Resolution(y_low, y_high)) {
    const double pad = y_low == 0 ? 1 : std::abs(y_low) * 0.1;
    y_low -= chart.from_zero || y_low == 0 ? 0 : pad;
    y_high += pad;
  } else if (HasErrors(chart)) {  // both ends of a bar are seen
    const double room = 0.05 * (y_high - y_low);
    y_low -= room;
    y_high += room;
  }
  if (x_high == x_low) x_high = x_low + 1;
  const double top = kTop + kLegendRow * (LegendRows(chart) - 1);
  const auto sx = [&](double x) {
    return kLeft + (x - x_low) / (x_high - x_low) * (kWidth - kLeft - kRight);
  };
  const auto sy = [&](double y) {
    return kHeight - kBottom - (y - y_low) / (y_high - y_low) * (kHeight - top - kBottom);
  };
  for (const double tick : RoundTicks(y_low, y_high, 5)) {
    absl::StrAppendFormat(
        &svg,
        "<line x1=\"%g\" x2=\"%g\" y1=\"%.1f\" y2=\"%.1f\" class=\"grid\"/><text x=\"%g\" y=\"%.1f\" "
        "class=\"tick end\">%s</text>",
        kLeft, kWidth - kRight, sy(tick), sy(tick), kLeft - 5, sy(tick) + 4, Number(tick));
  }
  for (const double tick : RoundTicks(x_low, x_high, 6)) {
    absl::StrAppendFormat(&svg, "<text x=\"%.1f\" y=\"%g\" class=\"tick mid\">%s</text>", sx(tick),
                          kHeight - kBottom + 15, Number(tick));
  }
  absl::StrAppendFormat(&svg, "<text x=\"%g\" y=\"%g\" class=\"tick mid\">%s</text>", (kLeft + kWidth) / 2,
                        kHeight - 8, EscapeHtml(chart.x_label));
  for (size_t s = 0; s < chart.series.size(); ++s) {
    const Series& series = chart.series[s];
    const char* color = kColors[s % kColors.size()];
    std::string path;
    for (size_t i = 0; i < series.points.size(); ++i) {
      const auto [x, y] = series.points[i];
      if (!Drawable(x) || !Drawable(y)) continue;
      absl::StrAppendFormat(&path, "%s%.1f %.1f", path.empty() ? "M" : "L", sx(x), sy(y));
      if (i < series.errors.size()) {
        absl::StrAppendFormat(&svg,
                              "<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\" stroke=\"%s\"/><circle "
                              "cx=\"%.1f\" cy=\"%.1f\" r=\"3\" fill=\"%s\"/>",
                              sx(x), sx(x), sy(y - ErrorOf(series, i)), sy(y + ErrorOf(series, i)), color,
                              sx(x), sy(y), color);
      }
    }
    absl::StrAppendFormat(&svg, "<path d=\"%s\" fill=\"none\" stroke=\"%s\" stroke-width=\"1.6\"/>", path,
                          color);
  }
  AppendLegend(chart, svg);
  return svg + "</svg>";
}

}  // namespace lvrpo
