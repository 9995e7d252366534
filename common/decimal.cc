#include "common/decimal.h"

#include "absl/strings/ascii.h"

namespace lvrpo {
namespace {

// Removes leading digits; how many.
size_t TakeDigits(absl::string_view* text) {
  size_t count = 0;
  while (count < text->size() && absl::ascii_isdigit(static_cast<unsigned char>((*text)[count]))) ++count;
  text->remove_prefix(count);
  return count;
}

void TakeSign(absl::string_view* text) {
  if (!text->empty() && (text->front() == '-' || text->front() == '+')) text->remove_prefix(1);
}

}  // namespace

bool IsDecimal(absl::string_view text) {
  TakeSign(&text);
  const bool zero = !text.empty() && text.front() == '0';
  const size_t whole = TakeDigits(&text);
  if (zero && whole > 1) return false;
  size_t fraction = 0;
  if (!text.empty() && text.front() == '.') {
    text.remove_prefix(1);
    fraction = TakeDigits(&text);
  }
  if (whole + fraction == 0) return false;
  if (text.empty()) return true;
  if (text.front() != 'e' && text.front() != 'E') return false;
  text.remove_prefix(1);
  TakeSign(&text);
  return TakeDigits(&text) > 0 && text.empty();
}

}  // namespace lvrpo
