#include "gtest/gtest.h"
#include "tests/verifiers/number_case.h"

namespace lvrpo {
namespace {

// A sentence that says no more than that it is wrong.
TEST(TakenBack, IsNone) {
  const char* const denials[] = {"? No.",
                                 "? No, 6 is.",
                                 ". No.",
                                 "! No, wait.",
                                 ". Wrong.",
                                 ". That is wrong.",
                                 ". This is not right.",
                                 ". Not correct.",
                                 " (no)",
                                 ": no",
                                 "\nNo.",
                                 ". Wait, no.",
                                 ". Just kidding.",
                                 ". Correction: it is six.",
                                 "? Nein.",
                                 ". Das ist falsch.",
                                 "? Non.",
                                 ". C'est faux.",
                                 "? N\u00E3o.",
                                 "? \u041D\u0435\u0442.",
                                 "? \u042D\u0442\u043E \u043D\u0435\u0432\u0435\u0440\u043D\u043E.",
                                 "\uFF1F\u4E0D\u5BF9\u3002",
                                 "\u3002\u4E0D\u662F\u3002",
                                 "\uFF1F\u3044\u3044\u3048\u3002",
                                 "? \uC544\uB2C8\uC694."};
  for (const char* denial : denials) {
    Expect(NumberOfBox({5, false}, "Is it ", denial), {denial, kNone}, denial);
    if (absl::string_view(denial).find('6') != absl::string_view::npos) continue;
    const std::string text = absl::StrCat("Is it 5", denial);
    Expect(LastNumber(text), {denial, kNone}, text);
  }
  for (const char* more :
       {"? Yes.", "? Yes, it is.", ".", "!", ". Not 6.", ". No other value works.", ". No doubt.",
        ". It is not hard to see why.", ". Wrong answers are even.", ". Right.", "\nNotes follow.",
        ", not six.", ". No entanto, verificamos.", "? Not wrong."})
    Expect(NumberOfBox({5, false}, "Is it ", more), {more, 5}, more);
}

}  // namespace
}  // namespace lvrpo
