#include "verifiers/number_tokens/number_units.h"

#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_split.h"
#include "verifiers/number_tokens/word_set.h"

namespace lvrpo::numbers {
namespace {

// Units of one kind, from large to small; a row is as large.
using Kind = WordSet;

const std::vector<Kind>& Kinds() {
  static const auto* const kinds = [] {
    static constexpr absl::string_view kRows[][12] = {
        {"mile miles mi meile meilen", "kilometer kilometers kilometre kilometres km", "furlong furlongs",
         "yard yards yd yds", "meter meters metre metres metros metri m\u00E8tres m \u043C", "foot feet ft",
         "decimeter decimeters dm", "inch inches in",
         "centimeter centimeters centimetre centimetres cm zentimeter",
         "millimeter millimeters millimetre millimetres mm"},
        {"ton tons tonne tonnes t tonnen", "hundredweight cwt", "stone stones st",
         "kilogram kilograms kilo kilos kg kilogramm \u043A\u0433", "pound pounds lb lbs pfund",
         "ounce ounces oz unzen", "gram grams gramm g \u0433", "milligram milligrams mg"},
        {"barrel barrels", "bushel bushels", "gallon gallons gal", "peck pecks",
         "liter liters litre litres l", "quart quarts qt", "pint pints pt", "cup cups",
         "deciliter deciliters dl", "tablespoon tablespoons tbsp", "teaspoon teaspoons tsp",
         "milliliter milliliters millilitre ml"},
        {"century centuries decade decades",
         "year years yr yrs jahr jahre jahren ans an a\u00F1o a\u00F1os anno anni ano anos "
         "\u0433\u043E\u0434 \u0433\u043E\u0434\u0430 \u043B\u0435\u0442 jaar \u5E74",
         "month months monat monate monaten mois mes meses mese mesi m\u00EAs \u043C\u0435\u0441\u044F\u0446 "
         "\u043C\u0435\u0441\u044F\u0446\u0430 \u043C\u0435\u0441\u044F\u0446\u0435\u0432 maand maanden "
         "\u6708",
         "week weeks wk wks woche wochen semaine semaines semana semanas settimana settimane "
         "\u043D\u0435\u0434\u0435\u043B\u044F \u043D\u0435\u0434\u0435\u043B\u0438 "
         "\u043D\u0435\u0434\u0435\u043B\u044C",
         "day days d tag tage tagen jour jours d\u00EDa d\u00EDas giorno giorni dia dias "
         "\u0434\u0435\u043D\u044C \u0434\u043D\u044F \u0434\u043D\u0435\u0439 dag dagen \u65E5 \u5929",
         "hour hours h hr hrs stunde stunden std heure heures hora horas ora ore \u0447\u0430\u0441 "
         "\u0447\u0430\u0441\u0430 \u0447\u0430\u0441\u043E\u0432 uur \u0447 \uC2DC \uC2DC\uAC04 \u65F6 "
         "\u6642 \u70B9",
         "minute minutes min mins minuten minuto minutos minuti \u043C\u0438\u043D\u0443\u0442\u0430 "
         "\u043C\u0438\u043D\u0443\u0442\u044B \u043C\u0438\u043D\u0443\u0442 \u043C\u0438\u043D \uBD84 "
         "\u5206",
         "second seconds s sec secs sekunde sekunden sek seconde secondes segundo segundos secondo secondi "
         "\u0441\u0435\u043A\u0443\u043D\u0434\u0430 \u0441\u0435\u043A\u0443\u043D\u0434\u044B "
         "\u0441\u0435\u043A\u0443\u043D\u0434 \u0441 \uCD08 \u79D2",
         "millisecond milliseconds ms"},
        {"dollar dollars euro euros eur usd pound pounds gbp franc francs franken chf rupee rupees rs inr "
         "peso pesos real "
         "reais rand ruble rubles rouble roubles \u0440\u0443\u0431\u043B\u044C "
         "\u0440\u0443\u0431\u043B\u044F \u0440\u0443\u0431\u043B\u0435\u0439 \u0440\u0443\u0431 krona "
         "kronor krone kroner crown crowns zloty "
         "zlotys z\u0142oty z\u0142ote z\u0142otych lira liras dinar dinars dirham dirhams riyal riyals "
         "shekel shekels yuan rmb "
         "ringgit baht \u0433\u0440\u0438\u0432\u043D\u044F \u0433\u0440\u0438\u0432\u043D\u0456 "
         "\u0433\u0440\u0438\u0432\u0435\u043D\u044C \u5143 \u5757 \u5713 \u5186 \uC6D0 $ \u20AC",
         "shilling shillings dime dimes nickel nickels \u89D2 \u6BDB",
         "cent cents penny pennies pence paisa paise kopeck kopecks kopek kopeks "
         "\u043A\u043E\u043F\u0435\u0439\u043A\u0430 \u043A\u043E\u043F\u0435\u0439\u043A\u0438 "
         "\u043A\u043E\u043F\u0435\u0435\u043A centime "
         "centimes centavo centavos c\u00E9ntimo c\u00E9ntimos centesimi centesimo rappen \u00F6re \u00F8re "
         "ore groszy grosz agorot fils "
         "halala kuru\u015F sen satang \u043A\u043E\u043F\u0456\u0439\u043E\u043A \u5206 p"},
        {"degree degrees grad deg degr\u00E9s grados gradi \u0433\u0440\u0430\u0434\u0443\u0441 "
         "\u0433\u0440\u0430\u0434\u0443\u0441\u0430 \u0433\u0440\u0430\u0434\u0443\u0441\u043E\u0432 \u5EA6",
         "minute minutes arcminute arcminutes arcmin minuten",
         "second seconds arcsecond arcseconds arcsec sekunden"},
        {"hectare hectares ha", "acre acres", "rood roods are ares"},
        {"terabyte terabytes tb", "gigabyte gigabytes gb", "megabyte megabytes mb", "kilobyte kilobytes kb",
         "byte bytes", "bit bits"},
        {"ream reams gross case cases crate crates", "dozen dozens box boxes",
         "unit units piece pieces sheet sheets"},
    };
    auto* const made = new std::vector<Kind>;
    for (const auto& rows : kRows) {
      Kind kind;
      double place = 0;
      for (const absl::string_view row : rows) {
        if (!row.empty()) kind.Add(row, ++place);
      }
      made->push_back(kind);
    }
    return made;
  }();
  return *kinds;
}

}  // namespace

bool IsUnit(absl::string_view word) {
  // Case matters here.
  static const auto* const symbols = new absl::flat_hash_set<absl::string_view>(absl::StrSplit(
      "m s g h L l N J W V A K C F Pa Hz kHz MHz GHz kg mg ug \u00B5g \u03BCg km cm mm nm dm um "
      "\u00B5m \u03BCm ml mL cl cL dl dL kJ MJ cal kcal kW MW GW kWh Wh kN kPa MPa hPa bar atm mol "
      "mmol cd lm lx eV keV MeV GeV dB ms ns \u00B5s \u03BCs us mA mV kV mW mH mF nF pF Nm rad sr ha "
      "px pt kB KB MB GB TB kb Mb Gb fps rpm ppm ppb dpi mph kph kmh bpm mmHg st nd rd th hr hrs min "
      "mins sec secs ft in yd yds mi lb lbs oz gal qt yr yrs \u03A9 \u2126 k\u03A9 M\u03A9 \u00C5 "
      "\u212B \u2103 \u2109 \u043C \u0441\u043C \u043C\u043C \u043A\u043C \u043A\u0433 \u0433 \u0441 "
      "\u0447 \u043B \u043C\u0438\u043D \u0440\u0443\u0431 \u0448\u0442",
      ' '));
  static const auto* const words = new WordSet(
      "meter meters metre metres centimeter centimeters centimetre centimetres millimeter millimeters "
      "millimetre millimetres kilometer kilometers kilometre kilometres gram grams kilogram kilograms "
      "liter liters litre litres second seconds minute minutes hour hours day days week weeks month "
      "months year years inch inches foot feet yard yards mile miles pound pounds ounce ounces acre "
      "acres newton newtons joule joules watt watts volt volts degree degrees radian radians unit "
      "units dollar dollars cent cents euro euros stunden minuten sekunden tage grad heures jours "
      "horas minutos metros kelvin celsius fahrenheit");
  return symbols->contains(word) || IsCurrencyCode(word) || words->Has(word);
}

bool IsCurrencyCode(absl::string_view word) {
  static const auto* const codes = new WordSet(
      "us usd eur gbp jpy cny rmb inr rs chf cad aud nzd hk hkd krw sek nok dkk kr rub brl mxn sgd zar "
      "pln czk huf try thb idr vnd");
  return codes->Has(word);
}

bool GoesOnIn(absl::string_view large, absl::string_view small) {
  for (const Kind& kind : Kinds()) {
    const double *const first = kind.Find(large), *const second = kind.Find(small);
    if (first != nullptr && second != nullptr && *first < *second) return true;
  }
  return false;
}

}  // namespace lvrpo::numbers
