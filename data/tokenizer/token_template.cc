#include "data/tokenizer/token_template.h"

#include "absl/strings/str_cat.h"
#include "data/tokenizer/tokenizer_json.h"

namespace lvrpo {
namespace {

using nlohmann::json;

absl::StatusOr<int32_t> TokenId(const json& id, int32_t vocabulary_size, const std::string& where) {
  if (!id.is_number_unsigned() || id.get<uint64_t>() >= static_cast<uint64_t>(vocabulary_size)) {
    return absl::InvalidArgumentError(
        absl::StrCat(where, ": an id is not a number from 0 to ", vocabulary_size - 1));
  }
  return id.get<int32_t>();
}

absl::StatusOr<TokenTemplate> TemplateProcessing(const json& spec, int32_t vocabulary_size,
                                                 const std::string& where) {
  const json single = spec.value("single", json()), specials = spec.value("special_tokens", json());
  if (!single.is_array() || single.size() > kMaxComponents || !specials.is_object()) {
    return absl::InvalidArgumentError(absl::StrCat(where, ": single has to be a list of at most ",
                                                   kMaxComponents, " pieces, special_tokens an object"));
  }
  TokenTemplate made;
  bool text_seen = false;
  for (const json& piece : single) {
    const bool is_text = piece.is_object() && piece.size() == 1 && piece.contains("Sequence");
    const bool is_token = piece.is_object() && piece.size() == 1 && piece.contains("SpecialToken");
    if (!is_text && !is_token) {
      return absl::InvalidArgumentError(
          absl::StrCat(where, ": a piece of single is neither a Sequence nor a SpecialToken"));
    }
    const absl::StatusOr<std::string> name = StringMember(piece.front(), "id", where + ".single");
    if (!name.ok()) return name.status();
    if (is_text) {
      if (*name != "A" || text_seen) {
        return absl::InvalidArgumentError(
            absl::StrCat(where, ": single has to hold the sequence A once, and no other"));
      }
      text_seen = true;
      continue;
    }
    const json token = specials.value(*name, json());
    const json ids = token.is_object() ? token.value("ids", json()) : json();
    if (!ids.is_array() || ids.size() > kMaxComponents) {
      return absl::InvalidArgumentError(absl::StrCat(where, ": special_tokens has no list of at most ",
                                                     kMaxComponents, " ids for ", QuoteToken(*name)));
    }
    for (const json& id : ids) {
      const absl::StatusOr<int32_t> checked =
          TokenId(id, vocabulary_size, absl::StrCat(where, ".special_tokens"));
      if (!checked.ok()) return checked.status();
      (text_seen ? made.after : made.before).push_back(*checked);
    }
  }
  if (!text_seen)
    return absl::InvalidArgumentError(absl::StrCat(where, ": single does not hold the sequence A"));
  return made;
}

// {"cls": ["<s>", 0], "sep": ["</s>", 2]}
absl::StatusOr<TokenTemplate> StartAndEnd(const json& spec, int32_t vocabulary_size,
                                          const std::string& where) {
  TokenTemplate made;
  for (const auto& [name, ids] : {std::pair("cls", &made.before), std::pair("sep", &made.after)}) {
    const json token = spec.value(name, json());
    if (!token.is_array() || token.size() != 2)
      return absl::InvalidArgumentError(absl::StrCat(where, ": ", name, " has to be a token and its id"));
    const absl::StatusOr<int32_t> id = TokenId(token[1], vocabulary_size, absl::StrCat(where, ".", name));
    if (!id.ok()) return id.status();
    ids->push_back(*id);
  }
  return made;
}

absl::StatusOr<TokenTemplate> Sequence(const json& spec, int32_t vocabulary_size, const std::string& where) {
  const json members = spec.value("processors", json());
  if (!members.is_array() || members.size() > kMaxComponents) {
    return absl::InvalidArgumentError(
        absl::StrCat(where, ": processors has to be a list of at most ", kMaxComponents));
  }
  TokenTemplate made;
  for (size_t i = 0; i < members.size(); ++i) {
    const absl::StatusOr<TokenTemplate> member =
        TokenTemplate::FromJson(members[i], vocabulary_size, absl::StrCat(where, ".processors[", i, "]"));
    if (!member.ok()) return member.status();
    // A later member works on what the earlier ones gave.
    made.before.insert(made.before.begin(), member->before.begin(), member->before.end());
    made.after.insert(made.after.end(), member->after.begin(), member->after.end());
    if (made.count() > kMaxComponents * kMaxComponents)
      return absl::InvalidArgumentError(
          absl::StrCat(where, ": it adds more than ", kMaxComponents * kMaxComponents, " tokens"));
  }
  return made;
}

}  // namespace

absl::StatusOr<TokenTemplate> TokenTemplate::FromJson(const json& spec, int32_t vocabulary_size,
                                                      const std::string& where) {
  if (spec.is_null()) return TokenTemplate();
  const absl::StatusOr<std::string> type = StringMember(spec, "type", where);
  if (!type.ok()) return type.status();
  if (*type == "ByteLevel") return TokenTemplate();
  if (*type == "TemplateProcessing") return TemplateProcessing(spec, vocabulary_size, where);
  if (*type == "RobertaProcessing" || *type == "BertProcessing")
    return StartAndEnd(spec, vocabulary_size, where);
  if (*type == "Sequence") return Sequence(spec, vocabulary_size, where);
  return absl::UnimplementedError(
      absl::StrCat(where, ": the post-processor ", QuoteToken(*type),
                   " is not supported (TemplateProcessing, RobertaProcessing, BertProcessing, ByteLevel and "
                   "Sequence are)"));
}

}  // namespace lvrpo
