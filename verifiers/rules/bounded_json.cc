#include "verifiers/rules/bounded_json.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/files/file_kind.h"

namespace lvrpo {
namespace {

using nlohmann::json;

constexpr size_t kMostWholeDigits = 300;  // of those a double can still be made

// Counts the parser's events and stops it at a bound; stores nothing.
class Gauge : public nlohmann::json_sax<json> {
 public:
  explicit Gauge(const JsonBounds& bounds) : bounds_(bounds) {}

  std::string error;

  bool null() override { return Value(); }
  bool boolean(bool) override { return Value(); }
  bool number_integer(number_integer_t) override { return Value(); }
  bool number_unsigned(number_unsigned_t) override { return Value(); }
  bool number_float(number_float_t, const std::string&) override { return Value(); }
  bool string(std::string& text) override { return Text(text); }
  bool binary(binary_t&) override { return Value(); }
  bool start_object(std::size_t) override {
    open_.emplace_back();
    return Deeper();
  }
  bool key(std::string& name) override {
    if (bounds_.unique_keys && !open_.back().insert(name).second)
      return Fail(absl::StrCat("\"", OneLine(name, 40), "\" is given twice in it"));
    return Text(name);
  }
  bool end_object() override {
    open_.pop_back();
    return Back();
  }
  bool start_array(std::size_t) override { return Deeper(); }
  bool end_array() override { return Back(); }
  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception&) override {
    return Fail(absl::StrCat("it is not JSON at byte ", position));
  }

 private:
  bool Value() {
    return ++values_ <= bounds_.values ||
           Fail(absl::StrCat("it holds more than ", bounds_.values, " values"));
  }
  bool Text(const std::string& text) {
    return text.find('\0') == std::string::npos ? Value() : Fail("a string in it holds U+0000");
  }
  bool Deeper() {
    if (++depth_ > bounds_.depth)
      return Fail(absl::StrCat("it is nested deeper than ", bounds_.depth, " levels"));
    return Value();
  }
  bool Back() {
    --depth_;
    return true;
  }
  bool Fail(std::string what) {
    error = std::move(what);
    return false;
  }

  const JsonBounds bounds_;
  int64_t values_ = 0;
  int depth_ = 0;
  std::vector<std::set<std::string>> open_;  // keys of the objects around, if they must be unique
};

void MakeNumbersAlike(json* value) {
  if (value->is_structured()) {
    for (json& member : *value) MakeNumbersAlike(&member);
  } else if (value->is_number_float()) {
    const double number = value->get<double>();
    if (std::abs(number) <= kMostExactWhole && number == std::trunc(number))
      *value = static_cast<int64_t>(number);
  } else if (value->is_number_unsigned()) {
    const uint64_t number = value->get<uint64_t>();
    if (number > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
      *value = static_cast<double>(number);
    } else {
      *value = static_cast<int64_t>(number);
    }
  }
}

// The text with whole numbers of more than kMostWholeDigits digits as the largest double: the parser refuses
// what overflows, and JSON's whole numbers may have any number of digits.
std::string WithoutOverflow(absl::string_view text) {
  std::string kept;
  for (size_t at = 0; at < text.size();) {
    size_t end = at + 1;
    if (text[at] == '"') {
      while (end < text.size() && text[end] != '"') end += text[end] == '\\' ? 2 : 1;
      end = std::min(end + 1, text.size());
    } else if (text[at] >= '1' && text[at] <= '9') {
      while (end < text.size() && absl::ascii_isdigit(static_cast<unsigned char>(text[end]))) ++end;
      const size_t digits = end - at;
      const size_t number_end = std::min(text.find_first_not_of("0123456789.eE+-", end), text.size());
      if (digits > kMostWholeDigits && number_end == end) {
        absl::StrAppend(&kept, "1.7976931348623157e308");
        at = end;
        continue;
      }
      end = number_end;
    }
    absl::StrAppend(&kept, text.substr(at, end - at));
    at = end;
  }
  return kept;
}

}  // namespace

absl::StatusOr<json> ParseBoundedJson(absl::string_view text, const JsonBounds& bounds) {
  if (text.size() > bounds.bytes)
    return absl::InvalidArgumentError(
        absl::StrCat("it has ", text.size(), " bytes, more than ", bounds.bytes));
  // The parser treats a zero byte as the end of its input.
  if (const size_t zero = text.find('\0'); zero != absl::string_view::npos)
    return absl::InvalidArgumentError(absl::StrCat("it is not JSON at byte ", zero + 1));
  const std::string kept = WithoutOverflow(text);
  Gauge gauge(bounds);
  if (!json::sax_parse(kept, &gauge)) return absl::InvalidArgumentError(gauge.error);
  json value = json::parse(kept, nullptr, /*allow_exceptions=*/false);
  if (value.is_discarded()) return absl::InvalidArgumentError("it is not JSON");
  MakeNumbersAlike(&value);
  return value;
}

int64_t CountValues(const json& value) {
  int64_t count = 1;
  if (value.is_structured()) {
    for (const json& member : value) count += CountValues(member) + (value.is_object() ? 1 : 0);
  }
  return count;
}

}  // namespace lvrpo
