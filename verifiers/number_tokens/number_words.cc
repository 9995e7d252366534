#include "verifiers/number_tokens/number_words.h"

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "verifiers/number_tokens/word_set.h"

namespace lvrpo::numbers {
namespace {

bool Has(const WordSet& words, absl::string_view word) { return words.Has(word); }

}  // namespace

bool IsPercentWord(absl::string_view word) {
  static const auto* const words = new WordSet(
      "percent percents pct prozent pourcent percento procent procento prosent prosenttia procenta "
      "y\u00FCzde \u043F\u0440\u043E\u0446\u0435\u043D\u0442 "
      "\u043F\u0440\u043E\u0446\u0435\u043D\u0442\u0430 "
      "\u043F\u0440\u043E\u0446\u0435\u043D\u0442\u043E\u0432 "
      "\u0432\u0456\u0434\u0441\u043E\u0442\u043A\u0456\u0432 "
      "\u092A\u094D\u0930\u0924\u093F\u0936\u0924 \u30D1\u30FC\u30BB\u30F3\u30C8 \uD37C\uC13C\uD2B8 "
      "persen sz\u00E1zal\u00E9k procentu procenti protsenti protsent "
      "\u0432\u0456\u0434\u0441\u043E\u0442\u043A\u0430 \u0432\u0456\u0434\u0441\u043E\u0442\u043A\u0438 "
      "\u062F\u0631\u0635\u062F \u05D0\u05D7\u05D5\u05D6 \u05D0\u05D7\u05D5\u05D6\u05D9\u05DD "
      "\u09B6\u09A4\u09BE\u0982\u09B6 \u0B9A\u0BA4\u0BB5\u0BC0\u0BA4\u0BAE\u0BCD \u0C36\u0C3E\u0C24\u0C02 "
      "\u0628\u0627\u0644\u0645\u0626\u0629 \u0628\u0627\u0644\u0645\u0627\u0626\u0629 posto "
      "\uD504\uB85C \u0E40\u0E1B\u0E2D\u0E23\u0E4C\u0E40\u0E0B\u0E47\u0E19\u0E15\u0E4C");
  return Has(*words, word);
}

bool IsPer(absl::string_view word) {
  static const auto* const words = new WordSet("per pour por pro");
  return Has(*words, word);
}

bool IsCent(absl::string_view word) {
  static const auto* const words = new WordSet("cent ciento cento");
  return Has(*words, word);
}

bool ArePercentWords(absl::string_view first, absl::string_view second) {
  static const auto* const pairs = new WordSet(
      "por-cem \u03C4\u03BF\u03B9\u03C2-\u03B5\u03BA\u03B1\u03C4\u03CC ph\u1EA7n-tr\u0103m la-sut\u0103 "
      "\u0641\u064A-\u0627\u0644\u0645\u0626\u0629 \u0641\u064A-\u0627\u0644\u0645\u0627\u0626\u0629");
  return (IsPer(first) && IsCent(second)) || pairs->Has(absl::StrCat(first, "-", second));
}

bool IsPercentBefore(absl::string_view word) {
  static const auto* const words = new WordSet("\u767E\u5206\u4E4B y\u00FCzde");
  return words->Has(word);
}

bool IsMinusWord(absl::string_view word) {
  static const auto* const words = new WordSet(
      "minus negative negativo n\u00E9gatif moins menos meno negativ \u043C\u0438\u043D\u0443\u0441 \u8CA0 "
      "\u8D1F \u51CF "
      "\u96F6\u4E0B \u30DE\u30A4\u30CA\u30B9 \uB9C8\uC774\uB108\uC2A4 \u0E25\u0E1A");
  return Has(*words, word);
}

bool ChangesNumberBehind(absl::string_view word) {
  static const auto* const words = new WordSet(
      "plus times choose divided multiplied pi infinity raised hoch power puissance base "
      "\u0441\u0442\u0435\u043F\u0435\u043D\u0438 gcd lcm max mod "
      "modulo "
      "than \u6839\u53F7 \u6839\u865F \u30EB\u30FC\u30C8 \uB8E8\uD2B8");
  return words->Has(word) || IsFunctionWord(word);
}

bool IsFunctionWord(absl::string_view word) {
  static const auto* const words = new WordSet(
      "sqrt cbrt root log ln lg exp sin cos tan cot csc arcsin arccos arctan asin acos atan sinh cosh tanh "
      "abs floor ceil ceiling round trunc sgn erf det trace tr lim limit factorial twice "
      "double triple thrice half halve halb wurzel racine ra\u00EDz radice sinus cosinus doppelt doble "
      "doppio "
      "dobro "
      "demi sine cosine tangent logarithm factorielle fakult\u00E4t fattoriale fatorial "
      "\u0444\u0430\u043A\u0442\u043E\u0440\u0438\u0430\u043B");
  return words->Has(word);
}

bool IsMathNoun(absl::string_view word) {
  static const auto* const words = new WordSet(
      "root square cube logarithm log factorial half third quarter power exponent multiple multiples sine "
      "cosine "
      "tangent reciprocal inverse negative opposite double triple twice wurzel racine ra\u00EDz radice raiz "
      "carr\u00E9 cuadrado quadrat quadrato h\u00E4lfte moiti\u00E9 mitad met\u00E0 metade "
      "\u043A\u043E\u0440\u0435\u043D\u044C \u043A\u0432\u0430\u0434\u0440\u0430\u0442 carr\u00E9e cuadrada "
      "quadrata quadrada c\u00FAbica cubica cubique cubo kubik "
      "\u043A\u0432\u0430\u0434\u0440\u0430\u0442\u0435 \u043A\u0443\u0431\u0435 "
      "factorielle fakult\u00E4t fattoriale fatorial \u0444\u0430\u043A\u0442\u043E\u0440\u0438\u0430\u043B "
      "quadratwurzel kubikwurzel quadrado doble doppio dobro doppelte");
  return words->Has(word);
}

bool ChangesNumberBefore(absl::string_view word) {
  static const auto* const words = new WordSet(
      "squared cubed factorial infinity plus minus mod modulo choose divided multiplied raised elevated base "
      "alla "
      "sqrt "
      "root "
      "log ln sin cos tan exp am pm a.m p.m permille promille hoch puissance elevado elevato "
      "pi \u03C0 alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi rho sigma tau phi "
      "chi "
      "psi omega imaginary quadriert cuadrado carr\u00E9 quadrato quadrado \u5272 \u6210 \u6298 \u5206\u4E4B "
      "\u5206\u306E \uBD84\uC758 \u6B21\u65B9 \u4E57 \u7684\u5E73\u65B9 \uC81C\uACF1 "
      "fakult\u00E4t \u0444\u0430\u043A\u0442\u043E\u0440\u0438\u0430\u043B factorielle fattoriale fatorial "
      "\u043F\u0438 \u9636\u4E58 \u968E\u4E58 \u968E\u4E57 \uACC4\uC2B9 \uD329\uD1A0\uB9AC\uC5BC "
      "\u306E\u5E73\u65B9 \u7ACB\u65B9\u6839 \uC81C\uACF1\uADFC \uC138\uC81C\uACF1");
  return words->Has(word) || IsPart(word);
}

bool IsOfWord(absl::string_view word) {
  static const auto* const words =
      new WordSet("of de du des da do di del della aus von vom \u0438\u0437 \u043E\u0442");
  return words->Has(word);
}

bool IsGenitive(absl::string_view word) {
  static const auto* const words = new WordSet("\u7684 \u306E \uC758");
  return words->Has(word);
}

bool RaisesTo(absl::string_view word) {
  static const auto* const words = new WordSet("au al ao zum \u0432");
  return words->Has(word);
}

bool JoinsOperands(absl::string_view word) {
  static const auto* const words = new WordSet(
      "times plus over alla mal fois veces volte vezes \u52A0 \u52A0\u4E0A \u4E58 \u4E58\u4EE5 \u9664\u4EE5 "
      "\u51CF\u53BB \u6E1B\u53BB \u304B\u3051\u308B \u8DB3\u3059 \u5F15\u304F \u5272\u308B "
      "\uB354\uD558\uAE30 \uACF1\uD558\uAE30 \uBE7C\uAE30 \uB098\uB204\uAE30");
  return words->Has(word);
}

bool IsOperation(absl::string_view word) {
  static const auto* const words = new WordSet(
      "divided multiplied divis\u00E9 multipli\u00E9 dividido multiplicado geteilt multipliziert "
      "diviso moltiplicato \u0434\u0435\u043B\u0438\u0442\u044C "
      "\u0440\u0430\u0437\u0434\u0435\u043B\u0438\u0442\u044C "
      "\u0443\u043C\u043D\u043E\u0436\u0438\u0442\u044C");
  return words->Has(word);
}

bool IsBy(absl::string_view word) {
  static const auto* const words = new WordSet("by par por durch mit per \u043D\u0430");
  return words->Has(word);
}

bool IsPart(absl::string_view word) {
  static const auto* const words = new WordSet(
      "half halves halve third thirds quarter quarters fourth fourths fifth fifths sixth sixths seventh "
      "sevenths "
      "eighth eighths ninth ninths tenth tenths twelfth twelfths viertel drittel halb halbe halbes halben "
      "h\u00E4lfte f\u00FCnftel sechstel siebtel achtel neuntel zehntel hundertstel tausendstel millionstel "
      "demi demie demis tiers cinqui\u00E8me cinqui\u00E8mes sixi\u00E8mes huiti\u00E8me "
      "huiti\u00E8mes dixi\u00E8me dixi\u00E8mes centi\u00E8me centi\u00E8mes medio medios medias "
      "mezzo "
      "mezza meio meia ter\u00E7o ter\u00E7os tercio tercios terzo terzi cuarto cuartos quarto quarti "
      "quartos "
      "quinto quintos quinti sexto sextos octavo octavos d\u00E9cimo d\u00E9cimos decimi ottavo ottavi "
      "\u043F\u043E\u043B\u043E\u0432\u0438\u043D\u0430 \u043F\u043E\u043B\u043E\u0432\u0438\u043D\u044B "
      "\u0442\u0440\u0435\u0442\u044C \u0442\u0440\u0435\u0442\u0438 \u0442\u0440\u0435\u0442\u0438\u0445 "
      "\u0442\u0440\u0435\u0442\u044C\u0438\u0445 \u0447\u0435\u0442\u0432\u0435\u0440\u0442\u044C "
      "\u0447\u0435\u0442\u0432\u0435\u0440\u0442\u0438 "
      "\u0447\u0435\u0442\u0432\u0435\u0440\u0442\u0435\u0439 "
      "\u043F\u044F\u0442\u044B\u0445 \u0434\u0435\u0441\u044F\u0442\u044B\u0445 "
      "\u0441\u043E\u0442\u044B\u0445 "
      "\u0442\u044B\u0441\u044F\u0447\u043D\u044B\u0445");
  if (words->Has(word)) return true;
  // "sixteenths", "hundredth", "millionths"
  static constexpr absl::string_view kEndings[] = {"teenth", "ieth",     "redth",
                                                   "sandth", "illionth", "illi\u00E8me"};
  if (absl::EndsWithIgnoreCase(word, "s")) word.remove_suffix(1);
  for (const absl::string_view ending : kEndings) {
    if (absl::EndsWithIgnoreCase(word, ending)) return true;
  }
  return false;
}

bool IsClockWord(absl::string_view word) {
  static const auto* const words = new WordSet("to past after before till until vor nach");
  return words->Has(word);
}

bool IsNumberWord(absl::string_view word) {
  static const auto* const words = new WordSet(
      "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
      "seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand "
      "million "
      "billion dozen ein eins eine zwei drei vier f\u00FCnf sechs sieben acht neun zehn elf zw\u00F6lf "
      "zwanzig "
      "drei\u00DFig hundert tausend un une deux trois quatre cinq sept huit neuf dix onze douze vingt cent "
      "mille "
      "uno una dos tres cuatro cinco seis siete ocho nueve diez cien ciento mil due tre quattro cinque sei "
      "sette "
      "otto nove dieci cento um uma dois duas quatro sete oito dez "
      "\u043E\u0434\u0438\u043D \u0434\u0432\u0430 \u0442\u0440\u0438 \u0447\u0435\u0442\u044B\u0440\u0435 "
      "\u043F\u044F\u0442\u044C \u0434\u0435\u0441\u044F\u0442\u044C \u4E00 \u4E8C \u4E24 \u4E09 \u56DB "
      "\u4E94 "
      "\u516D \u4E03 \u516B \u4E5D \u5341 \u767E \u5343 \u4E07 \u842C");
  return words->Has(word);
}

bool IsAndWord(absl::string_view word) {
  static const auto* const words =
      new WordSet("and und et y e ed en i och og con mit \u0438 \u548C \u8207 \u4E0E \u3068 \uC640 \uACFC");
  return words->Has(word);
}

bool DeniesAnswer(absl::string_view word) {
  static const auto* const words = new WordSet(
      "or not nor neither either maybe perhaps least most than between except without no isn't wrong "
      "incorrect false until oder nicht ou pas \u0438\u043B\u0438 \u043D\u0435 \u6216 \u6216\u8005 "
      "\u307E\u305F\u306F \u4E0D");
  return Has(*words, word);
}

bool JoinsNumber(absl::string_view word) {
  static const auto* const words =
      new WordSet("and to over under above below through und bis et \u0438 \u548C \u5230 \u81F3");
  return Has(*words, word);
}

bool OffersAnother(absl::string_view word) {
  static const auto* const words = new WordSet(
      "or to oder bis ou \u00E0 o a \u0438\u043B\u0438 \u0434\u043E \u6216 \u6216\u8005 \u307E\u305F\u306F "
      "\u5230 \u81F3");
  return words->Has(word);
}

bool IsShortWord(absl::string_view word) {
  static const auto* const words =
      new WordSet("of in is at on by as de en du la le im am es da do di it we he my");
  return Has(*words, word);
}

bool IsCapitals(absl::string_view word) {
  for (const char c : word) {
    if (!absl::ascii_isupper(static_cast<unsigned char>(c))) return false;
  }
  return !word.empty();
}

}  // namespace lvrpo::numbers
