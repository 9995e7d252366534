#include "verifiers/number_tokens/number_words.h"

namespace lvrpo::numbers {

namespace {

constexpr absl::string_view kTerms[] = {
    "\u9055\u3044\u307E\u3059",  // taken back
    "\u9055\u3046",
    "\u3044\u3044\u3048",
    "\u5F85\u3063\u3066",
    "\u7B49\u7B49",
    "\u7B49\u4E00\u4E0B",
    "\uC544\uB2C8\uC694",
    "\uC544\uB2C8\uC624",
    "\uC544\uB1E8",
    "\uC7A0\uAE50",
    "\uAC1C\uC6D4",
    "\u304B\u6708",
    "\u30F6\u6708",
    "\u500B\u6708",
    "\u4E2A\u6708",
    "\u9031\u9593",
    "\u516C\u65A4",
    "\u5343\u514B",
    "\u5398\u7C73",
    "\u3088\u308A",
    "\u7B54\u6848",
    "\u7ED3\u679C",
    "\u7B49\u4E8E",
    "\u3067\u3059",
    "\u6B63\u3057\u304F",
    "\uC815\uB2F5",
    "\u3042\u308A\u307E\u305B\u3093",
    "\uC544\uB2D9",
    "\u304B\u3051\u308B",  // operations
    "\u8DB3\u3059",
    "\u5F15\u304F",
    "\u5272\u308B",
    "\u52A0\u4E0A",
    "\u4E58\u4EE5",
    "\u9664\u4EE5",
    "\u51CF\u53BB",
    "\u6E1B\u53BB",
    "\uB354\uD558\uAE30",
    "\uACF1\uD558\uAE30",
    "\uBE7C\uAE30",
    "\uB098\uB204\uAE30",
    "\u4EE5\u4E0A",
    "\u4EE5\u4E0B",
    "\u4EE5\u5185",
    "\u4EE5\u5167",
    "\u672A\u6E80",
    "\u672A\u6EE1",
    "\u672A\u6EFF",
    "\uC774\uC0C1",
    "\uC774\uD558",
    "\uBBF8\uB9CC",
    "\uCD08\uACFC",
    "\u4E0D\u8D85\u8FC7",
    "\u8D85\u8FC7",
    "\u8D85\u904E",
    "\u5927\u4E8E",
    "\u5927\u65BC",
    "\u5C0F\u4E8E",
    "\u5C0F\u65BC",
    "\u81F3\u5C11",
    "\u81F3\u591A",
    "\u6700\u591A",
    "\u6700\u5C11",
    "\u9AD8\u4E8E",
    "\u4F4E\u4E8E",
    "\u591A\u4E8E",
    "\u5C11\u4E8E",
    "\u5C0F\u65F6",
    "\u5C0F\u6642",
    "\u6642\u9593",
    "\uC2DC\uAC04",
    "\u4E0D\u5BF9",
    "\u4E0D\u5C0D",
    "\u9519\u8BEF",
    "\u932F\u8AA4",
    "\u9593\u9055",
    "\uC624\uB2F5",
    "\uD2C0\uB838",
    "\uD2C0\uB9B0",
    "\uC544\uB2C8",
    "\uC544\uB2CC",
    "\u306A\u3044",
    "\u3058\u3083",
    "\u5F53\u4E2D",  // among so many
    "\u4E4B\u4E2D",
    "\u306E\u3046\u3061",
    "\u306B\u3064\u304D",
    "\u3042\u305F\u308A",
    "\u5F53\u305F\u308A",
    "\uC911\uC5D0\uC11C",
    "\uC911\uC5D0",
    "\uAC00\uC6B4\uB370",
    "\u5206\u4E4B",  // of so many parts
    "\u5206\u306E",
    "\uBD84\uC758",
    "\u6B21\u65B9",  // powers
    "\u7684\u5E73\u65B9",
    "\uC81C\uACF1\uADFC",
    "\uC138\uC81C\uACF1",
    "\uC81C\uACF1",
    "\uACC4\uC2B9",
    "\uD329\uD1A0\uB9AC\uC5BC",
    "\u9636\u4E58",
    "\u968E\u4E58",
    "\u968E\u4E57",
    "\u306E\u5E73\u65B9",
    "\u7ACB\u65B9\u6839",
    "\u6839\u53F7",
    "\u6839\u865F",
    "\u30EB\u30FC\u30C8",
    "\uB8E8\uD2B8",                                                        // roots, factorials
    "\u0E40\u0E1B\u0E2D\u0E23\u0E4C\u0E40\u0E0B\u0E47\u0E19\u0E15\u0E4C",  // percent
    "\u30D1\u30FC\u30BB\u30F3\u30C8",
    "\uD37C\uC13C\uD2B8",
    "\uD504\uB85C",
    "\u767E\u5206\u4E4B",        // percent, before the number
    "\u30DE\u30A4\u30CA\u30B9",  // minus
    "\uB9C8\uC774\uB108\uC2A4",
    "\u96F6\u4E0B",
    "\u0E25\u0E1A",
    "\u767E\u4E07",  // scales of more than one character
    "\u767E\u842C",
    "\u0E2B\u0E21\u0E37\u0E48\u0E19",
    "\u0E41\u0E2A\u0E19",
    "\u0E1E\u0E31\u0E19",
    "\u0E23\u0E49\u0E2D\u0E22",
    "\u0E25\u0E49\u0E32\u0E19",
    "\u6216\u8005",  // or
    "\u307E\u305F\u306F",
};

}  // namespace

absl::string_view LeadingTerm(absl::string_view text) {
  for (const absl::string_view term : kTerms) {
    if (text.substr(0, term.size()) == term) return text.substr(0, term.size());
  }
  return "";
}

}  // namespace lvrpo::numbers
