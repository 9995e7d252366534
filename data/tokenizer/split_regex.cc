#include "data/tokenizer/split_regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "data/tokenizer/tokenizer_json.h"

namespace lvrpo {
namespace {

constexpr size_t kMaxPatternBytes = 65536;
constexpr uint32_t kMaxSteps = 20'000'000;  // of one search: seconds
constexpr uint32_t kMaxHeapKib = 256 << 10;

// Oniguruma's \s and \w. PCRE2's own leave out marks, and have U+180E as a space.
constexpr absl::string_view kSpace = R"(\t-\r\x{85}\p{Z})";
constexpr absl::string_view kWord = R"(\p{L}\p{M}\p{Nd}\p{Pc})";

absl::Status Refused(const std::string& regex, absl::string_view what) {
  return absl::UnimplementedError(
      absl::StrCat("the regular expression ", QuoteToken(regex), " has ", what, ", which is not supported"));
}

// Reads a regular expression once from front to end.
class Translator {
 public:
  explicit Translator(const std::string& regex) : regex_(regex) {}

  absl::StatusOr<std::string> Run() {
    while (at_ < regex_.size()) {
      const absl::string_view rest = absl::string_view(regex_).substr(at_);
      absl::Status status = absl::OkStatus();
      if (rest[0] == '\\') {
        status = Escape();
      } else if (in_class_) {
        status = InClass(rest);
      } else {
        status = Outside(rest);
      }
      if (!status.ok()) return status;
    }
    return std::move(out_);
  }

 private:
  void Take(size_t bytes) {
    out_.append(regex_, at_, bytes);
    at_ += bytes;
  }
  void Put(absl::string_view text, size_t bytes) {
    absl::StrAppend(&out_, text);
    at_ += bytes;
  }

  absl::Status Escape() {
    if (at_ + 1 == regex_.size()) return absl::InvalidArgumentError("a regular expression ends in \\");
    const char c = regex_[at_ + 1];
    class_begins_ = false;
    switch (c) {
      case 's':
        return Set(kSpace), absl::OkStatus();
      case 'w':
        return Set(kWord), absl::OkStatus();
      case 'S':
        if (in_class_) return Take(2), absl::OkStatus();  // PCRE2's, which differs in U+180E alone
        return Put(absl::StrCat("[^", kSpace, "]"), 2), absl::OkStatus();
      case 'W':
        if (in_class_) return Refused(regex_, "\\W in a class");
        return Put(absl::StrCat("[^", kWord, "]"), 2), absl::OkStatus();
      case 'b':
        if (in_class_) return Take(2), absl::OkStatus();
        return Put(Border(true), 2), absl::OkStatus();
      case 'p':
      case 'P':
      case 'x': {
        const size_t end = regex_.compare(at_ + 2, 1, "{") == 0 ? regex_.find('}', at_) : at_ + 1;
        if (end == std::string::npos) return Refused(regex_, "a { without }");
        return Take(end + 1 - at_), absl::OkStatus();
      }
      case 'B':
        return Put(Border(false), 2), absl::OkStatus();
      case 'h':
      case 'H':
      case 'R':
      case 'X':
      case 'K':
      case 'G':
      case 'C':
      case 'N':
      case 'O':
      case 'y':
      case 'Y':
      case 'k':
      case 'g':
      case 'Q':
      case 'E':
      case 'M':
      case 'c':
      case 'o':
      case 'v':
      case 'V':
        return Refused(regex_, absl::StrCat("\\", absl::string_view(&c, 1)));
      case 'u': {  // \uHHHH
        if (at_ + 6 > regex_.size()) return Refused(regex_, "\\u without four digits");
        const std::string digits = regex_.substr(at_ + 2, 4);
        for (const char digit : digits) {
          if (!absl::ascii_isxdigit(static_cast<unsigned char>(digit)))
            return Refused(regex_, "\\u without four digits");
        }
        return Put(absl::StrCat("\\x{", digits, "}"), 6), absl::OkStatus();
      }
      default:
        if (c >= '1' && c <= '9') return Refused(regex_, "a backreference");
        // The character after may have several bytes, none of which is special.
        return Take(2), absl::OkStatus();
    }
  }

  void Set(absl::string_view members) {
    Put(in_class_ ? std::string(members) : absl::StrCat("[", members, "]"), 2);
  }

  static std::string Border(bool is_border) {
    const std::string word = absl::StrCat("[", kWord, "]");
    return is_border ? absl::StrCat("(?:(?<=", word, ")(?!", word, ")|(?<!", word, ")(?=", word, "))")
                     : absl::StrCat("(?:(?<=", word, ")(?=", word, ")|(?<!", word, ")(?!", word, "))");
  }

  absl::Status InClass(absl::string_view rest) {
    if (absl::StartsWith(rest, "[:")) return Refused(regex_, "a POSIX class");
    if (rest[0] == '[') return Refused(regex_, "a class inside of a class");
    if (absl::StartsWith(rest, "&&")) return Refused(regex_, "&& in a class");
    if (rest[0] == ']' && !class_begins_) in_class_ = false;
    class_begins_ = class_begins_ && rest[0] == '^' && out_.back() == '[';
    Take(1);
    return absl::OkStatus();
  }

  absl::Status Outside(absl::string_view rest) {
    if (rest[0] == '[') {
      in_class_ = class_begins_ = true;
      Take(1);
      return absl::OkStatus();
    }
    if (absl::StartsWith(rest, "(?")) {
      const char kind = rest.size() > 2 ? rest[2] : ')';
      // Groups, lookaround, atomic groups and names; anything else but the options i and x differs.
      if (absl::string_view(":=!><").find(kind) == absl::string_view::npos) {
        const size_t end = rest.find_first_of(":)");
        const absl::string_view options = rest.substr(2, end == absl::string_view::npos ? 0 : end - 2);
        if (options.empty() || options.find_first_not_of("ix-") != absl::string_view::npos)
          return Refused(regex_, absl::StrCat("(?", rest.substr(2, 1)));
        // Options without a group of their own reach further in Oniguruma, but not from the front on.
        if (rest[end] == ')' && at_ > 0) return Refused(regex_, "options after its beginning");
      }
      Take(2);
      return absl::OkStatus();
    }
    if (absl::StartsWith(rest, "(*")) return Refused(regex_, "(*");
    if (absl::StartsWith(rest, "}+")) return Refused(regex_, "}+");
    if (absl::StartsWith(rest, "{,")) return Refused(regex_, "{,");
    Take(1);
    return absl::OkStatus();
  }

  const std::string& regex_;
  std::string out_;
  size_t at_ = 0;
  bool in_class_ = false;
  bool class_begins_ = false;  // a ] is a member here
};

}  // namespace

void SplitRegex::Freed::operator()(void* code) const { pcre2_code_free(static_cast<pcre2_code*>(code)); }

absl::StatusOr<std::string> SplitRegex::Translated(const std::string& regex) {
  return Translator(regex).Run();
}

absl::StatusOr<std::shared_ptr<const SplitRegex>> SplitRegex::Create(const std::string& regex) {
  if (regex.size() > kMaxPatternBytes) {
    return absl::InvalidArgumentError(absl::StrCat("a regular expression of ", regex.size(),
                                                   " bytes; at most ", kMaxPatternBytes, " are taken"));
  }
  const absl::StatusOr<std::string> translated = Translated(regex);
  if (!translated.ok()) return translated.status();
  const std::unique_ptr<pcre2_compile_context, void (*)(pcre2_compile_context*)> context(
      pcre2_compile_context_create(nullptr), pcre2_compile_context_free);
  pcre2_set_newline(context.get(), PCRE2_NEWLINE_LF);
  pcre2_set_parens_nest_limit(context.get(), 100);
  int error = 0;
  PCRE2_SIZE place = 0;
  void* code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(translated->data()), translated->size(),
                             PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C, &error,
                             &place, context.get());
  if (code == nullptr) {
    PCRE2_UCHAR message[256] = {};
    pcre2_get_error_message(error, message, sizeof(message));
    return absl::InvalidArgumentError(absl::StrCat("the regular expression ", QuoteToken(regex),
                                                   " cannot be read: ", reinterpret_cast<char*>(message)));
  }
  std::shared_ptr<const SplitRegex> made(new SplitRegex(code));
  uint32_t matches_empty = 0;
  pcre2_pattern_info(static_cast<pcre2_code*>(code), PCRE2_INFO_MATCHEMPTY, &matches_empty);
  if (matches_empty != 0) {
    return absl::UnimplementedError(
        absl::StrCat("the regular expression ", QuoteToken(regex),
                     " can match the empty text, which would cut between all characters"));
  }
  return made;
}

absl::StatusOr<std::optional<SplitRegex::Match>> SplitRegex::Find(absl::string_view text, size_t from) const {
  const auto* code = static_cast<const pcre2_code*>(code_.get());
  const std::unique_ptr<pcre2_match_data, void (*)(pcre2_match_data*)> found(
      pcre2_match_data_create(1, nullptr), pcre2_match_data_free);
  const std::unique_ptr<pcre2_match_context, void (*)(pcre2_match_context*)> context(
      pcre2_match_context_create(nullptr), pcre2_match_context_free);
  pcre2_set_match_limit(context.get(), kMaxSteps);
  pcre2_set_heap_limit(context.get(), kMaxHeapKib);
  const int result = pcre2_match(code, reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), from,
                                 PCRE2_NO_UTF_CHECK | PCRE2_NOTEMPTY, found.get(), context.get());
  if (result == PCRE2_ERROR_NOMATCH) return std::optional<Match>();
  if (result < 0) {
    return absl::ResourceExhaustedError(
        "a regular expression of the tokenizer takes too many steps on this text");
  }
  const PCRE2_SIZE* places = pcre2_get_ovector_pointer(found.get());
  return std::optional<Match>(Match{places[0], places[1]});
}

}  // namespace lvrpo
