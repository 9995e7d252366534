#include "verifiers/numbers/number_words.h"

#include <cmath>
#include <limits>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_split.h"
#include "data/unicode/unicode.h"
#include "verifiers/numbers/number_characters.h"

namespace lvrpo::numbers {
namespace {

constexpr size_t kMostWordBytes = 48;  // of the words below
constexpr double kUnsure = std::numeric_limits<double>::quiet_NaN();

using Words = absl::flat_hash_set<absl::string_view>;
using Scales = absl::flat_hash_map<absl::string_view, double>;

const Words* MakeWords(absl::string_view words) { return new Words(absl::StrSplit(words, ' ')); }

// Small letters; empty for what is longer than any word here.
std::string Small(absl::string_view word) {
  return word.size() > kMostWordBytes ? "" : unicode::ToLower(word);
}

bool Has(const Words& words, absl::string_view word) { return words.contains(Small(word)); }

}  // namespace

std::optional<double> ScaleOf(absl::string_view word, bool glued) {
  static const auto* const letters =
      new Scales{{"k", 1e3}, {"K", 1e3}, {"M", 1e6}, {"B", 1e9}, {"T", 1e12}, {"\u043A", 1e3}};
  static const auto* const words = [] {
    static constexpr struct {
      double scale;
      absl::string_view words;
    } kScales[] = {
        {12, "dozen dozens dutzend douzaine douzaines docena docenas"},
        {100, "hundred hundreds hundert \u767E \uBC31"},
        {1e3,
         "thousand thousands tausend tsd mille mil mila duizend tysi\u0105ce tysi\u0119cy "
         "\u0442\u044B\u0441 \u0442\u044B\u0441\u044F\u0447\u0430 "
         "\u0442\u044B\u0441\u044F\u0447\u0438 \u0442\u044B\u0441\u044F\u0447 "
         "\u0939\u091C\u093C\u093E\u0930 \u0939\u091C\u093E\u0930 \u0623\u0644\u0641 \u5343 \uCC9C "
         "\u0E1E\u0E31\u0E19"},
        {1e4, "\u842C \u4E07 \uB9CC"},
        {1e5, "lakh lakhs \u0932\u093E\u0916"},
        {1e6,
         "million millions mln mio mn millionen mill\u00F3n millones milh\u00E3o milh\u00F5es milione "
         "milioni miljoen milion miliony milion\u00F3w milyon \u043C\u043B\u043D "
         "\u043C\u0438\u043B\u043B\u0438\u043E\u043D \u043C\u0438\u043B\u043B\u0438\u043E\u043D\u0430 "
         "\u043C\u0438\u043B\u043B\u0438\u043E\u043D\u043E\u0432 \u0645\u0644\u064A\u0648\u0646 "
         "\u767E\u4E07 \u0E25\u0E49\u0E32\u0E19"},
        {1e7, "crore crores \u0915\u0930\u094B\u0921\u093C"},
        {1e8, "\u5104 \u4EBF \uC5B5"},
        {1e9,
         "bn bln billion billions mrd milliarde milliarden milliard milliards bilh\u00E3o "
         "bilh\u00F5es miliardo miliardi miljard milyar \u043C\u043B\u0440\u0434 "
         "\u043C\u0438\u043B\u043B\u0438\u0430\u0440\u0434 "
         "\u043C\u0438\u043B\u043B\u0438\u0430\u0440\u0434\u0430 "
         "\u043C\u0438\u043B\u043B\u0438\u0430\u0440\u0434\u043E\u0432 \u0645\u0644\u064A\u0627\u0631"},
        {1e12, "trn trillion trillions billionen \u5146 \uC870"},
        {1e15, "quadrillion"},
        {kUnsure, "bill\u00F3n billones billon"},
    };
    auto* const scales = new Scales;
    for (const auto& entry : kScales) {
      for (const absl::string_view word : absl::StrSplit(entry.words, ' ')) (*scales)[word] = entry.scale;
    }
    return scales;
  }();
  if (const auto letter = letters->find(word); letter != letters->end()) {
    // "5 K" is a temperature, "5 M" a concentration: only the glued letter scales.
    if (glued || word == "k") return letter->second;
    return std::nullopt;
  }
  const auto found = words->find(Small(word));
  return found == words->end() ? std::nullopt : std::optional(found->second);
}

bool IsPercentWord(absl::string_view word) {
  static const auto* const words = MakeWords(
      "percent percents pct prozent pourcent percento procent procento prosent prosenttia procenta "
      "y\u00FCzde \u043F\u0440\u043E\u0446\u0435\u043D\u0442 "
      "\u043F\u0440\u043E\u0446\u0435\u043D\u0442\u0430 "
      "\u043F\u0440\u043E\u0446\u0435\u043D\u0442\u043E\u0432 "
      "\u0432\u0456\u0434\u0441\u043E\u0442\u043A\u0456\u0432 "
      "\u092A\u094D\u0930\u0924\u093F\u0936\u0924 \u30D1\u30FC\u30BB\u30F3\u30C8 \uD37C\uC13C\uD2B8 "
      "\uD504\uB85C \u0E40\u0E1B\u0E2D\u0E23\u0E4C\u0E40\u0E0B\u0E47\u0E19\u0E15\u0E4C");
  return Has(*words, word);
}

bool IsPer(absl::string_view word) {
  static const auto* const words = MakeWords("per pour por pro");
  return Has(*words, word);
}

bool IsCent(absl::string_view word) {
  static const auto* const words = MakeWords("cent ciento cento");
  return Has(*words, word);
}

bool IsMinusWord(absl::string_view word) {
  static const auto* const words = MakeWords(
      "minus negative moins menos meno negativ \u043C\u0438\u043D\u0443\u0441 \u8CA0 \u8D1F \u51CF "
      "\u96F6\u4E0B \u30DE\u30A4\u30CA\u30B9 \uB9C8\uC774\uB108\uC2A4 \u0E25\u0E1A");
  return Has(*words, word);
}

bool IsAlmostWord(absl::string_view word) {
  static const auto* const words = MakeWords(
      "about approximately approx circa ca around roughly nearly almost exactly only just etwa "
      "ungef\u00E4hr environ");
  return Has(*words, word);
}

bool IsUnit(absl::string_view word) {
  // Case matters here.
  static const auto* const symbols = MakeWords(
      "m s g h L l N J W V A K C F Pa Hz kHz MHz GHz kg mg ug \u00B5g \u03BCg km cm mm nm dm um "
      "\u00B5m \u03BCm ml mL cl cL dl dL kJ MJ cal kcal kW MW GW kWh Wh kN kPa MPa hPa bar atm mol "
      "mmol cd lm lx eV keV MeV GeV dB ms ns \u00B5s \u03BCs us mA mV kV mW mH mF nF pF Nm rad sr ha "
      "px pt kB KB MB GB TB kb Mb Gb fps rpm ppm ppb dpi mph kph kmh bpm mmHg st nd rd th hr hrs min "
      "mins sec secs ft in yd yds mi lb lbs oz gal qt yr yrs \u03A9 \u2126 k\u03A9 M\u03A9 \u00C5 "
      "\u212B \u2103 \u2109 \u043C \u0441\u043C \u043C\u043C \u043A\u043C \u043A\u0433 \u0433 \u0441 "
      "\u0447 \u043B \u043C\u0438\u043D \u0440\u0443\u0431 \u0448\u0442");
  static const auto* const words = MakeWords(
      "meter meters metre metres centimeter centimeters centimetre centimetres millimeter millimeters "
      "millimetre millimetres kilometer kilometers kilometre kilometres gram grams kilogram kilograms "
      "liter liters litre litres second seconds minute minutes hour hours day days week weeks month "
      "months year years inch inches foot feet yard yards mile miles pound pounds ounce ounces acre "
      "acres newton newtons joule joules watt watts volt volts degree degrees radian radians unit "
      "units dollar dollars cent cents euro euros stunden minuten sekunden tage grad heures jours "
      "horas minutos metros kelvin celsius fahrenheit");
  return symbols->contains(word) || IsCurrencyCode(word) || Has(*words, word);
}

bool IsCurrencyCode(absl::string_view word) {
  static const auto* const codes = MakeWords(
      "us usd eur gbp jpy cny rmb inr rs chf cad aud nzd hk hkd krw sek nok dkk kr rub brl mxn sgd zar "
      "pln czk huf try thb idr vnd");
  return Has(*codes, word);
}

bool ChangesNumberBehind(absl::string_view word) {
  static const auto* const words = MakeWords(
      "sqrt cbrt root log ln lg exp sin cos tan cot csc arcsin arccos arctan asin acos atan sinh cosh "
      "tanh abs floor ceil round gcd lcm max mod modulo factorial plus times choose than not isn't "
      "isnt never cannot can't aren't wasn't doesn't divided multiplied twice double triple pi "
      "infinity wurzel nicht racine");
  return Has(*words, word);
}

bool IsMathNoun(absl::string_view word) {
  static const auto* const words = MakeWords(
      "root square cube logarithm log factorial half third quarter power exponent multiple multiples "
      "sine cosine tangent reciprocal inverse negative wurzel racine ra\u00EDz radice");
  return Has(*words, word);
}

bool ChangesNumberBefore(absl::string_view word) {
  static const auto* const words = MakeWords(
      "squared cubed factorial pi \u03C0 infinity plus minus mod modulo choose divided multiplied half "
      "halves third thirds quarter quarters fourth fourths fifth fifths sixth sixths seventh sevenths "
      "eighth eighths ninth ninths tenth tenths hundredth hundredths thousandth thousandths sqrt root "
      "log ln sin cos tan exp am pm a.m p.m o'clock uhr mal permille promille");
  return Has(*words, word);
}

bool DeniesAnswer(absl::string_view word) {
  static const auto* const words = MakeWords(
      "or not nor neither either maybe perhaps least most than between except without no isn't wrong "
      "incorrect false until oder nicht ou pas \u0438\u043B\u0438 \u043D\u0435 \u6216 \u6216\u8005 "
      "\u307E\u305F\u306F \u4E0D");
  return Has(*words, word);
}

bool JoinsNumber(absl::string_view word) {
  static const auto* const words =
      MakeWords("and to over under above below through und bis et \u0438 \u548C \u5230 \u81F3");
  return Has(*words, word);
}

bool IsShortWord(absl::string_view word) {
  static const auto* const words =
      MakeWords("of in is at on by as de en du la le im am es da do di it we he my");
  return Has(*words, word);
}

absl::string_view LeadingTerm(absl::string_view text) {
  static constexpr absl::string_view kTerms[] = {
      "\u0E40\u0E1B\u0E2D\u0E23\u0E4C\u0E40\u0E0B\u0E47\u0E19\u0E15\u0E4C",  // percent
      "\u30D1\u30FC\u30BB\u30F3\u30C8",
      "\uD37C\uC13C\uD2B8",
      "\uD504\uB85C",
      "\u767E\u5206\u4E4B",        // percent, before the number
      "\u30DE\u30A4\u30CA\u30B9",  // minus
      "\uB9C8\uC774\uB108\uC2A4",
      "\u96F6\u4E0B",
      "\u0E25\u0E1A",
      "\u767E\u4E07",  // scales of more than one character
      "\u0E1E\u0E31\u0E19",
      "\u0E25\u0E49\u0E32\u0E19",
      "\u6216\u8005",  // or
      "\u307E\u305F\u306F",
  };
  for (const absl::string_view term : kTerms) {
    if (text.substr(0, term.size()) == term) return text.substr(0, term.size());
  }
  return "";
}

}  // namespace lvrpo::numbers
