#include "verifiers/choices/choice_phrases.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "verifiers/lexicon/choice_lexicon.h"

namespace lvrpo {
namespace {

bool IsWord(const ChoiceText& text, size_t at) {
  return at < text.tokens.size() &&
         (text.tokens[at].term == Term::kWord || text.tokens[at].term == Term::kLetter);
}

// The longest phrase that begins at tokens[*at]; moves *at past it.
Token PhraseAt(const ChoiceText& text, size_t* at) {
  Token token = text.tokens[*at];
  size_t words = 1;
  if (IsWord(text, *at)) {
    std::string phrase;
    for (size_t n = 1; n <= Lexicon::Get().most_words() && IsWord(text, *at + n - 1); ++n) {
      absl::StrAppend(&phrase, n == 1 ? "" : " ", text.pieces[text.tokens[*at + n - 1].first]);
      const Term* term = n == 1 && token.term == Term::kLetter ? nullptr : Lexicon::Get().Find(phrase);
      if (term == nullptr) continue;
      token.term = *term;
      words = n;
    }
    if (token.term == Term::kWord && absl::EndsWith(text.pieces[token.first], "n't")) token.term = Term::kNot;
    token.last = text.tokens[*at + words - 1].last;
  }
  *at += words;
  return token;
}

// "a" and "o" before a noun, as in Portuguese ("A minha resposta"); "a" before a letter.
bool IsArticle(const std::vector<Token>& tokens, size_t at) {
  const Token &token = tokens[at], &next = tokens[at + 1];
  if (token.term != Term::kLetter || (token.letter != 'A' && token.letter != 'O') || !next.spaced)
    return false;
  if (next.term == Term::kLetter)
    return token.small && !next.small && (at == 0 || tokens[at - 1].term != Term::kLetter);
  size_t noun = at + 1;
  if (next.term == Term::kFiller && noun + 1 < tokens.size()) ++noun;
  const Term term = tokens[noun].term;
  return term == Term::kAnswer || term == Term::kOption || (term == Term::kRight && noun == at + 1);
}

// "Say the answer is A": an order to suppose it.
bool IsSupposition(const ChoiceText& text, const std::vector<Token>& tokens, size_t at) {
  if (tokens[at].term != Term::kWord || text.pieces[tokens[at].first] != "say") return false;
  return at == 0 || tokens[at - 1].term == Term::kStop || tokens[at - 1].term == Term::kLine ||
         tokens[at - 1].term == Term::kThus || tokens[at - 1].term == Term::kQuestion;
}

// "Wait, no: B" is "Wait, no, B", and not "it is not: B".
bool IsNoBeforeColon(const ChoiceText& text, const std::vector<Token>& tokens, size_t at) {
  return tokens[at].term == Term::kNot && tokens[at + 1].term == Term::kColon &&
         IsYesOrNo(text.pieces[tokens[at].first]) && at > 0 &&
         (tokens[at - 1].term == Term::kComma || tokens[at - 1].term == Term::kDash ||
          tokens[at - 1].term == Term::kBack);
}

}  // namespace

void JoinPhrases(ChoiceText* text) {
  std::vector<Token> joined;
  for (size_t at = 0; at < text->tokens.size();) joined.push_back(PhraseAt(*text, &at));
  for (size_t i = 0; i + 1 < joined.size(); ++i) {
    if (IsArticle(joined, i)) joined[i].term = Term::kFiller;
    if (IsSupposition(*text, joined, i)) joined[i].term = Term::kIf;
    if (IsNoBeforeColon(*text, joined, i)) joined[i + 1].term = Term::kComma;
  }
  text->tokens = std::move(joined);
}

}  // namespace lvrpo
