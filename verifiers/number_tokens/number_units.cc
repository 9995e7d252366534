#include "verifiers/number_tokens/number_units.h"

#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_split.h"
#include "verifiers/number_tokens/word_set.h"

namespace lvrpo::numbers {
namespace {

// Units of one kind, from large to small; a row is as large.
using Kind = WordSet;

constexpr absl::string_view kRows[][12] = {
    {"mile miles mi meile meilen", "kilometer kilometers kilometre kilometres km", "furlong furlongs",
     "yard yards yd yds",
     "meter meters metre metres metros metri metro m\u00E8tre \u043C\u0435\u0442\u0440 "
     "\u043C\u0435\u0442\u0440\u0430 \u043C\u0435\u0442\u0440\u043E\u0432 \u7C73 m\u00E8tres m \u043C",
     "foot feet ft fu\u00DF pies pie pieds pied piedi p\u00E9 p\u00E9s \u0444\u0443\u0442 "
     "\u0444\u0443\u0442\u0430 \u0444\u0443\u0442\u043E\u0432",
     "decimeter decimeters dm",
     "inch inches in zoll pulgada pulgadas pouce pouces pollice pollici polegada polegadas "
     "\u0434\u044E\u0439\u043C \u0434\u044E\u0439\u043C\u0430 \u0434\u044E\u0439\u043C\u043E\u0432",
     "centimeter centimeters centimetre centimetres cm zentimeter cent\u00EDmetros centim\u00E8tres "
     "centimetri \u0441\u0430\u043D\u0442\u0438\u043C\u0435\u0442\u0440 "
     "\u0441\u0430\u043D\u0442\u0438\u043C\u0435\u0442\u0440\u0430 "
     "\u0441\u0430\u043D\u0442\u0438\u043C\u0435\u0442\u0440\u043E\u0432 \u0441\u043C \u5398\u7C73",
     "millimeter millimeters millimetre millimetres mm"},
    {"ton tons tonne tonnes t tonnen", "hundredweight cwt", "stone stones st",
     "kilogram kilograms kilo kilos kg kilogramm kilogramos kilogrammes chilogrammi chili quilos "
     "quilogramas \u043A\u0438\u043B\u043E\u0433\u0440\u0430\u043C\u043C "
     "\u043A\u0438\u043B\u043E\u0433\u0440\u0430\u043C\u043C\u0430 "
     "\u043A\u0438\u043B\u043E\u0433\u0440\u0430\u043C\u043C\u043E\u0432 \u516C\u65A4 \u5343\u514B "
     "\u65A4 \u043A\u0433",
     "pound pounds lb lbs pfund libras libra livres livre libbre libbra \u0444\u0443\u043D\u0442 "
     "\u0444\u0443\u043D\u0442\u0430 \u0444\u0443\u043D\u0442\u043E\u0432",
     "ounce ounces oz unzen onzas onza onces once on\u00E7a on\u00E7as \u0443\u043D\u0446\u0438\u0439",
     "gram grams gramm gramos gramo grammes gramme grammi gramas gram\u00F3w "
     "\u0433\u0440\u0430\u043C\u043C \u0433\u0440\u0430\u043C\u043C\u0430 "
     "\u0433\u0440\u0430\u043C\u043C\u043E\u0432 \u514B \u4E21 \u4E24 g \u0433",
     "milligram milligrams mg"},
    {"barrel barrels", "bushel bushels", "gallon gallons gal", "peck pecks",
     "liter liters litre litres litros litri l", "quart quarts qt", "pint pints pt", "cup cups",
     "deciliter deciliters dl", "tablespoon tablespoons tbsp", "teaspoon teaspoons tsp",
     "milliliter milliliters millilitre ml"},
    {"century centuries decade decades",
     "year years yr yrs jahr jahre jahren ans an a\u00F1o a\u00F1os anno anni ano anos "
     "\u0433\u043E\u0434 \u0433\u043E\u0434\u0430 \u043B\u0435\u0442 jaar \u5E74 \uB144",
     "month months monat monate monaten mois mes meses mese mesi m\u00EAs \u043C\u0435\u0441\u044F\u0446 "
     "\u043C\u0435\u0441\u044F\u0446\u0430 \u043C\u0435\u0441\u044F\u0446\u0435\u0432 maand maanden "
     "miesi\u0105c miesi\u0105ce miesi\u0119cy ay bulan th\u00E1ng \u304B\u6708 \uB2EC \u30F6\u6708 "
     "\u500B\u6708 \u4E2A\u6708 \uAC1C\uC6D4 "
     "\u6708",
     "week weeks wk wks woche wochen semaine semaines semana semanas settimana settimane tydzie\u0144 "
     "tygodnie tygodni hafta minggu tu\u1EA7n \u9031\u9593 \u5468 "
     "\u043D\u0435\u0434\u0435\u043B\u044F \u043D\u0435\u0434\u0435\u043B\u0438 "
     "\u043D\u0435\u0434\u0435\u043B\u044C",
     "day days d tag tage tagen jour jours d\u00EDa d\u00EDas giorno giorni dia dias "
     "\u0434\u0435\u043D\u044C \u0434\u043D\u044F \u0434\u043D\u0435\u0439 dag dagen dni dzie\u0144 doba "
     "g\u00FCn hari ng\u00E0y dagar dager \u65E5 \u5929 \uC77C",
     "hour hours h hr hrs stunde stunden std heure heures hora horas ora ore o'clock uhr godzina godziny "
     "godzin saat jam gi\u1EDD timer timmar uur \u5C0F\u65F6 \u5C0F\u6642 \u6642\u9593 \uC2DC\uAC04 "
     "\u0447\u0430\u0441 "
     "\u0447\u0430\u0441\u0430 \u0447\u0430\u0441\u043E\u0432 uur \u0447 \uC2DC \uC2DC\uAC04 \u65F6 "
     "\u6642 \u70B9",
     "minute minutes min mins minuten minuto minutos minuti minuta minuty minut dakika menit ph\u00FAt "
     "\u043C\u0438\u043D\u0443\u0442\u0430 "
     "\u043C\u0438\u043D\u0443\u0442\u044B \u043C\u0438\u043D\u0443\u0442 \u043C\u0438\u043D \uBD84 "
     "\u5206",
     "second seconds s sec secs sekunde sekunden sek seconde secondes segundo segundos secondo secondi "
     "sekunda sekundy sekund saniye detik gi\u00E2y "
     "\u0441\u0435\u043A\u0443\u043D\u0434\u0430 \u0441\u0435\u043A\u0443\u043D\u0434\u044B "
     "\u0441\u0435\u043A\u0443\u043D\u0434 \u0441 \uCD08 \u79D2",
     "millisecond milliseconds ms"},
    {"dollar dollars euro euros eur usd pound pounds gbp franc francs franken chf rupee rupees rs inr "
     "peso pesos real "
     "reais rand ruble rubles rouble roubles lei leu hryvnia hryvnias hryven koruna koruny korun forint "
     "forints won yen \u0440\u0443\u0431\u043B\u044C "
     "\u0440\u0443\u0431\u043B\u044F \u0440\u0443\u0431\u043B\u0435\u0439 \u0440\u0443\u0431 krona "
     "kronor krone kroner crown crowns zloty "
     "zlotys z\u0142oty z\u0142ote z\u0142otych lira liras dinar dinars dirham dirhams riyal riyals "
     "shekel shekels yuan rmb "
     "ringgit baht \u0433\u0440\u0438\u0432\u043D\u044F \u0433\u0440\u0438\u0432\u043D\u0456 "
     "\u0433\u0440\u0438\u0432\u0435\u043D\u044C \u5143 \u5757 \u5713 \u5186 \uC6D0 $ \u20AC",
     "shilling shillings dime dimes nickel nickels \u89D2 \u6BDB",
     "cent cents penny pennies pence bani ban kopiyka kopiyky kopiyok hal\u00E9\u0159 hal\u00E9\u0159e "
     "hal\u00E9\u0159\u016F fen jiao paisa paise kopeck kopecks kopek kopeks "
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

const std::vector<Kind>& Kinds() {
  static const auto* const kinds = [] {
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
      "horas minutos metros kelvin celsius fahrenheit o'clock uhr");
  return symbols->contains(word) || IsCurrencyCode(word) || words->Has(word);
}

bool IsCurrencyCode(absl::string_view word) {
  static const auto* const codes = new WordSet(
      "us usd eur gbp jpy cny rmb inr rs chf cad aud nzd hk hkd krw sek nok dkk kr rub brl mxn sgd zar "
      "pln czk huf try thb idr vnd z\u0142 k\u010D");
  return codes->Has(word);
}

bool IsOrdinalEnding(absl::string_view word) {
  static const auto* const words = new WordSet("er \u00E8re ere \u00E8me eme nde ste \u00AA");
  return words->Has(word);
}

bool IsHyphenatedOrdinalEnding(absl::string_view word) {
  static const auto* const words = new WordSet(
      "\u0439 \u044F \u0435 \u0433\u043E \u043C\u0443 \u044B\u0439 \u043E\u0439 \u0430\u044F \u043E\u0435 "
      "\u044B\u0435 \u044B\u0445 \u0445 \u043C");
  return words->Has(word);
}

bool GoesOnIn(absl::string_view large, absl::string_view small) {
  for (const Kind& kind : Kinds()) {
    const double *const first = kind.Find(large), *const second = kind.Find(small);
    if (first != nullptr && second != nullptr && *first < *second) return true;
  }
  return false;
}

}  // namespace lvrpo::numbers
