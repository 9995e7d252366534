#pragma once

#include <cstddef>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "absl/strings/string_view.h"

// What Markdown, HTML and LaTeX around the words of an answer mean. Pure functions, linear.
namespace lvrpo {

// The delimiters of a box, except LaTeX's.
inline constexpr std::pair<absl::string_view, absl::string_view> kTagBoxes[] = {
    {"<answer>", "</answer>"},
    {"<final_answer>", "</final_answer>"},
    {"<|begin_of_box|>", "<|end_of_box|>"},
};
inline constexpr absl::string_view kBoxes[] = {"\\boxed{", "\\fbox{", "\\framebox{"};

// LaTeX commands that change how text looks and not what it says; those of them with a colour as the first
// argument; those whose argument is crossed out.
bool IsFormatting(absl::string_view command);
bool IsColoring(absl::string_view command);
bool IsCrossingOut(absl::string_view command);
bool IsArrow(absl::string_view command);

// Each { that is closed, and its }.
std::unordered_map<size_t, size_t> ClosingBraces(absl::string_view text);

// HTML elements, in small letters, that change how text looks; that begin a line; whose content is deleted.
bool IsInline(absl::string_view element);
bool IsBlock(absl::string_view element);
bool IsDeletion(absl::string_view element);
// Whether all of its words mean an answer ("final", "final_answer", "output").
bool IsAnswerElement(absl::string_view element);

// The tag that begins `text`: its element in small letters, and its length; 0: there is none.
struct ElementTag {
  std::string element;
  size_t length = 0;
  bool closes = false;  // </b>
};
ElementTag ElementTagAt(absl::string_view text);

// The dollars that are money ("$5", "5$") and not around a formula ("$x$", "$5$").
std::unordered_set<size_t> MoneySigns(absl::string_view text);

// Whether the - or ~ at text[at] is a sign of what follows it ("-2", "~A", not "B - Paris" or "x-y").
bool IsSign(absl::string_view text, size_t at);

// After the text that ~~ at text[at] crosses out; `at` when it does not.
size_t AfterStruck(absl::string_view text, size_t at);

// Whether the > at text[at], with which a line begins, is before a number ("> 5") and so no quotation's.
bool Compares(absl::string_view text, size_t at);

// Stars and quotes, read from the first to the last: whether one belongs to the letter or number before it.
class Marks {
 public:
  explicit Marks(absl::string_view text) : text_(text) {}

  // The * that begin at `at` and end before `end`: a footnote's ("A*") rather than Markdown's.
  bool IsFootnote(size_t at, size_t end);
  // The quote at `at`: a prime ("A'", "5\"").
  bool IsPrime(size_t at);
  // The == at `at` begins or ends what Markdown highlights ("==B=="), and is no equality ("x==B").
  bool IsHighlight(size_t at);

 private:
  // LaTeX's closing quote: "`B'", "``B''".
  bool ClosesBackticks(size_t at) const;

  const absl::string_view text_;
  size_t highlight_end_ = absl::string_view::npos;
  bool emphasis_ = false;
  bool single_ = false, double_ = false;  // quotes that are open
};

}  // namespace lvrpo
