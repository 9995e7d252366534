#include "verifiers/number_tokens/number_scales.h"

#include <limits>
#include <string>

#include "absl/strings/ascii.h"
#include "data/unicode/unicode.h"
#include "verifiers/number_tokens/number_units.h"
#include "verifiers/number_tokens/number_words.h"
#include "verifiers/number_tokens/word_set.h"

namespace lvrpo::numbers {
namespace {

constexpr double kUnsure = std::numeric_limits<double>::quiet_NaN();

constexpr struct {
  double scale;
  absl::string_view words;
} kRows[] = {
    {12,
     "dozen dozens dutzend douzaine douzaines docena docenas dozzina dozzine d\u00FAzia d\u00FAzias "
     "\u0434\u044E\u0436\u0438\u043D\u0430 \u0434\u044E\u0436\u0438\u043D\u044B "
     "\u0434\u044E\u0436\u0438\u043D"},
    {20, "score"},
    {100,
     "\u0E23\u0E49\u0E2D\u0E22 hundred hundreds hundert hundra honderd cientos centinaia "
     "\u0441\u043E\u0442\u043D\u044F "
     "\u0441\u043E\u0442\u043D\u0438 \u0441\u043E\u0442\u0435\u043D \u767E \uBC31 tr\u0103m ratus"},
    {144, "gross"},
    {1e3,
     "thousand thousands tausend tsd \u0442\u0438\u0441 \u0438\u043B\u0458\u0430\u0434\u0438 "
     "\u00FE\u00FAsund duisend t\u016Bkst t\u016Bkstan\u010Di\u0173 t\u016Bkstan\u010Diai t\u016Bksto\u0161u "
     "\u05D0\u05DC\u05E4\u05D9\u05DD \u0B86\u0BAF\u0BBF\u0BB0\u0BAE\u0BCD \u0C35\u0C47\u0C32\u0C41 "
     "\u0C35\u0C47\u0C32 \u0CB8\u0CBE\u0CB5\u0CBF\u0CB0 \u0D06\u0D2F\u0D3F\u0D30\u0D02 ths thou tys mille "
     "mil mila duizend tusind tusen tuhat tuhatta ezer "
     "tis\u00EDc "
     "tis\u00EDce "
     "tisu\u0107a tisu\u0107e tiso\u010D hiljada hiljade hiljadu mie mii tysi\u0105c tysi\u0105ce "
     "tysi\u0119cy grand ribu rb libo elfu "
     "bin ngh\u00ECn ng\u00E0n \u0442\u044B\u0441 \u0442\u044B\u0441\u044F\u0447\u0430 "
     "\u0442\u044B\u0441\u044F\u0447\u0438 \u0442\u044B\u0441\u044F\u0447\u0443 "
     "\u0442\u044B\u0441\u044F\u0447 "
     "\u0442\u0438\u0441\u044F\u0447\u0430 \u0442\u0438\u0441\u044F\u0447\u0456 "
     "\u0442\u0438\u0441\u044F\u0447 \u0445\u0438\u043B\u044F\u0434\u0430 "
     "\u0445\u0438\u043B\u044F\u0434\u0438 \u0445\u0438\u0459\u0430\u0434\u0430 "
     "\u0445\u0438\u0459\u0430\u0434\u0435 \u0445\u0438\u0459\u0430\u0434\u0443 "
     "\u03C7\u03AF\u03BB\u03B9\u03B1 \u03C7\u03B9\u03BB\u03B9\u03AC\u03B4\u03B5\u03C2 "
     "\u0939\u091C\u093C\u093E\u0930 \u0939\u091C\u093E\u0930 \u09B9\u09BE\u099C\u09BE\u09B0 "
     "\u0623\u0644\u0641 \u0622\u0644\u0627\u0641 \u0647\u0632\u0627\u0631 \u06C1\u0632\u0627\u0631 "
     "\u05D0\u05DC\u05E3 \u5343 \uCC9C \u0E1E\u0E31\u0E19"},
    {1e4, "\u842C \u4E07 \uB9CC \u0E2B\u0E21\u0E37\u0E48\u0E19"},
    {1e5,
     "\u0BB2\u0B9F\u0BCD\u0B9A\u0BAE\u0BCD \u0C32\u0C15\u0C4D\u0C37 \u0C32\u0C15\u0C4D\u0C37\u0C32\u0C41 "
     "\u0CB2\u0C95\u0CCD\u0CB7 \u0D32\u0D15\u0D4D\u0D37\u0D02 \u0644\u0627\u06A9\u06BE lakh lakhs lac lacs "
     "\u0932\u093E\u0916 \u09B2\u09BE\u0996 \u0E41\u0E2A\u0E19"},
    {1e6,
     "million millions mln mio mn milion\u016F mili\u00F3nov mili\u00F3n\u016F mili\u00F3ny mili\u00F3na "
     "milions mill\u00F3ns millj\u00F3n millj\u00F3nir millj\u00F3num miljonit miljon milijon\u0173 "
     "milijonai miljoni milli\u00F3 \u043C\u0456\u043B\u044C\u0439\u043E\u043D\u0430 millionen mill\u00F3n "
     "millones milh\u00E3o milh\u00F5es milione "
     "milioni miljoen miljoner "
     "miljoonaa millioner milijun milijuna milijon milion miliony milion\u00F3w milioane milli\u00F3 "
     "milyon juta tri\u1EC7u "
     "jt \u043C\u043B\u043D \u043C\u0438\u043B\u043B\u0438\u043E\u043D "
     "\u043C\u0438\u043B\u043B\u0438\u043E\u043D\u0430 "
     "\u043C\u0438\u043B\u043B\u0438\u043E\u043D\u043E\u0432 \u043C\u0456\u043B\u044C\u0439\u043E\u043D "
     "\u043C\u0456\u043B\u044C\u0439\u043E\u043D\u0438 "
     "\u043C\u0456\u043B\u044C\u0439\u043E\u043D\u0456\u0432 \u043C\u0438\u043B\u0438\u043E\u043D "
     "\u043C\u0438\u043B\u0438\u043E\u043D\u0430 \u043C\u0438\u043B\u0438\u043E\u043D\u0438 "
     "\u03B5\u03BA\u03B1\u03C4\u03BF\u03BC\u03BC\u03CD\u03C1\u03B9\u03B1 "
     "\u03B5\u03BA\u03B1\u03C4\u03BF\u03BC\u03BC\u03CD\u03C1\u03B9\u03BF \u0645\u0644\u064A\u0648\u0646 "
     "\u0645\u0644\u0627\u064A\u064A\u0646 \u0645\u06CC\u0644\u06CC\u0648\u0646 "
     "\u05DE\u05D9\u05DC\u05D9\u05D5\u05DF \u767E\u4E07 \u767E\u842C \u0E25\u0E49\u0E32\u0E19"},
    {1e7,
     "\u0B95\u0BCB\u0B9F\u0BBF \u0C15\u0C4B\u0C1F\u0C3F \u0C15\u0C4B\u0C1F\u0C4D\u0C32\u0C41 "
     "\u0C95\u0CCB\u0C9F\u0CBF \u0D15\u0D4B\u0D1F\u0D3F \u06A9\u0631\u0648\u0691 crore crores cr "
     "\u0915\u0930\u094B\u0921\u093C \u0995\u09CB\u099F\u09BF"},
    {1e8, "oku \u5104 \u4EBF \uC5B5"},
    {1e9,
     "bn bln mld mdr mia billion billions miljardia miljardi miljardit miliard\u016F mili\u00E1rd miliardy "
     "milijard\u0173 milijardai t\u1EC9 "
     "\u03B4\u03B9\u03C3\u03B5\u03BA\u03B1\u03C4\u03BF\u03BC\u03BC\u03CD\u03C1\u03B9\u03B1 "
     "\u03B4\u03B9\u03C3\u03B5\u03BA\u03B1\u03C4\u03BF\u03BC\u03BC\u03CD\u03C1\u03B9\u03BF "
     "\u0905\u0930\u092C mrd milliarde milliarden milliard milliards bilh\u00E3o "
     "bilh\u00F5es "
     "miliardo miliardi "
     "miljard miljarder milliarder milli\u00E1rd miliarda miliard miliardy miliard\u00F3w miliarde "
     "milijarda milijardi "
     "milyar miliar t\u1EF7 \u043C\u043B\u0440\u0434 \u043C\u0438\u043B\u043B\u0438\u0430\u0440\u0434 "
     "\u043C\u0438\u043B\u043B\u0438\u0430\u0440\u0434\u0430 "
     "\u043C\u0438\u043B\u043B\u0438\u0430\u0440\u0434\u043E\u0432 "
     "\u043C\u0456\u043B\u044C\u044F\u0440\u0434 \u043C\u0456\u043B\u044C\u044F\u0440\u0434\u0438 "
     "\u043C\u0456\u043B\u044C\u044F\u0440\u0434\u0456\u0432 \u043C\u0438\u043B\u0438\u0430\u0440\u0434 "
     "\u043C\u0438\u043B\u0438\u0430\u0440\u0434\u0430 "
     "\u043C\u0438\u043B\u0438\u0458\u0430\u0440\u0434\u0430 \u0645\u0644\u064A\u0627\u0631 "
     "\u0645\u06CC\u0644\u06CC\u0627\u0631\u062F \u05DE\u05D9\u05DC\u05D9\u05D0\u05E8\u05D3"},
    {1e12,
     "trn \u0442\u0440\u043B\u043D \u0442\u0440\u0438\u043B\u043B\u0438\u043E\u043D "
     "\u0442\u0440\u0438\u043B\u043B\u0438\u043E\u043D\u0430 "
     "\u0442\u0440\u0438\u043B\u043B\u0438\u043E\u043D\u043E\u0432 biljoen biljoner billioner trilyon "
     "trillion trillions triliun \u5146 \uC870"},
    {1e15, "quadrillion quadrillions"},
    // Names that are not the same in all countries.
    {kUnsure,
     "bill\u00F3n billones billon billionen quintillion sextillion septillion octillion nonillion "
     "decillion "
     "googol bio bil trillon myriad myriads zillion zillions"},
};

const WordSet& ScaleWords() {
  static const auto* const words = [] {
    auto* const scales = new WordSet;
    for (const auto& row : kRows) scales->Add(row.words, row.scale);
    return scales;
  }();
  return *words;
}

// One letter, or two: what they scale by where they are glued, and after a currency.
struct Letters {
  absl::string_view letters;
  double glued, apart, of_currency;
};
constexpr double kNot = 0;
constexpr Letters kLetters[] = {
    {"k", 1e3, 1e3, 1e3},
    {"K", 1e3, kNot, 1e3},
    {"M", 1e6, kUnsure, 1e6},
    {"B", 1e9, kUnsure, 1e9},
    {"T", 1e12, kUnsure, 1e12},
    {"\u043A", 1e3, kUnsure, 1e3},
    {"m", kNot, kNot, 1e6},
    {"b", kNot, kUnsure, 1e9},
    {"t", kNot, kNot, kUnsure},
    {"MM", kUnsure, kUnsure, 1e6},
    {"mm", kNot, kNot, 1e6},
    {"Mm", kNot, kNot, kUnsure},
    {"g", kNot, kNot, kUnsure},
    {"G", kUnsure, kUnsure, kUnsure},
    {"kk", kUnsure, kUnsure, kUnsure},
    {"KK", kUnsure, kUnsure, kUnsure},
    {"\u0442\u0440", kUnsure, kUnsure, kUnsure},
    {"L", kNot, kNot, kUnsure},
    {"l", kNot, kNot, kUnsure},
    {"tn", kUnsure, kUnsure, kUnsure},
    {"h", kNot, kNot, kUnsure},
};

std::optional<double> ScaleOfLetters(absl::string_view word, const ScalePlace& place) {
  for (const Letters& row : kLetters) {
    if (word != row.letters) continue;
    const double scale = place.currency ? row.of_currency : place.glued ? row.glued : row.apart;
    return scale == kNot ? std::nullopt : std::optional(scale);
  }
  return std::nullopt;
}

// "kEUR", "MUSD".
std::optional<double> ScaleOfCode(absl::string_view word) {
  if (word.size() < 4 || !IsCapitals(word.substr(1)) || !IsCurrencyCode(word.substr(1))) return std::nullopt;
  switch (word[0]) {
    case 'k':
    case 'K':
    case 'T':
      return 1e3;
    case 'M':
      return 1e6;
    default:
      return kUnsure;
  }
}

// Capitals that no unit is written with.
bool IsUnknownCapitals(absl::string_view word) {
  if (word.size() > 3 || !IsCapitals(word) || IsUnit(word)) return false;
  if (word.find_first_of("AEIOUY") != absl::string_view::npos) return false;
  return word.size() == 1 || !IsUnit(unicode::ToLower(word));
}

// A short word after "$5" that is neither a currency nor an ordinary word: it may be an abbreviation.
bool IsShortUnknown(absl::string_view word) {
  static const auto* const ordinary = new WordSet(
      "a all also an and are as at back bill both but by cash cent come cost down due each ea else ever fee "
      "few for "
      "from full goes had half has he her here his i if in into is it its just left less loss made may mehr "
      "mit more "
      "most much must my net new next now of off on one only or our out over owed paid para par per plus por "
      "pour pre "
      "pro que rent sale same she so some sum tax tech than that the then they this tip to too total und "
      "until up us "
      "usd von was way we well were what when who why will with y you your zu et est y ou o de des du en la "
      "le les");
  for (const char c : word) {
    if (!absl::ascii_isalpha(static_cast<unsigned char>(c))) return false;
  }
  return word.size() <= 4 && !ordinary->Has(word) && !IsCurrencyCode(word);
}

}  // namespace

std::optional<double> ScaleOf(absl::string_view word, const ScalePlace& place) {
  if (const std::optional<double> letters = ScaleOfLetters(word, place)) return letters;
  for (const Letters& row : kLetters) {
    if (word == row.letters) return std::nullopt;
  }
  if (const double* const scale = ScaleWords().Find(word)) return *scale;
  if (const std::optional<double> code = ScaleOfCode(word)) return code;
  if (!place.glued && IsUnknownCapitals(word)) return kUnsure;
  if (place.currency && IsShortUnknown(word)) return kUnsure;
  return std::nullopt;
}

}  // namespace lvrpo::numbers
