#include "data/tokenizer/hf_tokenizer.h"
#include "tests/fuzz/fuzz.h"

// A tokenizer.json that loads must encode and decode whatever text.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view bytes = lvrpo::fuzz::Bytes(data, size);
  absl::StatusOr<lvrpo::TokenizerJson> json = lvrpo::ParseTokenizerJson(bytes, "fuzz");
  if (!json.ok()) return 0;
  const auto tokenizer = lvrpo::HfTokenizer::FromJson(*std::move(json), bytes, "fuzz", {});
  if (!tokenizer.ok()) return 0;
  const absl::string_view texts[] = {"", "Hello, wide  world!\r\n 12 <|im_end|> \xc3\xa9\xf0\x9f\x98\x80",
                                     bytes.substr(0, 300)};
  for (const absl::string_view text : texts) {
    const auto ids = (*tokenizer)->Encode(text, {.truncation = {{.max_length = 64}}});
    if (ids.ok()) (void)(*tokenizer)->Decode(*ids, true);
  }
  return 0;
}
