#include "gtest/gtest.h"
#include "tests/verifiers/number_case.h"

namespace lvrpo {
namespace {

// What is computed needs no name: the value is what it is equal to.
TEST(Equation, HasAValueAfterArithmetic) {
  ExpectInBoth({{"2+3 = 5", 5},
                {"2 + 3 = 5", 5},
                {"$2+3=5$", 5},
                {"12/4 = 3", 3},
                {"x = 2+3 = 5", 5},
                {"2 \\times 3 = 6", 6},
                {"(2+3)\\cdot 4 = 20", 20},
                {"100 - 20 = 80", 80},
                {"2^3 = 8", 8},
                {"5! = 120", 120},
                {"\\sqrt{16} = 4", 4},
                {"\\frac{6}{2} = 3", 3},
                {"\\log_2 8 = 3", 3},
                {"\\sin 30^\\circ = 0.5", 0.5},
                {"2\\pi \\approx 6.28", 6.28},
                {"1,000+2.5 = 1002.5", 1002.5},
                {"3 m + 2 m = 5 m", 5},
                {"25% + 5% = 30%", 30, true}});
}

TEST(Equation, HasNoneAfterAnUnknown) {
  ExpectNoneInBoth({"2x = 5", "2x + 1 = 5", "x^2 = 9", "x\u00B2 = 9", "c^2 = 25", "r^2 = 25", "2m = 10",
                    "\\ln x = 5", "xy = 5", "x/2 = 5", "|x| = 5"});
  for (const char* text : {"2+3 = x", "5 = 2+3", "2+3 = 5 = 4", "12/5 = 3", "2+3 = 5+x", "2, 3 = 5", "2+3"})
    Expect(WholeNumber(text), {text, kNone}, text);
}

// Figures that are known by their square.
TEST(Equation, KnowsNamesThatAreSquares) {
  ExpectInBoth({{"R\u00B2 = 0.9", 0.9},
                {"$R^2 = 0.9$", 0.9},
                {"R^{2} = 0.9", 0.9},
                {"r\u00B2 = 0.81", 0.81},
                {"R^2 \\approx 0.9", 0.9},
                {"R-squared = 0.9", 0.9},
                {"adjusted R\u00B2 = 0.85", 0.85},
                {"\u03C7\u00B2 = 3.84", 3.84},
                {"\\chi^2 = 3.84", 3.84},
                {"\\eta^2 = 0.14", 0.14}});
  Expect(LastNumber("The fit has R\u00B2 = 0.9."), {"", 0.9}, "in a sentence");
  ExpectNoneInBoth({"R\u00B2 = 25", "2R^2 = 0.9", "R^3 = 0.9", "R\u00B2 + 1 = 0.9"});
}

// "5+" is 5 or more.
TEST(Equation, HasNoNumberWithAPlusAfterIt) {
  for (const char* text : {"5+", "5+.", "5 apples and 5+", "5+ apples", "The answer is 5+."})
    Expect(LastNumber(text), {text, kNone}, text);
  Expect(WholeNumber("5+"), {"5+", kNone}, "5+");
}

}  // namespace
}  // namespace lvrpo
