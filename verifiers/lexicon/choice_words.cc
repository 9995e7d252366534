#include "verifiers/lexicon/choice_words.h"

#include "verifiers/lexicon/choice_words_tables.h"

namespace lvrpo {
namespace {

constexpr TermWords kEnglish[] = {
    {Term::kAnswer,
     "answer|answers|ans|solution|response|conclusion|guess|result|output|prediction|verdict|outcome"},
    {Term::kOption, "option|choice|letter|alternative|selection|candidate|statement"},
    {Term::kRight,
     "correct|right|best|true|accurate|appropriate|most appropriate|most accurate|only "
     "correct|valid|proper|suitable|most suitable|closest"},
    {Term::kFinal, "final"},
    {Term::kWrong,
     "wrong|incorrect|false|untrue|invalid|worst|ruled out|out of the "
     "question|excluded|eliminated|impossible|unlikely|improbable|implausible|inconceivable|unthinkable|errs|"
     "in error|a "
     "mistake|an error|mistaken|erroneous|a lie|a myth|a misconception|nonsense|debunked|hard to "
     "believe|difficult to believe|far from true|far from clear|not "
     "so|contradicted|refuted|disproved|disproven|inaccurate"},
    {Term::kHolds, "fits|matches|fits best|matches best|works|holds"},
    {Term::kLink,
     "is|are|was|be|being|must be|has to be|have to be|should be|will be|seems|seems to be|appears|appears "
     "to be|looks like|remains|reads|equals|turned out to be|turns out to be|turned out|proved|proves to "
     "be|proved to be|became"},
    {Term::kWould, "would be|would have been|should have been|would"},
    {Term::kIt,
     "it|it's|it is|that is|that's|this is|it must be|it has to be|that must be|that would be|it should "
     "be|it would be|that leaves|this leaves|leaving|which leaves|which is|make that|i mean|i meant|that "
     "makes|this "
     "makes|it makes|which makes|making|which was|which would be|which seems|which must be|which "
     "renders|this renders|that renders"},
    {Term::kPick,
     "choose|select|pick|go with|going with|opt for|vote for|settle on|settle for|chose|selected|picked|went "
     "with|choosing|selecting|picking|i answer|i say|i would say|i'd say|i'll say"},
    {Term::kFirst, "we|i'd|i'll|i'm|i've|i am|we'd|we'll|let's|let us|let me"},
    {Term::kThus,
     "therefore|so|thus|hence|consequently|accordingly|in conclusion|to conclude|finally|as a result|in "
     "summary|to sum up|overall|in short|which means|this means|meaning"},
    {Term::kThen, "then"},
    {Term::kActually, "actually|in fact|in reality"},
    {Term::kFiller,
     "the|my|our|this|these|one|only|just|definitely|clearly|obviously|certainly|surely|likely|most "
     "likely|probably|simply|indeed|of course|here|i think|i believe|i guess|i am sure|i'm sure|i am "
     "confident|i'm confident|we think|we believe|we see|we find|we get|we "
     "know|will|shall|should|must|do|does|did|clear|for sure|no doubt|no question|without doubt|without a "
     "doubt|without question|undoubtedly|beyond doubt|beyond any doubt|none other than|nothing but|no other "
     "than|not only|as i said|as said|it turns out|turns out|not difficult|not hard|yes|please|if we look|if "
     "you look|if one looks|if we count|if you count|if we compare|if you compare|if we check|if you "
     "check|if we zoom|if you zoom|if we read|if you read|if we see|if you see|once "
     "again|again|hmm|well|oh|ok|okay|ah|um|uh|sure|an|obvious|highly|extremely|very|really|quite|entirely|"
     "completely|totally|at all|think so|believe "
     "so|evident|apparent|certain|known|established|confirmed|concluded|agreed|noted|absolutely|sadly|"
     "unfortunately|in this case|in that case|for this question|for the question|in this image|in the "
     "image|in this picture|in the picture|in this photo|in the photo|as shown|as seen"},
    {Term::kThat,
     "that|to conclude that|to say|to claim|to think|to believe|to assert|to conclude|to argue|to assume|to "
     "suggest|to state"},
    {Term::kOf,
     "of|for|to|in|among|from|on|at|given by|with|as in|based on|above|below|to the|to this|to "
     "that|to question|shown|by"},
    {Term::kView,
     "according to|opinion|in the opinion of|in the view of|in the eyes of|in the words of|as claimed by|as "
     "stated by|as "
     "suggested by"},
    {Term::kNot,
     "not|no|never|neither|nor|cannot|except|except for|excluding|other than|anything but|all but|everything "
     "but|rule out|rules out|eliminate|exclude|reject|discard|doubt|hardly|no "
     "way|disagree|deny|denied|refuse|dispute|nobody|no one|none|neither of "
     "them|nothing|nope|nah|negative|by no means|reject the idea|disbelieve|refute"},
    {Term::kBut,
     "but|then realized|then realised|then i realized|then i realised|but rather|but "
     "instead|yet|however|instead|nevertheless|though"},
    {Term::kIf,
     "if|unless|were it|were this|were that|had it "
     "been|whether|suppose|supposing|assuming|assume|imagine|provided|in case|only if|even if|let us "
     "say|let's say|depends|depending|let the|in the case that|let us suppose|say for instance|say for "
     "example|say for the sake of argument|hypothetically|for the sake of argument|pretend that|conditional "
     "on|dependent on|depends on|depending on|provided that|providing|presuming|presumably if"},
    {Term::kMaybe,
     "might|might be|may|may be|could|could be|can "
     "be|perhaps|maybe|possibly|possible|potential|potentially|plausible|could have been|might have been|not "
     "sure|unsure|not certain|unclear|uncertain|you'd think|tempted|tempting"},
    {Term::kSaid,
     "said|says|say "
     "that|claims|claimed|thought|thinks|guessed|guesses|wrongly|mistakenly|pretend|initially|at "
     "first|originally|previously|earlier|believed|believes|would think|would say|at first glance|was "
     "told|were told|am told|told|heard"},
    {Term::kOther,
     "first|second|initial|original|previous|earlier|common|popular|usual|another|other|opposite|his|her|"
     "their|your|student's|trap|distractor|old|next|last option|others|rest|remaining|everything else|all "
     "else"},
    {Term::kBack,
     "wait|hold on|scratch that|correction|on second thought|on second thoughts|on reflection|never "
     "mind|nevermind|oops|sorry|i was wrong|i was mistaken|i am wrong|i made a mistake|i made an error|i "
     "take it back|i take that back|i take this back|let me reconsider|let me rethink|let me correct|or "
     "rather|i changed my mind|i change my mind|i retract|my mistake|my bad|disregard that|ignore "
     "that|strike that|apologies|i apologize|on the contrary|quite the opposite|quite the contrary|i lied|i "
     "am lying|just kidding|kidding|i was kidding|joking|just joking|i was joking|i am joking|i'm "
     "joking|psych|gotcha|april fools|jk"},
    {Term::kAlso, "both|either|also|too|as well|all|all of|equally|likewise|each"},
    {Term::kAnd, "and|as well as|along with|plus|through|thru|up to|versus|vs"},
    {Term::kOr, "or|alternatively|otherwise|else|or else|or perhaps"},
    {Term::kBecause,
     "because|since|as|due to|given|while|whereas|although|even though|rather than|instead "
     "of|who|considering|so that|thanks to|despite|and so|than|better than|more than"},
    {Term::kWhen,
     "before|after|once|when|whenever|only when|where|as long as|so long as|until|till|iff|only for|on "
     "condition|on the condition|subject to|contingent on|in the event|given that"},
};

constexpr TermWords kGerman[] = {
    {Term::kAnswer,
     "antwort|lösung|ergebnis|lösungsbuchstabe|resultat|vorhersage|fazit|ausgabe|schlussfolgerung|"
     "endergebnis|urteil"},
    {Term::kOption,
     "option|wahl|auswahl|buchstabe|buchstaben|möglichkeit|antwortmöglichkeit|antwortoption|aussage|variante|"
     "entscheidung"},
    {Term::kRight,
     "richtig|richtige|richtigen|richtiger|korrekt|korrekte|korrekten|beste|besten|passende|zutreffend|"
     "zutreffende|wahr|einzig richtige|einzige|wahrscheinlichste"},
    {Term::kFinal, "endgültige|finale|abschließende"},
    {Term::kWrong,
     "falsch|falsche|falschen|inkorrekt|inkorrekte|unrichtig|unzutreffend|unmöglich|ausgeschlossen|"
     "unwahrscheinlich|unwahr|gelogen|ein irrtum|ein fehler|irrtum|fehlerhaft|unsinn|nicht "
     "so|widerlegt|unglaubwürdig|irrt|irrt sich|irren sich|täuscht sich|hat unrecht|liegt "
     "daneben|zweifelhaft|fraglich|fragwürdig|nicht der fall"},
    {Term::kHolds, "stimmt|passt|trifft zu|passt am besten"},
    {Term::kLink, "ist|lautet|muss|sein|muss sein|war|wird|bleibt|sind"},
    {Term::kWould, "wäre|würde|wäre gewesen"},
    {Term::kIt,
     "es ist|das ist|dies ist|es handelt sich um|es bleibt|es muss|damit ist|das macht|dies macht|was "
     "bedeutet|was heißt"},
    {Term::kPick,
     "wähle|ich wähle|entscheide mich für|nehme|würde wählen|tippe auf|entscheide ich mich "
     "für|wählen|nehmen|gewählt"},
    {Term::kFirst, "ich|wir"},
    {Term::kThus,
     "daher|deshalb|somit|folglich|demnach|damit|darum|deswegen|demzufolge|schließlich|insgesamt|"
     "zusammenfassend"},
    {Term::kFiller,
     "der|die|das|dem|den|meine|meiner|meines|unsere|diese|eindeutig|klar|sicher|sicherlich|offensichtlich|"
     "wohl|wahrscheinlich|natürlich|hier|ich denke|ich glaube|ich meine|zweifellos|ohne zweifel|kein "
     "zweifel|nicht nur|ja|bitte|mich|nur|meiner meinung "
     "nach|bekannt|ersichtlich|deutlich|wirklich|überhaupt|leider|bestätigt|in diesem fall|auf diesem "
     "bild|auf dem bild|im bild|für diese frage|bei dieser frage|was|gewiss|überzeugt"},
    {Term::kThat, "dass|daß|zu sagen|zu behaupten|zu glauben|zu denken|zu meinen|anzunehmen"},
    {Term::kOf, "auf|zu|zur|für|von|vom|im|unter|aus|bei|mit|nach"},
    {Term::kView,
     "laut|gemäß|zufolge|nach meinung von|nach ansicht von|nach meinung|nach ansicht|nach auffassung|nach "
     "aussage"},
    {Term::kNot,
     "nicht|nein|kein|keine|keinen|keiner|keines|keinesfalls|niemals|nie|weder|außer|ausgenommen|"
     "ausschließen|keineswegs|bezweifle|bestreite|widerspreche|leugne|niemand|nö|nee|gar "
     "nicht|mitnichten|nicht wirklich"},
    {Term::kBut, "sondern|aber|jedoch|doch|stattdessen|allerdings"},
    {Term::kIf,
     "wenn|falls|ob|sofern|angenommen|außer wenn|nehmen wir an|vorausgesetzt|sagen wir|gesetzt den fall|im "
     "fall|im falle|es sei denn|je nachdem|vorausgesetzt dass|abhängig|abhängig von|nur falls"},
    {Term::kMaybe,
     "könnte|könnte sein|vielleicht|möglicherweise|eventuell|kann "
     "sein|mögliche|unklar|unsicher|möglich|dürfte|oder vielleicht|womöglich|unter umständen|nicht "
     "sicher|wäre möglich"},
    {Term::kSaid,
     "sagt|sagte|behauptet|dachte|meinte|zuerst|anfangs|zunächst|ursprünglich|fälschlich|fälschlicherweise|"
     "glaubte"},
    {Term::kOther, "andere|vorige|frühere|erste|zweite|häufige|seine|ihre|anderen|übrigen|restlichen"},
    {Term::kThen, "dann"},
    {Term::kActually, "tatsächlich|in wirklichkeit"},
    {Term::kBack,
     "moment|warte|korrektur|halt|entschuldigung|ich habe mich geirrt|ich korrigiere|vielmehr|besser "
     "gesagt|doch nicht|ich nehme das zurück|quatsch|pardon|im gegenteil|nur spaß|war nur ein "
     "scherz|scherz|kleiner scherz|war ein witz|kleiner witz"},
    {Term::kAlso, "beide|sowohl|entweder|auch|ebenfalls|ebenso|alle"},
    {Term::kAnd, "und|sowie|als auch"},
    {Term::kOr, "oder|bzw|beziehungsweise|alternativ|ansonsten|sonst|andernfalls"},
    {Term::kBecause, "weil|da|denn|wegen|während|obwohl|anstatt|statt|und nicht"},
    {Term::kWhen, "nur wenn|solange|sobald|nur für|nur dann|unter der bedingung"},
};

constexpr TermWords kRussian[] = {
    {Term::kAnswer,
     "ответ|ответа|ответом|ответы|отв|решение|результат|вывод|вердикт|итог|прогноз|заключение"},
    {Term::kOption, "вариант|варианта|вариантом|вариант ответа|выбор|буква|букву|утверждение|пункт|опция"},
    {Term::kRight,
     "правильный|правильным|правильная|правильное|правильно|верный|верным|верная|верное|верно|верен|верна|"
     "лучший|лучшим|наиболее вероятный|подходящий|единственный|прав"},
    {Term::kFinal, "окончательный|итоговый|финальный"},
    {Term::kWrong,
     "неправильный|неправильным|неправильно|неверный|неверно|неверен|неверна|неверным|ошибочный|ложно|ложный|"
     "исключён|исключен|исключается|невозможен|маловероятно|неправда|ошибка|ошибкой|ложь|не так|не "
     "верно|невозможно|сомнительно|невероятно|неправ|вряд ли|едва ли|вовсе "
     "нет|ошибается|ошибаются|ошибся|ошиблась|неправа|неверны|неправильны|неправильная|неправильное"},
    {Term::kHolds, "подходит|соответствует|подходит лучше всего"},
    {Term::kLink, "есть|является|будет|был|остаётся|остается"},
    {Term::kWould, "был бы|была бы|было бы|бы"},
    {Term::kIt, "это|это будет|то есть|это делает|что делает"},
    {Term::kPick, "выбираю|выберу|выбираем|выбрал|выбрала|остановлюсь на|голосую за|отвечаю"},
    {Term::kFirst, "я|мы"},
    {Term::kThus, "следовательно|поэтому|значит|таким образом|итак|отсюда|в итоге|в заключение"},
    {Term::kFiller,
     "мой|наш|этот|здесь|конечно|очевидно|скорее всего|вероятно|точно|явно|думаю|я думаю|считаю|я "
     "считаю|по-моему|несомненно|без сомнения|нет сомнений|да|именно|только|просто|не "
     "только|безусловно|ясно|понятно|известно|действительно|совсем|к сожалению|разумеется|в этом случае|в "
     "данном случае|на картинке|на изображении|для этого вопроса"},
    {Term::kThat, "что|сказать что|говорить что|утверждать что|сказать|говорить|утверждать"},
    {Term::kOf, "на|к|для|в|из|по|среди|под|с"},
    {Term::kView, "согласно|по словам|по мнению|по версии|как утверждает"},
    {Term::kNot,
     "не|нет|ни|никогда|кроме|исключить|исключаем|исключаю|никак|сомневаюсь|отрицаю|отвергаю|никто|ничего|"
     "несогласен|не согласен|не согласна|вовсе не|неа"},
    {Term::kBut, "но|а|однако"},
    {Term::kIf,
     "если|если бы|ли|предположим|допустим|при условии|в случае|скажем|только если|лишь если|в случае если|в "
     "том случае|зависит|положим|пусть"},
    {Term::kMaybe,
     "может быть|мог бы быть|возможно|возможный|пожалуй|вдруг|не уверен|не уверена|неясно|может|возможно "
     "что"},
    {Term::kSaid, "сказал|сказала|говорит|думал|думала|утверждает|сначала|изначально|ошибочно|вначале"},
    {Term::kOther, "первый|второй|другой|предыдущий|его|остальные|другие|прочие"},
    {Term::kThen, "тогда|то"},
    {Term::kActually, "на самом деле"},
    {Term::kBack,
     "подождите|подожди|стоп|поправка|исправление|я ошибся|я "
     "ошиблась|извините|точнее|вернее|погодите|минутку|беру свои слова "
     "назад|наоборот|напротив|шучу|шутка|это шутка|пошутил|пошутила"},
    {Term::kAlso, "оба|обе|также|тоже|все|либо то либо"},
    {Term::kAnd, "и|до|по сравнению"},
    {Term::kOr, "или|либо|иначе|в противном случае"},
    {Term::kBecause, "потому что|так как|поскольку|ведь|хотя|вместо|тогда как|ибо|а не|и не|из-за|благодаря"},
    {Term::kWhen, "когда|только когда|пока|лишь когда|только для|лишь для"},
};

}  // namespace

std::span<const std::span<const TermWords>> ChoiceWords() {
  static const std::span<const TermWords> kLanguages[] = {
      kEnglish,          kGerman,  FrenchWords(),  SpanishWords(),  ItalianWords(),
      PortugueseWords(), kRussian, ChineseWords(), JapaneseWords(), KoreanWords()};
  return kLanguages;
}

}  // namespace lvrpo
