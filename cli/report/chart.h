#pragma once

#include <string>
#include <utility>
#include <vector>

namespace lvrpo {

struct Series {
  std::string name;
  std::vector<std::pair<double, double>> points;  // by x
  std::vector<double> errors;                     // +- of each point; empty: none
};

struct Chart {
  std::string title, x_label;
  std::vector<Series> series;
  bool from_zero = false;  // the y axis includes 0
};

// A line chart as one <svg> element. Points and errors that are not finite are left out; a chart without
// points says so. Pure.
std::string DrawChart(const Chart& chart);

// About `count` round values that cover [low, high]; `low` where the two are equal but for rounding.
std::vector<double> RoundTicks(double low, double high, int count);

// Text for HTML: & < > " ' replaced.
std::string EscapeHtml(const std::string& text);

}  // namespace lvrpo
