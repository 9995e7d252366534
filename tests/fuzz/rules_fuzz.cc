#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/text_format.h>

#include <cstdlib>
#include <string>

#include "tests/fuzz/fuzz.h"
#include "verifiers/images/written_text.h"
#include "verifiers/rules/rules.h"

namespace {

// Rules of each kind as a prompt may have them; the whole input is judged by all of them.
constexpr const char* kRules[] = {
    R"(regex { pattern: "(?i)(a+)+b|\\d{3,9}|\\p{Greek}" })",
    R"(regex { pattern: "^.*$" must_not_match: true })",
    R"(json_schema { schema: "{\"properties\": {\"a\": {\"type\": [\"string\", \"integer\"], \"maxLength\": 3}},"
                             "\"multipleOf\": 2, \"uniqueItems\": true, \"items\": {\"anyOf\": ["
                             "{\"enum\": [1, \"a\"]}, {\"contains\": {\"minimum\": 1}}]}}" })",
    R"(json_schema { schema: "{\"not\": {\"type\": \"array\"}}" tag: "answer" })",
    R"(answer_tag { tag: "answer" })",
    R"(length { unit: UNIT_CHARACTERS most: 9 })",
    R"(length { unit: UNIT_WORDS least: 2 })",
    R"(length { unit: UNIT_SENTENCES least: 1 most: 3 })",
    R"(length { unit: UNIT_LINES most: 3 })",
    R"(script { script: "Latin" })",
    R"(exact_answer { answers: "yes" answers: "y" })",
    R"(numeric_answer { value: 42 })",
    R"(numeric_answer { value: 42 tag: "answer" })",
    R"(choice_answer { letter: "B" choices: "Rome" choices: "Paris" })",
    R"(choice_answer { letter: "C" tag: "answer" })",
};

// Some answer to a rule that was sent with it, or the same rule in the sender's own words.
void Judge(const lvrpo::v1::Rule& rule, absl::string_view text) {
  const absl::Status checked = lvrpo::CheckRule(rule);
  const absl::StatusOr<lvrpo::Verdict> verdict = lvrpo::VerifyText(rule, text);
  if (!checked.ok() && verdict.ok()) __builtin_trap();
  if (!verdict.ok()) return;
  const bool graded = verdict->grade >= 0 && verdict->grade <= 1;
  if (!graded || verdict->holds != (verdict->grade == 1)) __builtin_trap();
}

}  // namespace

// Any bytes as an answer, and, up to the first empty line, as a rule (protobuf's text form) or a JSON schema
// for the answer that follows.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view bytes = lvrpo::fuzz::Bytes(data, size);
  for (const char* text : kRules) {
    lvrpo::v1::Rule rule;
    if (!google::protobuf::TextFormat::ParseFromString(text, &rule) || !lvrpo::CheckRule(rule).ok())
      std::abort();
    Judge(rule, bytes);
  }
  (void)lvrpo::WrittenSimilarity("Open \xC3\xA9", bytes);

  const size_t border = bytes.find("\n\n");
  if (border == absl::string_view::npos) return 0;
  const std::string head(bytes.substr(0, border));
  const absl::string_view answer = bytes.substr(border + 2);
  lvrpo::v1::Rule rule;
  google::protobuf::TextFormat::Parser parser;
  parser.SetRecursionLimit(20);
  struct Silent : google::protobuf::io::ErrorCollector {
    void AddError(int, int, const std::string&) override {}
  } silent;
  parser.RecordErrorsTo(&silent);
  if (parser.ParseFromString(head, &rule)) Judge(rule, answer);
  rule.mutable_json_schema()->set_schema(head);
  Judge(rule, answer);
  rule.mutable_regex()->set_pattern(head);
  Judge(rule, answer);
  return 0;
}
