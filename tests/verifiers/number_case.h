#pragma once

#include <cmath>
#include <limits>
#include <optional>

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

}  // namespace lvrpo
