#include "common/flags/flag_checks.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/decimal.h"
#include "common/files/file_kind.h"
#include "common/names.h"

namespace lvrpo {
namespace {

bool IsWhole(absl::string_view text) {
  absl::ConsumePrefix(&text, "-");
  return !text.empty() && std::all_of(text.begin(), text.end(), absl::ascii_isdigit);
}

// Parses the number as CLI11 does (to which "010" is 8 and "-1" may be a very large number).
template <typename Integer>
CLI::Validator WholeNumber() {
  return CLI::Validator(
      [](std::string& text) -> std::string {
        Integer number = 0;
        if (absl::SimpleAtoi(text, &number)) {
          text = absl::StrCat(number);
          return "";
        }
        if (!IsWhole(text)) return absl::StrCat("'", text, "' is not a whole number");
        return absl::StrCat("'", text, "' is not a whole number from ", std::numeric_limits<Integer>::min(),
                            " to ", std::numeric_limits<Integer>::max());
      },
      "");
}

CLI::Validator FiniteNumber() {
  return CLI::Validator(
      [](std::string& text) -> std::string {
        double number = 0;
        if (IsDecimal(text) && absl::SimpleAtod(text, &number) && std::isfinite(number)) return "";
        return absl::StrCat("'", text, "' is not a number");
      },
      "");
}

CLI::Validator NotEmpty() {
  return CLI::Validator(
      [](std::string& text) -> std::string { return text.empty() ? "an empty text was given" : ""; }, "");
}

// Letters to add, drop, replace or swap with their neighbour.
size_t EditDistance(absl::string_view a, absl::string_view b) {
  std::vector<std::vector<size_t>> table(a.size() + 1, std::vector<size_t>(b.size() + 1));
  for (size_t i = 0; i <= a.size(); ++i) table[i][0] = i;
  for (size_t j = 0; j <= b.size(); ++j) table[0][j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replaced = table[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      table[i][j] = std::min({replaced, table[i - 1][j] + 1, table[i][j - 1] + 1});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        table[i][j] = std::min(table[i][j], table[i - 2][j - 2] + 1);
    }
  }
  return table[a.size()][b.size()];
}

}  // namespace

CLI::Validator AtLeast(int64_t low) {
  return CLI::Validator(
      [low](std::string& text) -> std::string {
        int64_t number = 0;
        if (absl::SimpleAtoi(text, &number) && number >= low) return "";
        return absl::StrCat("'", text, "' is not a whole number of ", low, " or more");
      },
      absl::StrCat(low, " or more"));
}

CLI::Validator AboveZero() {
  return CLI::Validator(
      [](std::string& text) -> std::string {
        double number = 0;
        if (IsDecimal(text) && absl::SimpleAtod(text, &number) && std::isfinite(number) && number > 0)
          return "";
        return absl::StrCat("'", text, "' is not a number above 0");
      },
      "above 0");
}

CLI::Validator HostPortText(AddressUse use) {
  return CLI::Validator(
      [use](std::string& text) -> std::string {
        return std::string(ParseHostPort(text, use).status().message());
      },
      "");
}

CLI::Validator NameText(size_t most) {
  return CLI::Validator(
      [most](std::string& text) -> std::string {
        if (IsName(text, most)) return "";
        return absl::StrCat("'", OneLine(text), "' is no name: use ", NameRule(most));
      },
      "");
}

CLI::Validator ByteSize() {
  return CLI::Validator(
      [](std::string& text) -> std::string {
        const auto digits_end = std::find_if_not(text.begin(), text.end(), absl::ascii_isdigit);
        const std::string digits(text.begin(), digits_end);
        std::string unit =
            absl::AsciiStrToLower(absl::StripAsciiWhitespace(absl::string_view(text).substr(digits.size())));
        uint64_t number = 0, factor = 1;
        bool sound = absl::SimpleAtoi(digits, &number);
        if (!unit.empty() && unit != "b") {
          const size_t power = absl::string_view("kmgt").find(unit[0]);
          const absl::string_view rest = absl::string_view(unit).substr(1);
          sound = sound && power != absl::string_view::npos &&
                  (rest.empty() || rest == "b" || rest == "i" || rest == "ib");
          const uint64_t step = absl::StartsWith(rest, "i") ? 1024 : 1000;
          for (size_t i = 0; sound && i <= power; ++i) factor *= step;
        }
        sound = sound && number <= static_cast<uint64_t>(std::numeric_limits<int64_t>::max()) / factor;
        if (text.empty()) return "an empty text was given";
        if (!sound) return absl::StrCat("'", text, "' is not a size such as 5GB, 512MiB or 0");
        text = absl::StrCat(number * factor);
        return "";
      },
      "SIZE");
}

void CheckAllOptions(CLI::App& app) {
  for (CLI::Option* option : app.get_options()) {
    if (!option->get_positional() || !option->get_lnames().empty() || !option->get_snames().empty())
      option->allow_extra_args(false);
    const std::string type = option->get_type_name();
    if (option->get_items_expected_max() == 0 || absl::StrContains(type, "SIZE")) continue;
    if (absl::StartsWith(type, "UINT")) option->transform(WholeNumber<uint64_t>());
    if (absl::StartsWith(type, "INT")) option->transform(WholeNumber<int64_t>());
    if (absl::StartsWith(type, "FLOAT")) option->transform(FiniteNumber());
    option->transform(NotEmpty());  // the first check of all
  }
  for (CLI::App* sub : app.get_subcommands(nullptr)) CheckAllOptions(*sub);
}

std::string ProblemOfArguments(const CLI::App& app, const std::vector<std::string>& arguments) {
  for (const std::string& argument : arguments) {
    if (argument == "--") break;
    if (argument.size() < 4 || !absl::StartsWith(argument, "--") || argument.find('=') != argument.size() - 1)
      continue;
    const std::string name = argument.substr(0, argument.size() - 1);
    std::vector<const CLI::App*> apps = {&app};
    for (size_t i = 0; i < apps.size(); ++i) {
      if (apps[i]->get_option_no_throw(name) != nullptr) return absl::StrCat(argument, " has no value");
      for (const CLI::App* sub : apps[i]->get_subcommands(nullptr)) apps.push_back(sub);
    }
  }
  return "";
}

nlohmann::json FlagTree(const CLI::App& app) {
  nlohmann::json tree = {{"name", app.get_name()},
                         {"help", app.get_description()},
                         {"options", nlohmann::json::array()},
                         {"commands", nlohmann::json::array()}};
  for (const CLI::Option* option : app.get_options()) {
    nlohmann::json names = nlohmann::json::array();
    for (const std::string& name : option->get_snames()) names.push_back("-" + name);
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
    if (names.empty()) continue;  // a positional
    nlohmann::json entry = {{"names", names},
                            {"takes_value", option->get_items_expected_max() > 0},
                            {"help", option->get_description()}};
    // "TEXT:{fp32,bf16}" is how CLI11 writes IsMember.
    const std::string type = option->get_type_name();
    const size_t open = type.find('{'), close = type.rfind('}');
    if (open != std::string::npos && close != std::string::npos && open < close) {
      const std::vector<std::string> choices = absl::StrSplit(type.substr(open + 1, close - open - 1), ',');
      entry["choices"] = choices;
    }
    tree["options"].push_back(std::move(entry));
  }
  for (const CLI::App* sub : app.get_subcommands(nullptr)) tree["commands"].push_back(FlagTree(*sub));
  return tree;
}

std::string Suggestion(absl::string_view word, const std::vector<std::string>& known) {
  constexpr size_t kFarthest = 2, kLongest = 64;
  if (word.size() > kLongest) return "";
  size_t nearest = kFarthest + 1;
  std::string best;
  for (const std::string& candidate : known) {
    const size_t distance = EditDistance(word, candidate);
    if (distance >= nearest || 2 * distance >= std::max(word.size(), candidate.size())) continue;
    nearest = distance;
    best = candidate;
  }
  return best.empty() ? "" : absl::StrCat("; did you mean '", best, "'?");
}

}  // namespace lvrpo
