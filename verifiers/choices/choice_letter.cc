#include "verifiers/choices/choice_letter.h"

#include "data/unicode/unicode.h"
#include "verifiers/answers/folded.h"
#include "verifiers/answers/html_entities.h"
#include "verifiers/choices/choice_claims.h"
#include "verifiers/choices/choice_standing.h"

namespace lvrpo {
namespace {

bool IsMarkAtEnd(absl::string_view piece) { return piece == "." || piece == "!" || piece == ";"; }

bool IsNumeral(absl::string_view piece) {
  size_t first = 0;
  return !piece.empty() && unicode::IsNumber(unicode::NextCodePoint(piece, &first));
}

// Without the marks that may be left out at the end.
std::vector<std::string> Pieces(absl::string_view choice) {
  const ChoiceText text = ReadChoiceText(Plain(WithoutEntities(choice)), /*boxes=*/false);
  std::vector<std::string> pieces;
  for (const Token& token : text.tokens) {
    if (token.term == Term::kLine) continue;
    pieces.insert(pieces.end(), text.pieces.begin() + static_cast<ptrdiff_t>(token.first),
                  text.pieces.begin() + static_cast<ptrdiff_t>(token.last));
  }
  while (pieces.size() > 1 && IsMarkAtEnd(pieces.back()) &&
         (pieces.back() == "." || !IsNumeral(pieces[pieces.size() - 2])))  // "5!" is another number
    pieces.pop_back();
  return pieces;
}

// Whether the answer is a choice's text, marks included.
Letters WholeChoice(absl::string_view answer, const std::vector<std::string>& choices) {
  const std::string folded = Folded(answer, Spaces::kSingle);
  Letters letters = 0;
  for (size_t i = 0; i < choices.size() && i < 26; ++i) {
    if (folded == Folded(choices[i], Spaces::kSingle)) letters |= Letters{1} << i;
  }
  return letters;
}

Letters Claimed(absl::string_view answer, const std::vector<std::string>& choices, bool marked) {
  ChoicePieces pieces;
  for (const std::string& choice : choices) pieces.push_back(Pieces(choice));
  ChoiceText text = ReadChoiceText(Plain(WithoutEntities(answer)));
  NameBoxes(pieces, &text);
  if (const Letters whole = ReadWhole(text, pieces); whole != 0) return whole;
  if (const Letters whole = WholeChoice(answer, choices); whole != 0) return whole;
  return marked ? ReadContent(text, pieces) : Standing(ReadClaims(text, pieces));
}

}  // namespace

std::set<char> ClaimedLetters(absl::string_view answer, const std::vector<std::string>& choices,
                              bool marked) {
  const Letters letters = Claimed(answer, choices, marked);
  std::set<char> claimed;
  for (char letter = 'A'; letter <= 'Z'; ++letter) {
    if ((letters >> (letter - 'A') & 1) != 0) claimed.insert(letter);
  }
  return claimed;
}

}  // namespace lvrpo
