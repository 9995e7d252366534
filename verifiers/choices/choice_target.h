#pragma once

#include <cstddef>
#include <initializer_list>
#include <optional>

#include "verifiers/choices/choice_claims.h"

namespace lvrpo {

inline constexpr size_t kFarthest = 64;  // tokens inspected before and after a choice

// A mention of a choice, by letter or by its text, and its extent.
struct Target {
  size_t begin = 0, end = 0;  // tokens, closing brackets and a choice's own text after the letter included
  Letters letters = 0;        // several when the text after the letter is another choice's
  bool small = false;         // a small letter without brackets, which may be a word
  bool pronoun = false;       // "I" without brackets, which may be one too
  bool with_text = false;     // "B. Paris"
  bool text = false;          // named by a choice's text alone
  bool boxed = false;
};

// Reads the tokens of a text. Positions after the end are ends of lines.
class ChoiceReader {
 public:
  ChoiceReader(const ChoiceText& text, const ChoicePieces& choices) : text_(text), choices_(choices) {}

  size_t size() const { return text_.tokens.size(); }
  Term term(size_t at) const { return at < size() ? text_.tokens[at].term : Term::kLine; }
  bool Is(size_t at, std::initializer_list<Term> terms) const;
  bool EndsSentence(size_t at) const { return Is(at, {Term::kStop, Term::kQuestion, Term::kLine}); }
  bool IsEastAsian(size_t at) const;
  // Whether "B right" says that it is: in Russian, Chinese, Japanese and Korean.
  bool NeedsNoVerb(size_t at) const;
  const std::string& piece(size_t at) const { return text_.pieces[text_.tokens[at].first]; }
  const Token& token(size_t at) const { return text_.tokens[at]; }

  // The mention that begins at exactly this token.
  std::optional<Target> At(size_t at) const;
  // With all that is joined to it: "A or B", "A, B and C". With `clauses`, what is followed by a verb begins
  // a separate clause ("A, and B is wrong").
  Target Joined(Target target, bool clauses) const;

  // All of its pieces.
  std::string Text(const Target& target) const;

  // Whether the sentence that goes on at `at` ends with a question mark.
  bool IsAsked(size_t at) const;
  // Whether an if or a but comes before its end, and no because before that.
  bool GoesOnWithCondition(size_t at) const;
  // Whether a would comes before its end: "otherwise it would rain".
  bool GoesOnWithWould(size_t at) const;
  // = < > and the like.
  bool IsRelation(size_t at) const;
  // "a", "e", "o", "y", "I" as words: articles, conjunctions, a pronoun.
  bool IsParticle(size_t at) const;
  // Whether a choice is what is named next.
  bool NamesNext(size_t at) const;
  // After the bracketed text at `at`, if there is any.
  size_t BehindAside(size_t at) const;

 private:
  Letters ChoiceAt(size_t at, size_t* end) const;
  bool IsChoice(char letter) const {
    return choices_.empty() || letter < static_cast<char>('A' + choices_.size());
  }
  void AddOwnText(Target* target) const;
  size_t TokenAt(size_t at, size_t piece) const;
  bool BeginsInside(size_t at) const;
  bool EndsInside(size_t end) const;
  bool IsNumeral(size_t at) const;
  bool IsJoiningLetter(size_t at) const;

  const ChoiceText& text_;
  const ChoicePieces& choices_;
};

}  // namespace lvrpo
