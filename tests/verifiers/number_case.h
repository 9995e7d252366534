#pragma once

#include <cmath>
#include <limits>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "gtest/gtest.h"
#include "verifiers/numbers/number_in_text.h"

namespace lvrpo {

inline constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

struct NumberCase {
  const char* text;
  double value;  // kNone: no number
  bool percent = false;
};

inline void Expect(const std::optional<NumberInText>& number, const NumberCase& wanted,
                   absl::string_view of) {
  if (std::isnan(wanted.value)) {
    EXPECT_FALSE(number.has_value()) << of << " gave " << number->value;
    return;
  }
  ASSERT_TRUE(number.has_value()) << of;
  EXPECT_DOUBLE_EQ(number->value, wanted.value) << of;
  EXPECT_EQ(number->percent, wanted.percent) << of;
}

// In a box and at the end of a text that has other numbers.
template <size_t kCount>
void ExpectInBoth(const NumberCase (&cases)[kCount]) {
  for (const NumberCase& test : cases) {
    Expect(WholeNumber(test.text), test, absl::StrCat("box: ", test.text));
    for (const std::string& text :
         {std::string(test.text), absl::StrCat("We know 9 and 8. So the answer is ", test.text, "."),
          absl::StrCat("Work: 7\n\n", test.text, "\n")})
      Expect(LastNumber(text), test, text);
  }
}

template <size_t kCount>
void ExpectNoneInBoth(const char* const (&cases)[kCount]) {
  for (const char* text : cases) {
    Expect(WholeNumber(text), {text, kNone}, absl::StrCat("box: ", text));
    for (const std::string& sentence : {std::string(text), absl::StrCat("Then it is ", text)})
      Expect(LastNumber(sentence), {text, kNone}, sentence);
  }
}

}  // namespace lvrpo
