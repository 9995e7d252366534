#include "data/prompts/key_phrases.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_join.h"
#include "data/prompts/phrase_tokens.h"
#include "data/unicode/unicode.h"

namespace lvrpo {
namespace {

using phrase::Token;
using phrase::WordClass;
using Kind = Token::Kind;

constexpr size_t kMostPhrases = 64;  // CheckPromptBounds
constexpr size_t kMostWords = 8;     // of a phrase
constexpr size_t kLookAhead = 8;     // tokens, for adjectives that are joined by "and" and commas

// Scans the tokens and keeps one open chunk: the words that may become a phrase. A chunk begins with a
// determiner or a word, grows by adjectives, then by nouns, and is closed by everything else.
class Chunker {
 public:
  explicit Chunker(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

  std::vector<std::string> Run() {
    for (; at_ < tokens_.size() && phrases_.size() < kMostPhrases; ++at_) Step(tokens_[at_]);
    return std::move(phrases_);
  }

 private:
  struct Word {
    std::string text;
    bool noun = false;  // or an adjective
    bool capital = false;
  };
  // The token class before a chunk.
  enum class Before { kStart, kComma, kPreposition, kTo, kConjunction, kVerb, kCopula };
  struct Chunk {
    Before before = Before::kStart;
    bool determined = false;
    bool singular = false;  // after "a"
    bool absent = false;    // after "no"
    std::vector<Word> words;

    bool HasNoun() const {
      return std::any_of(words.begin(), words.end(), [](const Word& word) { return word.noun; });
    }
    // A noun stands before the last word.
    bool HasSubject() const {
      return std::any_of(words.begin(), words.end() - 1, [](const Word& word) { return word.noun; });
    }
  };

  const Token& Next(size_t ahead = 1) const { return tokens_[std::min(at_ + ahead, tokens_.size() - 1)]; }

  // Part of a phrase.
  static bool IsOpen(const Token& token) {
    return token.IsWord(WordClass::kNoun) || token.IsWord(WordClass::kAdjective) ||
           token.IsWord(WordClass::kParticiple);
  }
  static bool IsDeterminer(const Token& token) {
    return token.IsWord(WordClass::kArticle) || token.IsWord(WordClass::kDeterminer);
  }

  void Step(const Token& token) {
    switch (token.kind) {
      case Kind::kComma:
        return Separator(Before::kComma);
      case Kind::kStop:
        Close(Before::kStart);
        nothing_yet_ = true;
        in_tail_ = in_style_ = false;
        return;
      case Kind::kQuote:
        return Close(Before::kPreposition);
      case Kind::kPossessive:
        Close(Before::kPreposition);
        chunk_.determined = true;
        return;
      case Kind::kWord:
        break;
    }
    if (in_style_) return;  // up to the next comma
    switch (token.word_class) {
      case WordClass::kNoun:
        return Noun(token);
      case WordClass::kAdjective:
        return Adjective(token);
      case WordClass::kManner:
        if (!chunk_.HasNoun() &&
            (Next().IsWord(WordClass::kParticiple) || Next().IsWord(WordClass::kAdjective)))
          return Append(token, false);
        return Close(Before::kVerb);
      case WordClass::kParticiple:
        return Participle(token);
      case WordClass::kVerb:
        return Close(Before::kVerb);
      case WordClass::kCopula:
        if (token.text == "can" && !Next().IsWord(WordClass::kNoun) && !Next().IsWord(WordClass::kVerb))
          return Append(token, true);  // "a trash can behind"
        return Close(Before::kCopula);
      case WordClass::kArticle:
      case WordClass::kDeterminer:
        return Determiner(token);
      case WordClass::kNegative:
        Close(Before::kPreposition);
        chunk_.absent = true;
        return;
      case WordClass::kPreposition:
        if (chunk_.determined && !chunk_.HasNoun() && token.Has(phrase::kPlace) &&
            Next().IsWord(WordClass::kNoun))
          return Append(token, false);  // "the back legs"
        return Close(Before::kPreposition);
      case WordClass::kOf:
        return Close(Before::kPreposition);
      case WordClass::kTo:
        return Close(Before::kTo);
      case WordClass::kConjunction:
        return Separator(Before::kConjunction);
      case WordClass::kDegree:
        return;
    }
  }

  void Determiner(const Token& token) {
    const bool absent = chunk_.words.empty() && chunk_.absent;  // "without a hat"
    const Before before = chunk_.words.empty() ? chunk_.before : Before::kVerb;
    Close(before);
    chunk_.absent = absent;
    chunk_.determined = true;
    chunk_.singular = token.IsWord(WordClass::kArticle);
  }

  void Noun(const Token& token) {
    if (IsRequest(token)) return;
    std::vector<Word>& words = chunk_.words;
    const bool name = token.capital && !words.empty() && words.back().capital;  // "Los Angeles"
    if (!words.empty() && words.back().noun && phrase::IsPlural(words.back().text) && !name) {
      const Word& last = words.back();
      const bool last_is_verb = chunk_.HasSubject() && phrase::EndsAsVerb(last.text) &&
                                (chunk_.singular || phrase::IsVerbForm(last.text));
      if (last_is_verb) {  // "a cowboy leads | horses"
        words.pop_back();
        Close(Before::kVerb);
      } else {  // "children | play"
        return Close(Before::kVerb);
      }
    }
    // "to catch a fish"
    if (words.empty() && chunk_.before == Before::kTo && !chunk_.determined && token.Has(phrase::kVerbBase))
      return Close(Before::kVerb);
    Append(token, true);
  }

  // "draw", "make me", at the start.
  bool IsRequest(const Token& token) {
    return nothing_yet_ && chunk_.words.empty() && !chunk_.determined && token.Has(phrase::kImperative) &&
           (IsDeterminer(Next()) || Next().IsWord(WordClass::kPreposition));
  }

  void Adjective(const Token& token) {
    if (token.Has(phrase::kPlace) && Next().IsWord(WordClass::kOf))
      return Close(Before::kPreposition);  // "left of"
    if (chunk_.HasNoun() && token.Has(phrase::kNounToo) && !IsOpen(Next()))
      return Noun(token);  // "traffic light"
    // "crystal clear lake", but "a sky | blue and wide".
    if (chunk_.HasNoun() && (!IsOpen(Next()) || phrase::IsPlural(chunk_.words.back().text)))
      Close(Before::kVerb);
    Append(token, false);
  }

  // An adjective before its noun ("a running dog", "with glowing eyes"), otherwise a verb ("a dog running").
  void Participle(const Token& token) {
    if (chunk_.HasNoun()) {
      if (token.Has(phrase::kCompoundInEd) && IsOpen(Next()))
        return Append(token, false);  // "a snow covered roof"
      return Close(Before::kVerb);
    }
    const bool placed = chunk_.determined || !chunk_.words.empty() ||
                        (chunk_.before != Before::kCopula && !token.Has(phrase::kTakesObject) &&
                         (chunk_.before != Before::kVerb || !token.text.ends_with("ing")));
    if (placed && IsOpen(Next())) return Append(token, false);
    Close(Before::kVerb);
  }

  void Append(const Token& token, bool noun) { chunk_.words.push_back({token.text, noun, token.capital}); }

  // A comma or a conjunction: between adjectives of one noun ("a red and white boat"), or an end.
  void Separator(Before before) {
    if (!chunk_.words.empty() && !chunk_.HasNoun() && AdjectivesThenNoun()) {
      if (before == Before::kConjunction) Append(tokens_[at_], false);
      return;
    }
    Close(before);
    if (before == Before::kComma) in_style_ = false, in_tail_ = true;
  }

  // "white and blue boat" follows.
  bool AdjectivesThenNoun() const {
    bool adjective = false;
    for (size_t ahead = 1; ahead <= kLookAhead; ++ahead) {
      const Token& token = Next(ahead);
      if (token.IsWord(WordClass::kNoun)) return adjective;
      if (token.Has(phrase::kTakesObject)) return false;  // "an orange and wearing a hat"
      if (token.IsWord(WordClass::kAdjective) || token.IsWord(WordClass::kParticiple)) {
        adjective = true;
      } else if (!token.IsWord(WordClass::kConjunction) && !token.IsWord(WordClass::kDegree) &&
                 !token.IsWord(WordClass::kManner) && token.kind != Kind::kComma) {
        return false;
      }
    }
    return false;
  }

  // Closes the open chunk and begins an empty one.
  void Close(Before next_before) {
    if (!chunk_.words.empty()) Finish();
    chunk_ = {};
    chunk_.before = next_before;
  }

  void Finish() {
    DropVerb();
    std::vector<Word>& words = chunk_.words;
    if (words.empty() || chunk_.absent) return;
    if (!words.back().noun && !chunk_.HasNoun() && !phrase::Has(words.back().text, phrase::kNounToo)) return;
    if (SaysNothingSeen()) return;
    if (words.size() > kMostWords) words.erase(words.begin(), words.end() - kMostWords);
    std::string text =
        absl::StrJoin(words, " ", [](std::string* out, const Word& word) { out->append(word.text); });
    nothing_yet_ = false;
    if (std::find(phrases_.begin(), phrases_.end(), text) == phrases_.end())
      phrases_.push_back(std::move(text));
  }

  // "a dog sleeps", "her teacher watches the ...", ", watches the ...": the last word is a verb.
  void DropVerb() {
    std::vector<Word>& words = chunk_.words;
    const Word& last = words.back();
    if (!last.noun) return;
    const Token& next = tokens_[at_];
    if (words.size() == 1) {
      const bool verb = !chunk_.determined && IsDeterminer(next) && chunk_.before != Before::kPreposition &&
                        chunk_.before != Before::kStart &&
                        (phrase::EndsAsVerb(last.text) || phrase::IsVerbForm(last.text));
      if (verb) words.pop_back();
      return;
    }
    if (!chunk_.HasSubject() || last.capital) return;
    const bool verb =
        (chunk_.singular && phrase::EndsAsVerb(last.text)) ||
        (IsDeterminer(next) && (phrase::EndsAsVerb(last.text) || phrase::IsVerbForm(last.text)));
    if (verb) words.pop_back();
  }

  // Frames, and words for look, place, time and measure.
  bool SaysNothingSeen() {
    const std::vector<Word>& words = chunk_.words;
    const std::string& head = words.back().text;
    const Token& next = tokens_[at_];
    if (phrase::Has(head, phrase::kLook)) {
      in_style_ = head.starts_with("style") && next.IsWord(WordClass::kOf);
      return true;
    }
    if (nothing_yet_) {
      if (phrase::Has(head, phrase::kPicture)) return true;
      if (phrase::Has(head, phrase::kPictureWithOf) && next.Has(phrase::kShows)) return true;
    }
    if (in_tail_ && !chunk_.determined && phrase::Has(head, phrase::kLookInTail)) return true;
    if (phrase::Has(head, phrase::kMeasure) && next.IsWord(WordClass::kOf)) return true;
    if (phrase::Has(head, phrase::kNamesText) && next.kind == Kind::kQuote) return true;
    if (phrase::Has(head, phrase::kTime)) return true;
    return std::all_of(words.begin(), words.end(),
                       [](const Word& word) { return phrase::Has(word.text, phrase::kPlace); });
  }

  const std::vector<Token> tokens_;
  size_t at_ = 0;
  Chunk chunk_;
  bool nothing_yet_ = true;  // no phrase in this sentence
  bool in_tail_ = false;     // after a comma
  bool in_style_ = false;    // after "style of"
  std::vector<std::string> phrases_;
};

}  // namespace

std::vector<std::string> ExtractKeyPhrases(std::string_view prompt) {
  const std::string repaired = unicode::RepairUtf8(absl::string_view(prompt.data(), prompt.size()));
  std::vector<std::string> phrases = Chunker(phrase::Tokenize(repaired)).Run();
  const absl::string_view trimmed = absl::StripAsciiWhitespace(repaired);
  if (phrases.empty() && !trimmed.empty()) phrases.emplace_back(trimmed);
  return phrases;
}

}  // namespace lvrpo
