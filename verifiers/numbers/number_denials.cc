#include "verifiers/numbers/number_denials.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "verifiers/number_tokens/number_characters.h"
#include "verifiers/number_tokens/number_words.h"
#include "verifiers/number_tokens/word_set.h"

namespace lvrpo::numbers {
namespace {

constexpr size_t kMostLinks = 8;  // words between a number and its denial

bool Negates(absl::string_view word) {
  static const auto* const words = new WordSet(
      "n'est not never isn't isnt aren't wasn't weren't ain't cannot can't couldn't won't wouldn't doesn't "
      "don't "
      "didn't "
      "shouldn't hardly nor neither nicht kein keine keinen nie niemals pas jamais nunca jam\u00E1s non "
      "n\u00E3o \u043D\u0435 \u043D\u0435\u0442 "
      "\u043D\u0438 niet geen inte ikke de\u011Fil \u4E0D \u975E \u6CA1 \u6C92 \u672A \u306A\u3044 "
      "\uC544\uB2C8 \uC544\uB2CC \uC544\uB2D9 \u3042\u308A\u307E\u305B\u3093 kh\u00F4ng bukan tidak nowhere "
      "\u05DC\u05D0 \u03B4\u03B5\u03BD "
      "\u0928\u0939\u0940\u0902 \u0644\u064A\u0633");
  return words->Has(word);
}

// Negations only with other words between: "no es 5", where "No 5" is a number.
bool NegatesFarther(absl::string_view word) {
  static const auto* const words =
      new WordSet("no nem false untrue wrong incorrect impossible unlikely improbable falsch faux falso");
  return words->Has(word);
}

// Words that leave out the number after them: "without 5", "reject 5".
bool Excludes(absl::string_view word) {
  static const auto* const words = new WordSet(
      "without except excluding exclude excludes reject rejects rejecting discard discarding eliminate "
      "eliminating ohne au\u00DFer sans sauf sin excepto salvo senza tranne sem exceto \u0431\u0435\u0437 "
      "\u043A\u0440\u043E\u043C\u0435");
  return words->Has(word);
}

// "rule out 5", "anything but 5": whether the word that ends before tokens[end] does so with the one before
// it.
bool ExcludesInTwo(const std::vector<Token>& tokens, size_t end) {
  static const auto* const all = new WordSet("anything everything all");
  static const auto* const rule = new WordSet("rule rules ruled ruling");
  if (end < 2 || tokens[end - 1].gap == Gap::kBreak) return false;
  const absl::string_view word = tokens[end - 1].raw, before = tokens[end - 2].raw;
  return (word == "but" && all->Has(before)) || (word == "out" && rule->Has(before));
}

// Bounds in front of a number.
bool BoundsBehind(absl::string_view word) {
  static const auto* const words = new WordSet(
      "than exceed exceeds exceeding exceeded above below under over beyond beneath within surpasses least "
      "most "
      "unequal unlike minimum maximum h\u00F6chstens mindestens maximal minimal \u00FCber unter weniger mehr "
      "gr\u00F6\u00DFer "
      "kleiner \u00FCbersteigt \u00FCberschreitet unterhalb oberhalb sup\u00E9rieur inf\u00E9rieur "
      "sup\u00E9rieure inf\u00E9rieure d\u00E9passe exc\u00E8de "
      "maximo m\u00E1ximo m\u00EDnimo supera excede menor mayor maior massimo minimo maggiore minore almeno "
      "superiore "
      "inferiore \u0431\u043E\u043B\u044C\u0448\u0435 \u043C\u0435\u043D\u044C\u0448\u0435 "
      "\u0431\u043E\u043B\u0435\u0435 \u043C\u0435\u043D\u0435\u0435 "
      "\u043C\u0438\u043D\u0438\u043C\u0443\u043C \u043C\u0430\u043A\u0441\u0438\u043C\u0443\u043C "
      "\u043F\u0440\u0435\u0432\u044B\u0448\u0430\u0435\u0442 \u0441\u0432\u044B\u0448\u0435 "
      "\u043C\u0438\u043D\u0438\u043C\u0443\u043C \u8D85\u8FC7 \u8D85\u904E \u5927\u4E8E \u5927\u65BC "
      "\u5C0F\u4E8E \u5C0F\u65BC "
      "\u81F3\u5C11 \u81F3\u591A \u4E0D\u8D85\u8FC7 \u6700\u591A \u6700\u5C11 \u9AD8\u4E8E \u4F4E\u4E8E "
      "\u591A\u4E8E \u5C11\u4E8E \u8D85");
  return words->Has(word);
}

// Bounds in front of a number with "to", "of" or "from" between: "up to 5", "a minimum of 5".
bool BoundsFarther(absl::string_view word) {
  static const auto* const words = new WordSet(
      "far opposed instead up unequal elevated elevado elevada raised mehr weniger plus moins mais menos "
      "meno m\u00E1s pi\u00F9 "
      "\u0431\u043E\u043B\u044C\u0448\u0435 \u043C\u0435\u043D\u044C\u0448\u0435 "
      "\u0431\u043E\u043B\u0435\u0435 \u043C\u0435\u043D\u0435\u0435 \u00E9lev\u00E9 greater less fewer "
      "smaller larger bigger lower higher limit bound cap maximum minimum max min "
      "upper "
      "different distinct differs differ other bis jusqu'\u00E0 hasta fino at\u00E9 \u0434\u043E superior "
      "inferior sup\u00E9rieur inf\u00E9rieur "
      "sup\u00E9rieure inf\u00E9rieure superiore inferiore mayor menor maximum diff\u00E9rent diferente "
      "verschieden");
  return words->Has(word);
}

// Bounds after a number, alone or after a joining word.
bool BoundsBefore(absl::string_view word) {
  static const auto* const words = new WordSet(
      "minimum maximum max tops below above under beneath \u3088\u308A \u4EE5\u4E0A \u4EE5\u4E0B "
      "\u4EE5\u5185 "
      "\u4EE5\u5167 \u672A\u6E80 \u672A\u6EE1 \u672A\u6EFF \uC774\uC0C1 \uC774\uD558 \uBBF8\uB9CC "
      "\uCD08\uACFC "
      "maximal minimal m\u00E1ximo m\u00EDnimo massimo minimo");
  return words->Has(word);
}
bool BoundsAfterJoining(absl::string_view word) {
  static const auto* const words = new WordSet(
      "more less fewer higher lower greater smaller larger bigger above below over under up upward upwards "
      "down "
      "beyond least most minimum maximum max older younger longer shorter later earlier better mehr weniger "
      "h\u00F6her "
      "dar\u00FCber darunter gr\u00F6\u00DFer kleiner plus moins m\u00E1s menos pi\u00F9 meno mais menos "
      "\u0431\u043E\u043B\u044C\u0448\u0435 \u0431\u043E\u043B\u0435\u0435 "
      "\u043C\u0435\u043D\u044C\u0448\u0435 \u043C\u0435\u043D\u0435\u0435 \u0432\u044B\u0448\u0435 "
      "\u043D\u0438\u0436\u0435 mer mindre meer minder fler maximum m\u00EDnimo m\u00E1ximo massimo minimo");
  return words->Has(word);
}
bool Joins(absl::string_view word) {
  static const auto* const words = new WordSet(
      "or and at oder ou o \u0438\u043B\u0438 \u0438 och og of eller und et y e al au als por de");
  return words->Has(word);
}

// What a number may fail to do: "5 does not work".
bool IsFit(absl::string_view word) {
  static const auto* const words = new WordSet(
      "work works satisfy satisfies fit fits hold holds match matches apply applies valid possible good "
      "passt passen stimmt stimmen convient funciona funziona goed r\u00E4tt riktigt "
      "\u043F\u043E\u0434\u0445\u043E\u0434\u0438\u0442 \u043F\u043E\u0434\u043E\u0439\u0434\u0451\u0442 "
      "\u884C \u6210 \u7B26 \u9002");
  return words->Has(word);
}

// "too large", of a number that is not the answer.
bool IsTooWord(absl::string_view word) {
  static const auto* const words =
      new WordSet("too trop demasiado troppo \u0441\u043B\u0438\u0448\u043A\u043E\u043C");
  return words->Has(word);
}

// "zu gro\u00DF", where "zu" alone may be "to".
bool IsGermanTooMuch(absl::string_view zu, absl::string_view word) {
  static const auto* const words = new WordSet(
      "gro\u00DF gross klein hoch niedrig viel wenig lang kurz gering ungenau alt jung schwer leicht");
  return zu == "zu" && words->Has(word);
}

// "no es", "ne convient pas": with a verb after it.
bool IsHalfNegation(absl::string_view word) { return word == "no" || word == "ne"; }

// The verb, or the second half of the negation, in "5 no es", "5 n'est pas".
bool IsOfNegation(absl::string_view word) {
  static const auto* const words = new WordSet("es \u00E8 \u00E9 est era foi fue pas");
  return words->Has(word);
}

// What may stand between: prepositions, and what links a subject with what is said of it.
bool IsPreposition(absl::string_view word) {
  static const auto* const words = new WordSet(
      "of to from by or equal the a an zu von als der die das de que du la le el lo di da do than \u00E0 "
      "\u0447\u0435\u043C \u7B49 \u4E8E");
  return words->Has(word);
}
bool Links(absl::string_view word) {
  static const auto* const words = new WordSet(
      "\uAC00 \uC774 \uC740 \uB294 \u3058\u3083 \u6B63\u3057\u304F \uC815\uB2F5 \uB2F5 "
      "\u03B5\u03AF\u03BD\u03B1\u03B9 \u00E4r er jest to ph\u1EA3i \u0939\u0948 it's quite near means way "
      "must longer is are be was were been would could should can "
      "may might will do does the "
      "a an it that this really "
      "exactly "
      "simply just actually about approximately think believe say claim answer result value number solution "
      "correct right true which seems appears looks ist sind war w\u00E4re die das der dass antwort "
      "l\u00F6sung est la le les "
      "r\u00E9ponse c'est \u00E9gal ce es son el respuesta igual que \u00E8 la risposta richtig korrekt "
      "juste exacte bonne correcte correcta correcto giusta giusto certa certo "
      "\u0432\u0435\u0440\u043D\u044B\u0439 \u0432\u0435\u0440\u043D\u043E "
      "\u043F\u0440\u0430\u0432\u0438\u043B\u044C\u043D\u044B\u0439 "
      "\u043F\u0440\u0430\u0432\u0438\u043B\u044C\u043D\u043E \u6B63 \u786E \u78BA \u5BF9 \u5C0D \u3067  "
      "uguale \u00E9 i was \u4E86 "
      "resposta \u044D\u0442\u043E \u043E\u0442\u0432\u0435\u0442 \u0440\u0430\u0432\u043D\u043E "
      "\u0440\u0430\u0432\u0435\u043D "
      "\u044F\u0432\u043B\u044F\u0435\u0442\u0441\u044F are sono \u662F \u4E3A \u70BA \u7B49\u4E8E \u7B49 "
      "\u4E8E \u5230 \u7B54\u6848 \u7ED3\u679C \u306F \u304C \u3067\u3059 equals equal");
  return words->Has(word);
}

// "isn't"
bool IsContraction(absl::string_view word) {
  return absl::StrContains(word, "'") || absl::StrContains(word, "\u2019");
}

bool Denies(absl::string_view word) {
  static const auto* const words = new WordSet(
      "unlikely improbable fails failed \u9055\u3044\u307E\u3059 \u9055\u3046 fel feil forkert "
      "yanl\u0131\u015F sai salah \u062E\u0637\u0623 \u0917\u0932\u0924 \u03BB\u03AC\u03B8\u03BF\u03C2 "
      "rejected excluded discarded eliminated extraneous ruled wrong incorrect false untrue mistaken invalid "
      "impossible nonsense falsch inkorrekt unrichtig faux "
      "fausse "
      "incorrecte incorrecto incorrecta falso falsa errado errada errato errata sbagliato sbagliata "
      "incorreto "
      "\u043D\u0435\u0432\u0435\u0440\u043D\u043E "
      "\u043D\u0435\u043F\u0440\u0430\u0432\u0438\u043B\u044C\u043D\u043E "
      "\u043D\u0435\u0432\u0435\u0440\u043D\u044B\u0439 \u043E\u0448\u0438\u0431\u043A\u0430 fout onjuist "
      "\u9519 \u932F \u8BEF \u8AA4 \u4E0D\u5BF9 \u4E0D\u5C0D \u9519\u8BEF \u932F\u8AA4 \u9593\u9055 "
      "\uC624\uB2F5 \uD2C0\uB838 \uD2C0\uB9B0 \uD2C0");
  return words->Has(word);
}

// Said alone after a number: "No.", "Wait, ...".
bool TakesBack(absl::string_view word) {
  static const auto* const words = new WordSet(
      "no nope nah n\u00E3o nao nein n\u00F6 nee nej nei ne wait kidding joking oops sorry mistake "
      "correction scratch moment warte korrektur quatsch scherz attends attendez espera espere perd\u00F3n "
      "aspetta aspetti scusa anzi desculpe \u0441\u0442\u043E\u043F "
      "\u043F\u043E\u0434\u043E\u0436\u0434\u0438 "
      "\u043F\u043E\u0434\u043E\u0436\u0434\u0438\u0442\u0435 \u0448\u0443\u0447\u0443 \u5426 "
      "\u7B49\u7B49 \u7B49\u4E00\u4E0B \u3044\u3044\u3048 \u9055\u3044\u307E\u3059 \u9055\u3046 "
      "\u5F85\u3063\u3066 \uC544\uB2C8\uC694 \uC544\uB2C8\uC624 \uC544\uB1E8 \uC7A0\uAE50");
  return words->Has(word);
}

// "au moins 5" and "al menos 5" are "at least 5", and no negative numbers.
bool IsAtLeast(const std::vector<Token>& tokens, size_t minus) {
  static const auto* const words = new WordSet("au du al ao pelo lo");
  return minus > 0 && minus < tokens.size() && tokens[minus].kind == TokenKind::kWord &&
         IsMinusWord(tokens[minus].raw) && words->Has(tokens[minus - 1].raw);
}

bool IsLinkMark(const Token& token) {
  return IsSymbol(token, U',') || IsSymbol(token, U'(') || IsSymbol(token, symbol::kSeparator) ||
         IsSymbol(token, symbol::kListComma) || IsMinusSign(token);
}

// "5 or more", "5 apples at most", "5 maximum".
bool BoundedAfter(const std::vector<Token>& tokens, size_t begin) {
  for (size_t at = begin; at < tokens.size() && at < begin + 2; ++at) {
    const Token& token = tokens[at];
    if (token.kind != TokenKind::kWord || token.gap == Gap::kBreak) return false;
    if (BoundsBefore(token.raw)) return at == begin || IsUnspacedWord(token);
    if (Joins(token.raw) && at + 1 < tokens.size() && tokens[at + 1].kind == TokenKind::kWord &&
        tokens[at + 1].gap != Gap::kBreak && BoundsAfterJoining(tokens[at + 1].raw))
      return true;
  }
  return false;
}

bool EndsSentence(const Token& token) {
  return IsSymbol(token, U'.') || IsSymbol(token, U'?') || IsSymbol(token, U'!') || IsSymbol(token, U';') ||
         IsSymbol(token, U':') || IsSymbol(token, U'\u3002') || IsSymbol(token, symbol::kEllipsis);
}

// Where what follows the clause that goes on at `at` begins; the number of tokens when that is too far.
size_t NextClause(const std::vector<Token>& tokens, size_t at) {
  const size_t last = std::min(tokens.size(), at + kMostLinks);
  while (at < last && tokens[at].gap != Gap::kBreak && !EndsSentence(tokens[at]) && !IsLinkMark(tokens[at]))
    ++at;
  if (at == last) return tokens.size();
  while (at < tokens.size() && (EndsSentence(tokens[at]) || IsLinkMark(tokens[at]) || IsClosing(tokens[at])))
    ++at;
  return at;
}

bool IsWordAt(const std::vector<Token>& tokens, size_t at) {
  return at < tokens.size() && tokens[at].gap != Gap::kBreak && tokens[at].kind == TokenKind::kWord;
}

// Whether the judgement right after a number is of the noun after it: "5 wrong answers", "3 failed tests".
bool IsAttribute(const std::vector<Token>& tokens, size_t at) {
  const absl::string_view word = tokens[at].raw;
  return IsWordAt(tokens, at + 1) && static_cast<unsigned char>(word[0]) < 0x80 && word != "fails";
}

// Whether the negation at `at`, the first word after a number or after words that link it, is of the number:
// "is not the answer", "no es", "does not work"; not "is not odd" and ", not 6".
bool NegatesNumber(const std::vector<Token>& tokens, size_t at, bool first, bool linked) {
  const Token& token = tokens[at];
  if (IsUnspacedWord(token) && linked) return true;
  size_t said = at + 1;
  const bool ends = !IsWordAt(tokens, said);
  const bool verb = first && !ends && (IsOfNegation(tokens[said].raw) || IsFit(tokens[said].raw));
  if (IsHalfNegation(token.raw) && !verb) return false;
  if (!verb && !linked && !(first && ends) && token.raw != "cannot" && !IsContraction(token.raw))
    return false;
  while (IsWordAt(tokens, said) && IsOfNegation(tokens[said].raw)) ++said;
  if (!IsWordAt(tokens, said))
    return said == tokens.size() || tokens[said].gap == Gap::kBreak || !IsNumeral(tokens[said]);
  return Links(tokens[said].raw) || Denies(tokens[said].raw) || IsFit(tokens[said].raw);
}

}  // namespace

bool DeniedBefore(const std::vector<Token>& tokens, size_t end) {
  if (IsAtLeast(tokens, end)) return true;
  bool prepositions = true;  // nothing else so far
  for (size_t steps = 0; steps < kMostLinks && steps < end; ++steps) {
    const Token& token = tokens[end - 1 - steps];
    if (token.kind != TokenKind::kWord) return false;
    const absl::string_view word = token.raw;
    if (Negates(word) || (prepositions && (Excludes(word) || ExcludesInTwo(tokens, end - steps))))
      return true;
    if (steps == 0 && BoundsBehind(word)) return true;
    if (steps > 0 && (NegatesFarther(word) || (prepositions && (BoundsFarther(word) || word == "than"))))
      return true;
    const bool preposition = IsPreposition(word);
    if (!preposition && !Links(word)) return false;
    prepositions = prepositions && preposition;
    if (token.gap == Gap::kBreak) return false;
  }
  return false;
}

bool DeniedAfter(const std::vector<Token>& tokens, size_t begin) {
  if (BoundedAfter(tokens, begin)) return true;
  bool linked = false;
  for (size_t at = begin; at < tokens.size() && at < begin + kMostLinks; ++at) {
    const Token& token = tokens[at];
    if (token.gap == Gap::kBreak) return false;
    if (IsLinkMark(token)) continue;
    if (token.kind != TokenKind::kWord) return false;
    if (Denies(token.raw)) return at > begin || !IsAttribute(tokens, at);
    if (linked && IsWordAt(tokens, at + 1) &&
        (IsTooWord(token.raw) || IsGermanTooMuch(token.raw, tokens[at + 1].raw)))
      return true;
    if (Negates(token.raw) || IsHalfNegation(token.raw))
      return NegatesNumber(tokens, at, at == begin, linked);
    const bool verb = IsFit(token.raw) && IsWordAt(tokens, at + 1) && Negates(tokens[at + 1].raw);
    if (!verb && !Links(token.raw)) return false;
    linked = true;
  }
  return false;
}

bool TakenBackAfter(const std::vector<Token>& tokens, size_t begin) {
  bool denied = false;
  const size_t clause = NextClause(tokens, begin);
  for (size_t at = clause; at < tokens.size(); ++at) {
    const Token& token = tokens[at];
    const bool ends = EndsSentence(token) || IsLinkMark(token) || IsClosing(token) ||
                      (at > clause && token.gap == Gap::kBreak);
    if (ends) break;
    if (token.kind != TokenKind::kWord || at == clause + kMostLinks) return false;
    const absl::string_view word = token.raw;
    if (Negates(word) || NegatesFarther(word) || Denies(word) || TakesBack(word)) {
      denied = !denied || TakesBack(word);  // "not wrong"
    } else if (!Links(word)) {
      return false;
    }
  }
  return denied;
}

}  // namespace lvrpo::numbers
