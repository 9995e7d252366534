#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace lvrpo {

// The objects that an English image prompt names, one phrase each: a noun with the adjectives, participles
// and nouns before it, lower-case, in the order of the prompt, none twice, at most 64 (CheckPromptBounds).
// For PromptRecord.key_phrases; rules over word lists (data/prompts/phrase_words.h), no model.
//
//   "a photo of a red apple and a green bench"  red apple, green bench
//   "two dogs left of a traffic light"          dogs, traffic light
//   "a big, fluffy dog wearing a red and white hat, oil painting"  big fluffy dog, red and white hat
//
// Left out:
// - determiners, numbers and degrees: counts are for rules to check, and the noun keeps its number ("dogs");
// - what frames the picture ("a photo of", "draw", "an image that shows") or says how it looks ("digital
// art",
//   "in the style of ..." up to the next comma), where ("the left side", "in the background") or when ("at
//   night"); words of measure before "of" ("a group of");
// - quoted text, and "the words" before it: they are for WrittenTextRule;
// - adjectives without a noun ("the wall is dark green"), and what is not there ("no hat", "without a hat").
// A possessor is a separate object ("a child's hand": child, hand). "of" and "with" separate ("cup of tea":
// cup, tea). Of a phrase of more than 8 words the last 8 are kept.
//
// Never fails: ill-formed UTF-8 is repaired, and a prompt without a noun phrase becomes the only phrase
// itself, stripped of white space; an empty prompt has none. Linear time.
std::vector<std::string> ExtractKeyPhrases(std::string_view prompt);

}  // namespace lvrpo
