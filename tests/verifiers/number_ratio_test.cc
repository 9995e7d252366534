#include "gtest/gtest.h"
#include "tests/verifiers/number_case.h"

namespace lvrpo {
namespace {

// The ratio is meant, and neither of its numbers.
TEST(Ratio, IsNoneInWords) {
  ExpectNoneInBoth({"5 parts per million",
                    "5 parts in a million",
                    "5 parts per 100,000",
                    "5 in a million",
                    "5 per million",
                    "5 per 1000",
                    "5 per thousand",
                    "1 in 5",
                    "1 in every 5",
                    "1 in every five",
                    "5 out of 10",
                    "5 out of ten",
                    "5 out of every 10",
                    "5 apples out of 10",
                    "3 people per 10",
                    "5 of 10",
                    "5 of the 10",
                    "3 for every 10",
                    "three out of 10",
                    "3 von 10",
                    "3 von je 10",
                    "3 von den 10",
                    "3 auf 1000",
                    "3 pro Million",
                    "3 pro tausend",
                    "3 sur 10",
                    "3 pour mille",
                    "3 parmi 10",
                    "3 personnes sur 10",
                    "3 de cada 10",
                    "3 por mil",
                    "3 de 10",
                    "3 su 10",
                    "3 su un milione",
                    "3 ogni 10",
                    "3 em cada 10",
                    "3 em 10",
                    "3 \u0438\u0437 10",
                    "3 \u0438\u0437 \u043A\u0430\u0436\u0434\u044B\u0445 10",
                    "3 \u043D\u0430 \u0442\u044B\u0441\u044F\u0447\u0443",
                    "10 op de 3",
                    "3 op 10",
                    "3 op de 10",
                    "3 av 10",
                    "3 z 10",
                    "10\u5206\u306E3",
                    "10\u5206\u4E4B3",
                    "10\u4EBA\u4E2D3\u4EBA",
                    "10\u4EBA\u306E\u3046\u30613\u4EBA",
                    "10\u4E2A\u4E2D\u67093\u4E2A",
                    "10\u4E2A\u91CC\u67093\u4E2A",
                    "10\uAC1C \uC911 3\uAC1C",
                    "10\uBA85 \uC911\uC5D0\uC11C 3\uBA85"});
}

TEST(Ratio, IsNoneWhereOneNumberIsBoxed) {
  for (const NumberCase& test : {NumberCase{" out of 10", kNone},
                                 {" in a million", kNone},
                                 {" parts per million", kNone},
                                 {" von 10", kNone},
                                 {" de cada 10", kNone},
                                 {" of the 10 apples", 5},
                                 {" of the apples", 5},
                                 {" in total", 5},
                                 {" per hour", 5},
                                 {" in 1990", 5}})
    Expect(NumberOfBox({5, false}, "So ", test.text), test, test.text);
  for (const char* before : {"3 out of ", "10 op de ", "1 in ", "one in "})
    Expect(NumberOfBox({5, false}, before, "."), {before, kNone}, before);
  Expect(NumberOfBox({20, true}, "So ", " of 50 people."), {"", 20, true}, "20% of 50 people");
}

TEST(Ratio, IsNoneOfAnyOtherTwoNumbers) {
  for (const NumberCase& test : {NumberCase{"The first landing was Apollo 11 in 1969.", 1969},
                                 {"He ran 5 laps in 10 minutes.", 10},
                                 {"There are 5 in one box.", 5},
                                 {"It is 5 in the morning.", 5},
                                 {"5 of the apples are red.", 5},
                                 {"From 5 to 10.", 10},
                                 {"5 in total", 5},
                                 {"8/10", 0.8}})
    Expect(LastNumber(test.text), test, test.text);
}

// An hour has no other number, and its minutes are not the answer.
TEST(Clock, IsTheHour) {
  ExpectInBoth({{"5 o'clock", 5}, {"5 o\u2019clock", 5}, {"5 Uhr", 5}, {"5 hours", 5}});
  ExpectNoneInBoth({"half past 5", "half past 5 o'clock", "quarter to 5", "quarter past 5", "halb 5",
                    "Viertel nach 5", "5 Uhr 30", "5 h 30", "5 pm", "5:30"});
}

}  // namespace
}  // namespace lvrpo
