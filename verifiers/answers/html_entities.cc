#include "verifiers/answers/html_entities.h"

#include <iterator>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "data/unicode/unicode.h"

namespace lvrpo {
namespace {

constexpr size_t kMostName = 32;
constexpr absl::string_view kUnknown = "\u2211";  // any sign that is not known by its value

using Names = absl::flat_hash_map<absl::string_view, absl::string_view>;
constexpr std::pair<absl::string_view, absl::string_view> kNames[] = {
    {"amp", "&"},
    {"lt", "<"},
    {"gt", ">"},
    {"LT", "<"},
    {"GT", ">"},
    {"quot", "\""},
    {"apos", "'"},
    {"nbsp", "\u00A0"},
    {"ensp", "\u2002"},
    {"emsp", "\u2003"},
    {"thinsp", "\u2009"},
    {"numsp", "\u2007"},
    {"hairsp", "\u200A"},
    {"NonBreakingSpace", "\u00A0"},
    {"ThinSpace", "\u2009"},
    {"zwnj", "\u200C"},
    {"zwj", "\u200D"},
    {"lrm", "\u200E"},
    {"rlm", "\u200F"},
    {"shy", "\u00AD"},
    {"minus", "\u2212"},
    {"hyphen", "\u2010"},
    {"dash", "\u2010"},
    {"ndash", "\u2013"},
    {"mdash", "\u2014"},
    {"plus", "+"},
    {"times", "\u00D7"},
    {"divide", "\u00F7"},
    {"div", "\u00F7"},
    {"middot", "\u00B7"},
    {"sdot", "\u22C5"},
    {"plusmn", "\u00B1"},
    {"pm", "\u00B1"},
    {"equals", "="},
    {"ne", "\u2260"},
    {"le", "\u2264"},
    {"ge", "\u2265"},
    {"leq", "\u2264"},
    {"geq", "\u2265"},
    {"asymp", "\u2248"},
    {"approx", "\u2248"},
    {"ap", "\u2248"},
    {"sim", "\u223C"},
    {"cong", "\u2245"},
    {"radic", "\u221A"},
    {"Sqrt", "\u221A"},
    {"infin", "\u221E"},
    {"pi", "\u03C0"},
    {"deg", "\u00B0"},
    {"percnt", "%"},
    {"permil", "\u2030"},
    {"frasl", "\u2044"},
    {"sol", "/"},
    {"bsol", "\\"},
    {"frac12", "\u00BD"},
    {"half", "\u00BD"},
    {"frac14", "\u00BC"},
    {"frac34", "\u00BE"},
    {"frac13", "\u2153"},
    {"frac23", "\u2154"},
    {"frac15", "\u2155"},
    {"frac25", "\u2156"},
    {"frac35", "\u2157"},
    {"frac45", "\u2158"},
    {"frac16", "\u2159"},
    {"frac56", "\u215A"},
    {"frac18", "\u215B"},
    {"frac38", "\u215C"},
    {"frac58", "\u215D"},
    {"frac78", "\u215E"},
    {"sup1", "\u00B9"},
    {"sup2", "\u00B2"},
    {"sup3", "\u00B3"},
    {"hellip", "\u2026"},
    {"euro", "\u20AC"},
    {"pound", "\u00A3"},
    {"yen", "\u00A5"},
    {"cent", "\u00A2"},
    {"dollar", "$"},
    {"curren", "\u00A4"},
    {"lsquo", "\u2018"},
    {"rsquo", "\u2019"},
    {"ldquo", "\u201C"},
    {"rdquo", "\u201D"},
    {"sbquo", "\u201A"},
    {"bdquo", "\u201E"},
    {"laquo", "\u00AB"},
    {"raquo", "\u00BB"},
    {"prime", "\u2032"},
    {"Prime", "\u2033"},
    {"bull", "\u2022"},
    {"rarr", "\u2192"},
    {"rArr", "\u21D2"},
    {"Rightarrow", "\u21D2"},
    {"there4", "\u2234"},
    {"comma", ","},
    {"period", "."},
    {"colon", ":"},
    {"semi", ";"},
    {"excl", "!"},
    {"quest", "?"},
    {"num", "#"},
    {"ast", "*"},
    {"lowbar", "_"},
    {"lpar", "("},
    {"rpar", ")"},
    {"lsqb", "["},
    {"rsqb", "]"},
    {"lcub", "{"},
    {"rcub", "}"},
    {"verbar", "|"},
    {"Hat", "^"},
    {"Tab", "\t"},
    {"NewLine", "\n"},
    {"micro", "\u00B5"},
    {"szlig", "\u00DF"},
    {"check", "\u2713"},
    {"copy", "\u00A9"},
    {"reg", "\u00AE"},
    {"trade", "\u2122"},
    {"ohm", "\u03A9"},
};

absl::string_view Named(absl::string_view name) {
  static const auto* const names = new Names(std::begin(kNames), std::end(kNames));
  const auto found = names->find(name);
  if (found != names->end()) return found->second;
  // Letters with an accent: "&eacute;".
  for (const absl::string_view accent :
       {"acute", "grave", "circ", "uml", "tilde", "cedil", "ring", "caron", "slash"}) {
    if (name.size() == accent.size() + 1 && name.substr(1) == accent) return name.substr(0, 1);
  }
  return kUnknown;
}

// Appends the character of "#8722" or "#x2212"; whether it is one.
bool AppendNumbered(absl::string_view name, std::string* out) {
  name.remove_prefix(1);
  const bool hexadecimal = !name.empty() && (name[0] == 'x' || name[0] == 'X');
  if (hexadecimal) name.remove_prefix(1);
  uint32_t code = 0;
  const bool read = hexadecimal ? absl::SimpleHexAtoi(name, &code) : absl::SimpleAtoi(name, &code);
  if (!read || code == 0 || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) return false;
  unicode::AppendUtf8(code, out);
  return true;
}

}  // namespace

std::string WithoutEntities(absl::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    size_t end = at + 1;
    if (text[at] == '&') {
      while (
          end < text.size() && end - at < kMostName &&
          (absl::ascii_isalnum(static_cast<unsigned char>(text[end])) || (text[end] == '#' && end == at + 1)))
        ++end;
    }
    const absl::string_view name = text.substr(at + 1, end - at - 1);
    if (name.empty() || end >= text.size() || text[end] != ';' ||
        absl::ascii_isdigit(static_cast<unsigned char>(name[0]))) {
      out.append(text.data() + at, 1);
      ++at;
      continue;
    }
    if (name[0] != '#') {
      absl::string_view named = Named(name);
      out.append(named.data(), named.size());
    } else if (!AppendNumbered(name, &out)) {
      out.append(kUnknown.data(), kUnknown.size());
    }
    at = end + 1;
  }
  return out;
}

}  // namespace lvrpo
