#pragma once

#include <string_view>

// The English of data/prompts/key_phrases.h: lists of closed-class and frequent words, and endings that
// classify the rest. Words are lower-case. Pure functions.
namespace lvrpo::phrase {

enum class WordClass {
  kNoun,         // the default
  kAdjective,    // "red"
  kManner,       // "brightly"
  kParticiple,   // "running", "painted", "broken": an adjective or a verb, by its place
  kVerb,         // "sits"
  kCopula,       // "is"
  kArticle,      // asks for a singular: "a", "each"
  kDeterminer,   // "the", "her", and numbers: "three", "12"
  kNegative,     // what follows is not in the picture: "no", "without"
  kPreposition,  // and every other function word that ends a phrase: "with", "it", "then"
  kOf,
  kTo,
  kConjunction,  // "and"
  kDegree,       // "very": skipped
};

// Properties of single words; a word may have several.
enum Trait : unsigned {
  kNounToo = 1u << 0,         // an adjective that may also be the thing: "orange"
  kSingularInS = 1u << 1,     // not a plural, though it looks like one: "bus"
  kPluralWithoutS = 1u << 2,  // "children"
  kPicture = 1u << 3,         // frames a prompt: "photo"
  kPictureWithOf = 1u << 4,   // frames a prompt when "of" or the like follows: "painting"
  kMeasure = 1u << 5,         // says how many when "of" follows: "group"
  kPlace = 1u << 6,           // says where: "left", "background"
  kTime = 1u << 7,            // says when: "night"
  kLook = 1u << 8,            // says how the picture looks: "style"
  kLookInTail = 1u << 9,      // the same, after a comma: "digital art"
  kNamesText = 1u << 10,      // names the quoted text after it: "words"
  kImperative = 1u << 11,     // asks for a picture: "draw"
  kTakesObject = 1u << 12,    // an -ing word that is a verb where no determiner stands before: "wearing"
  kShows = 1u << 13,          // leads from a frame to what is seen: "showing"
  kCompoundInEd = 1u << 14,   // joins a noun before it: "snow covered"
  kVerbBase = 1u << 15,       // verb, and perhaps noun: "watch"
};

WordClass ClassOf(std::string_view word);
bool Has(std::string_view word, Trait trait);
// Has a plural ending, or is a listed irregular plural.
bool IsPlural(std::string_view word);
// Ends in s and so may be the third person of a verb.
bool EndsAsVerb(std::string_view word);
// The base form of a listed verb, or the verb itself.
bool IsVerbForm(std::string_view word);

}  // namespace lvrpo::phrase
