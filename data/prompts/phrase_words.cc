#include "data/prompts/phrase_words.h"

#include <algorithm>
#include <string>
#include <unordered_map>
#include <vector>

#include "absl/strings/ascii.h"

namespace lvrpo::phrase {
namespace {

struct ClassList {
  WordClass word_class;
  const char* words;
};

// A word in two lists has the class of the first list.
constexpr ClassList kClasses[] = {
    {WordClass::kArticle, "a an each every another one this"},
    {WordClass::kDeterminer,
     "the these those my your his her its our their some any both either all few several many much more "
     "most other various multiple numerous countless half dozen dozens hundred hundreds thousand "
     "thousands million two three four five six seven eight nine ten eleven twelve thirteen fourteen "
     "fifteen sixteen seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety "
     "zero such what whose"},
    {WordClass::kNegative, "no without lacking"},
    {WordClass::kOf, "of"},
    {WordClass::kTo, "to"},
    {WordClass::kConjunction, "and or but nor & plus"},
    {WordClass::kDegree, "very extremely really quite rather so too fairly incredibly highly slightly"},
    {WordClass::kCopula,
     "is are was were be been being am isn't aren't wasn't weren't it's there's that's he's she's "
     "they're looks seems appears becomes feels look seem appear become remains has have had does do did "
     "can could will would shall should may might must cannot can't doesn't don't didn't won't who's "
     "what's here's"},
    {WordClass::kPreposition,
     "about above across after against ahead aside along alongside amid amidst among amongst around as "
     "at atop away back before behind below beneath beside besides between beyond by despite down "
     "downwards during except for forward from in inside into like near nearby next off on onto opposite "
     "out outside over past per since than through throughout till toward towards under underneath "
     "unlike until up upon upwards via versus vs with within worth i me you he him she it we us they "
     "them who whom which that there here where when while why how someone somebody something anyone "
     "anything everyone everything nobody nothing none myself yourself himself herself itself ourselves "
     "themselves mine yours hers ours theirs whoever whatever if because although though unless whereas "
     "whether yet not never ever always often sometimes usually also just only even still already again "
     "once twice then now soon later ago almost nearly maybe perhaps together apart alone aloft afloat "
     "adrift asleep awake alive ablaze aglow afar upside overhead underfoot indoors outdoors upstairs "
     "downstairs inward outward sideways everywhere somewhere anywhere nowhere thus hence therefore "
     "however instead else etc eg ie please let let's thanks due 2k 4k 8k 16k hd uhd hdr fullhd"},
    {WordClass::kVerb,
     "sit sits sat sitting stands stood walks runs ran jumps leaps sleeps slept sleep eats ate eat holds "
     "held hold wears wore wear carries carry reads wrote writes write sings sang sing plays rides rode "
     "ride drives drove drive swims swam swim climbs climb chases chase grazes graze gazes stares peers "
     "peeks emerges emerge hangs hang floats drifts hovers soars soar glides leans lean lies lay rests "
     "waits wait grows grow grew glows shines shone sparkles twinkles rises falls fell fills surrounds "
     "surround reflects shows shown show says say said contains contain consists consist includes "
     "include including featuring features depicts depicting depict showing displaying displays captures "
     "capturing portraying portrays wraps throws threw catches caught kicks pulls pushes drags lifts "
     "pours drips stretches spreads touches reaches grabs bites licks sniffs sips picks collects gathers "
     "follows leads led enjoys enjoy performs perform dances bakes bake smiles laughs cries talks speaks "
     "listens listen thinks sees see seen hears hear gives give gave takes take took makes make made "
     "gets get got puts put goes go went gone comes come came keeps keep kept brings bring brought finds "
     "find found meets met becomes stare examines examine rescues observes observe approaches overlooks "
     "overlooking using wearing having belonging trending gallops strolls wanders crouches kneels kneel "
     "crawls crawl knits sews sweeps hikes surfs skates juggles pets strokes hugs hug kisses fights "
     "fight attacks defends defend protects protect celebrates celebrate prepares prepare serves serve "
     "sells sell buys buy tries try wants want needs need loves likes gather explores explore roams roam "
     "dangles perches balances howls howl barks roars roar"},
    {WordClass::kNoun,
     "building painting ceiling evening morning king ring wing string spring thing clothing wedding "
     "lightning swing earring viking pudding drawing railing awning crossing engraving etching sling "
     "sibling duckling seedling sapling gosling offspring flooring icing dressing stuffing frosting "
     "stocking siding landing setting lighting housing carving tubing lining bedding herring starling "
     "sterling beijing rendering being covering blessing meeting greeting filling topping outing "
     "plumbing rigging clearing dumpling sting bling darling shopping camping bed shed sled seed reed "
     "weed breed feed speed moped biped quadruped steed creed butterfly family lily belly jelly fly "
     "italy holly bully rally valley assembly monopoly anomaly dragonfly firefly ally reply supply "
     "barfly blowfly housefly july doily"},
    {WordClass::kAdjective,
     // Colours.
     "red orange yellow green blue purple pink brown black white gray grey gold silver golden teal "
     "turquoise crimson scarlet violet indigo cyan magenta beige tan maroon navy pale dark light bright "
     "vivid deep pastel colorful colourful multicolored multicoloured monochrome transparent translucent "
     "metallic iridescent shiny shimmering glossy matte reddish bluish greenish yellowish "
     // Size, shape, age.
     "big large small tiny little huge giant gigantic enormous massive miniature mini tall short long "
     "wide narrow broad thin thick fat slim slender round circular oval rectangular triangular curved "
     "straight flat sharp blunt pointed pointy curly wavy spiky heavy lightweight old young new ancient "
     "modern elderly vintage antique retro futuristic medieval victorian contemporary traditional "
     "classic historic prehistoric mature fresh stale "
     // Matter and state.
     "wooden woolen woollen leathery silky smooth rough soft hard fluffy furry fuzzy hairy bald wet dry "
     "damp muddy dusty dirty clean rusty mossy sandy rocky grassy snowy icy frosty rainy sunny cloudy "
     "foggy misty windy stormy hazy smoky starry moonlit sunlit hot cold warm cool frozen empty open "
     "closed broken loose tight ripe raw crispy crunchy juicy spicy sweet sour bitter creamy sticky "
     "greasy crystalline stained floral leafy lush dense sparse bare barren wild tame domestic rural "
     "urban suburban tropical arctic alpine coastal underwater underground aerial outdoor indoor "
     // Looks and moods.
     "beautiful pretty ugly lovely cute adorable handsome gorgeous elegant graceful fancy luxurious "
     "ornate simple plain cozy cosy rustic quaint quiet noisy loud silent calm peaceful serene tranquil "
     "busy crowded happy sad angry cheerful joyful playful sleepy tired lazy curious shy brave proud "
     "scary spooky eerie creepy mysterious magical mystical mythical enchanted haunted ghostly surreal "
     "abstract realistic photorealistic hyperrealistic cinematic dramatic epic majestic grand "
     "magnificent spectacular stunning amazing incredible delicate intricate detailed minimalist minimal "
     "whimsical dreamy ethereal cosmic celestial gentle fierce friendly lonely lively silly funny "
     "serious wise evil good bad nice great perfect strange weird odd unusual unique rare common famous "
     "royal noble holy sacred divine rich poor expensive cheap strong weak powerful fast slow quick "
     "swift steep shallow high low distant far close full lone single double triple lush blurry "
     "crystal-clear clear cloudless left right upper lower central middle front rear northern southern "
     "eastern western american british chinese japanese french german italian spanish russian indian "
     "african european asian mexican greek roman egyptian arabic persian turkish korean norse celtic "
     "gothic baroque woolly curly burly scaly wooly smelly chilly hilly jolly"},
    {WordClass::kParticiple,
     "worn torn built hung drawn woven thrown written eaten fallen hidden lit bent cut grown driven "
     "ridden sunken sunk spun stolen wound swept bound shaken overgrown handmade blown forgotten sewn "
     "knit mown sown strewn stuck split shut carven lost"},
};

struct TraitList {
  Trait trait;
  const char* words;
};

constexpr TraitList kTraits[] = {
    {kNounToo, "orange gold silver giant light square violet"},
    {kSingularInS,
     "christmas canvas lens gas atlas series species scissors skis glasses jeans stairs headquarters "
     "crossroads news rhinoceros binoculars pants shorts trousers cosmos texas paris angeles wales "
     "athens vegas mars sports always pancreas pajamas pyjamas tongs swiss times ruins overalls bellows "
     "barracks james thomas louis charles cyprus naples brussels alps andes"},
    {kPluralWithoutS,
     "people men women children geese mice teeth feet fishermen firemen policemen businessmen snowmen "
     "policewomen oxen cacti fungi cattle grandchildren"},
    {kPicture,
     "photo photos photograph photographs image images picture pictures pic shot snapshot close-up "
     "closeup view render rendering scene depiction illustration selfie visualization visualisation"},
    {kPictureWithOf,
     "painting paintings drawing sketch portrait poster print etching engraving cartoon comic art "
     "artwork still life watercolor watercolour interior exterior inside wallpaper collage diorama "
     "graphic logo icon woodcut model footage frame capture composition representation"},
    {kMeasure,
     "group groups pair pairs couple bunch lot lots variety series set piece pieces kind kinds type "
     "types sort sorts number dozen dozens hundreds thousands collection array handful plenty assortment "
     "row rows range amount quantity bit"},
    {kPlace,
     "left right top bottom middle center centre side sides front rear background foreground distance "
     "back corner corners edge edges end midst shape form direction upper lower far very other both "
     "opposite inside outside"},
    {kTime,
     "night nights day days morning afternoon evening dawn dusk noon midnight daytime nighttime time "
     "moment hour autumn winter summer spring season year years century"},
    {kLook,
     "style styles lighting mood atmosphere quality resolution detail details composition aesthetic "
     "aesthetics vibe vibes color colors colour colours palette perspective focus blur bokeh artstation "
     "exposure ambiance ambience tone tones theme manner way action motion contrast realism view views"},
    {kLookInTail,
     "art artwork painting drawing sketch illustration photo photography photograph portrait render "
     "rendering engine lens film wallpaper masterpiece concept graphics cgi anime 3d shot closeup "
     "close-up animation comic cartoon"},
    {kNamesText, "text word words letters letter caption title phrase slogan message inscription name"},
    {kImperative,
     "generate create draw paint make show design depict illustrate render imagine produce give sketch "
     "visualize visualise photograph want need"},
    {kTakesObject,
     "wearing holding carrying eating drinking riding playing reading driving pulling pushing showing "
     "using making cooking watching chasing throwing catching feeding hugging kissing painting drawing "
     "writing building climbing facing crossing covering surrounding overlooking supporting having "
     "taking giving getting putting dragging lifting kicking hitting blowing pouring cutting chopping "
     "washing cleaning selling buying hunting guarding spreading stretching opening revealing reflecting "
     "touching grabbing biting licking sniffing sipping picking collecting gathering fighting attacking "
     "following leading enjoying featuring depicting displaying containing raising waving casting "
     "creating filling surfing stirring mending knitting kneading"},
    {kShows, "of showing depicting featuring displaying capturing portraying that where which with in"},
    {kCompoundInEd,
     "covered capped lined lit shaped colored coloured topped walled paved framed fired powered grown "
     "dried baked haired eyed tiled dyed carved soaked drenched filled winged legged tailed roofed clad"},
    {kVerbBase,
     "watch cross block hammer water drink cook bloom splash light paint plant fly wave roll land sail "
     "park catch reach see buy get eat find meet take make build guard defend attack chase feed walk run "
     "jump look face cover frame sign rest stand play ride pass bend turn sway swing burn flow crash "
     "crawl stir pull lead pour throw rescue examine tend trim toss spray cast steer tow paddle row hunt "
     "fish save help visit explore carve polish shape study"},
};

struct Entry {
  WordClass word_class = WordClass::kNoun;
  bool listed = false;  // in kClasses; otherwise the ending tells
  unsigned traits = 0;
};

std::vector<std::string_view> WordsOf(std::string_view list) {
  std::vector<std::string_view> words;
  while (!list.empty()) {
    const size_t end = std::min(list.find(' '), list.size());
    if (end > 0) words.push_back(list.substr(0, end));
    list.remove_prefix(std::min(end + 1, list.size()));
  }
  return words;
}

const Entry& Find(std::string_view word) {
  using Table = std::unordered_map<std::string_view, Entry>;
  static const Table& table = *new Table([] {
    Table made;
    for (const ClassList& list : kClasses) {
      for (const std::string_view word : WordsOf(list.words)) {
        Entry& entry = made[word];
        if (!entry.listed) entry.word_class = list.word_class;
        entry.listed = true;
      }
    }
    for (const TraitList& list : kTraits) {
      for (const std::string_view word : WordsOf(list.words)) made[word].traits |= list.trait;
    }
    return made;
  }());
  static const Entry& unknown = *new Entry;
  const auto found = table.find(word);
  return found == table.end() ? unknown : found->second;
}

bool EndsIn(std::string_view word, std::string_view ending, size_t least) {
  return word.size() >= least && word.ends_with(ending);
}

bool IsNumeral(std::string_view word) {
  return std::all_of(word.begin(), word.end(), [](char c) { return absl::ascii_isdigit(c) || c == '-'; });
}

}  // namespace

WordClass ClassOf(std::string_view word) {
  const Entry& entry = Find(word);
  if (entry.listed) return entry.word_class;
  if (IsNumeral(word)) return WordClass::kDeterminer;
  if (EndsIn(word, "ly", 5)) return WordClass::kManner;
  if (EndsIn(word, "ing", 5) || (EndsIn(word, "ed", 4) && !word.ends_with("eed")))
    return WordClass::kParticiple;
  for (const std::string_view ending : {"ful", "less", "ous", "ish", "ible"}) {
    if (EndsIn(word, ending, 7) && !word.ends_with("fish")) return WordClass::kAdjective;
  }
  return WordClass::kNoun;
}

bool Has(std::string_view word, Trait trait) { return (Find(word).traits & trait) != 0; }

bool EndsAsVerb(std::string_view word) {
  return EndsIn(word, "s", 4) && !absl::ascii_isdigit(word[0]) && !word.ends_with("ss") &&
         !word.ends_with("us") && !word.ends_with("is") && !Has(word, kSingularInS);
}

bool IsPlural(std::string_view word) { return Has(word, kPluralWithoutS) || EndsAsVerb(word); }

bool IsVerbForm(std::string_view word) {
  if (Has(word, kVerbBase)) return true;
  if (!EndsAsVerb(word)) return false;
  word.remove_suffix(1);
  if (Has(word, kVerbBase)) return true;
  if (!word.ends_with("e")) return false;
  word.remove_suffix(1);
  return Has(word, kVerbBase) ||
         (word.ends_with("i") && Has(std::string(word.substr(0, word.size() - 1)) + "y", kVerbBase));
}

}  // namespace lvrpo::phrase
