#include "common/config/config_text.h"

#include <algorithm>
#include <set>
#include <sstream>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/files/file_kind.h"
#include "common/files/text_file.h"
#include "yaml-cpp/eventhandler.h"

namespace lvrpo {
namespace {

constexpr char kMergeKey[] = "<<";
constexpr int kMostMerged = 1000;  // mappings that one merge key may reach, through those that it names

int LineOf(const YAML::Mark& mark) { return mark.is_null() ? 0 : mark.line + 1; }

std::optional<ConfigTextError> WrongBytes(absl::string_view text) {
  int line = 0;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    const absl::string_view one = text.substr(begin, end - begin);
    ++line;
    if (std::string wrong = NotUtf8(one); !wrong.empty()) return ConfigTextError{line, std::move(wrong)};
    for (const char c : one) {
      if (absl::ascii_iscntrl(static_cast<unsigned char>(c)) && c != '\t' && c != '\r' && c != '\x7f') {
        return ConfigTextError{line,
                               absl::StrFormat("holds the control character 0x%02x; in double quotes it is "
                                               "written \"\\x%02x\"",
                                               static_cast<unsigned char>(c), static_cast<unsigned char>(c))};
      }
    }
    begin = end + 1;
  }
  return std::nullopt;
}

bool IsMergeKey(const YAML::Node& key) {
  return key.IsScalar() && key.Tag() != "!" && key.Scalar() == kMergeKey;
}

// Adds a mapping's entries, its own and then those it merges, whose keys are not there yet.
class Merger {
 public:
  explicit Merger(std::vector<ConfigEntry>& entries) : entries_(entries) {}

  std::optional<ConfigTextError> Add(const YAML::Node& mapping, int left) {
    if (++merged_ > kMostMerged || left == 0)
      return ConfigTextError{LineOf(mapping.Mark()),
                             "merge keys (<<) reach too many mappings, or themselves"};
    const bool merging = merged_ > 1;
    std::vector<YAML::Node> sources;
    std::set<std::string> own;
    for (const auto& entry : mapping) {
      const std::string key = entry.first.IsScalar() ? entry.first.Scalar() : "";
      if (IsMergeKey(entry.first)) {
        sources.push_back(entry.second);
      } else if (merging && !own.insert(key).second) {
        return ConfigTextError{LineOf(entry.first.Mark()),
                               absl::StrCat("the key '", OneLine(key), "' is given twice")};
      } else if (!merging || !keys_.contains(key)) {
        entries_.push_back({entry.first, entry.second});  // own repeated keys too: the caller refuses them
      }
    }
    for (const ConfigEntry& entry : entries_) keys_.insert(entry.key.IsScalar() ? entry.key.Scalar() : "");
    for (const YAML::Node& source : sources) {
      if (source.IsMap()) {
        if (auto wrong = Add(source, left - 1)) return wrong;
        continue;
      }
      if (!source.IsSequence()) return NoMapping(source);
      for (const YAML::Node& one : source) {
        if (!one.IsMap()) return NoMapping(one);
        if (auto wrong = Add(one, left - 1)) return wrong;
      }
    }
    return std::nullopt;
  }

 private:
  static std::optional<ConfigTextError> NoMapping(const YAML::Node& node) {
    return ConfigTextError{LineOf(node.Mark()),
                           "a merge key (<<) wants a mapping, or a list of them, e.g. <<: *base"};
  }

  std::vector<ConfigEntry>& entries_;
  std::set<std::string> keys_;
  int merged_ = 0;
};

// U+FDD0 to U+FDEF and the last two of each plane, in UTF-8.
bool HoldsNoncharacter(absl::string_view text) {
  for (size_t i = 0; i + 2 < text.size(); ++i) {
    const auto byte = [&](size_t k) { return static_cast<unsigned char>(text[i + k]); };
    if (byte(0) == 0xef && byte(1) == 0xb7 && byte(2) >= 0x90 && byte(2) <= 0xaf) return true;
    if (byte(0) == 0xef && byte(1) == 0xbf && byte(2) >= 0xbe) return true;
    if (byte(0) >= 0xf0 && i + 3 < text.size() && (byte(1) & 0x0f) == 0x0f && byte(2) == 0xbf &&
        byte(3) >= 0xbe)
      return true;
  }
  return false;
}

// Where the nodes of the documents that it is told of begin. It keeps nothing else of them.
class DocumentRoots final : public YAML::EventHandler {
 public:
  const std::vector<YAML::Mark>& roots() const { return roots_; }
  void OnDocumentStart(const YAML::Mark&) override { inside_ = false; }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t) override { Note(mark); }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override { Note(mark); }
  void OnScalar(const YAML::Mark& mark, const std::string&, YAML::anchor_t, const std::string&) override {
    Note(mark);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {
    Note(mark);
  }
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t,
                  YAML::EmitterStyle::value) override {
    Note(mark);
  }
  void OnMapEnd() override {}

 private:
  void Note(const YAML::Mark& mark) {
    if (!inside_) roots_.push_back(mark);
    inside_ = true;
  }
  std::vector<YAML::Mark> roots_;
  bool inside_ = false;
};

// The first two documents at most: yaml-cpp finds empty ones without end where a token cannot begin a node.
std::vector<YAML::Mark> FirstDocuments(absl::string_view text) {
  std::istringstream stream{std::string(text)};
  YAML::Parser parser(stream);
  DocumentRoots documents;
  for (int i = 0; i < 2 && parser.HandleNextDocument(documents); ++i) {
  }
  return documents.roots();
}

}  // namespace

std::optional<ConfigTextError> ParseConfigText(absl::string_view text, YAML::Node& root) {
  text = WithoutByteOrderMark(text);
  if (auto wrong = WrongBytes(text)) return wrong;
  try {
    // Before a line end the parser takes the end of the text for the end of a text in quotes.
    (void)FirstDocuments(absl::StripTrailingAsciiWhitespace(text));
    const std::vector<YAML::Mark> documents = FirstDocuments(text);
    if (documents.size() > 1) {
      return ConfigTextError{
          LineOf(documents[1]),
          "a second document begins here (after --- or ...); one document is read: put all "
          "settings into it"};
    }
    root = YAML::Load(std::string(text));
  } catch (const YAML::Exception& error) {
    const bool open = absl::StrContains(error.msg, "EOF in scalar");
    return ConfigTextError{LineOf(error.mark),
                           absl::StrCat("not YAML: ", open ? "a text in quotes is not closed" : error.msg)};
  }
  return std::nullopt;
}

std::optional<ConfigTextError> ConfigEntries(const YAML::Node& mapping, std::vector<ConfigEntry>& entries) {
  return Merger(entries).Add(mapping, /*left=*/64);
}

std::string WrongSettingText(absl::string_view text) {
  const std::string shown = absl::StrCat("'", OneLine(text, 200), "'");
  if (absl::StrContains(text, '\0')) return absl::StrCat(shown, " holds a NUL character");
  if (HoldsNoncharacter(text))
    return absl::StrCat(shown, " holds what Unicode calls no character (U+FFFE, ...)");
  if (absl::StartsWith(text, "~")) {
    return absl::StrCat(
        shown,
        " begins with ~, which is not replaced by a home folder here: write the path out, or have "
        "the shell do it: --set field=\"$HOME/...\" (./~ for a folder of that name)");
  }
  for (size_t at = text.find('$'); at != absl::string_view::npos; at = text.find('$', at + 1)) {
    const char next = at + 1 < text.size() ? text[at + 1] : ' ';
    if (!absl::ascii_isalpha(static_cast<unsigned char>(next)) && next != '_' && next != '{' && next != '(')
      continue;
    return absl::StrCat(
        shown, " holds ", OneLine(text.substr(at, 2), 2),
        "..., and variables are not replaced here: write the value itself, or have the shell do "
        "it: --set field=\"$NAME\"");
  }
  return "";
}

}  // namespace lvrpo
