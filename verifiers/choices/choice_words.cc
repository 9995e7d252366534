#include "verifiers/choices/choice_words.h"

namespace lvrpo {
namespace {

constexpr TermWords kEnglish[] = {
    {Term::kAnswer, "answer|answers|ans|solution|response|conclusion|guess"},
    {Term::kOption, "option|choice|letter|alternative|selection|candidate|statement"},
    {Term::kRight,
     "correct|right|best|true|accurate|appropriate|most appropriate|most accurate|only "
     "correct|valid|proper|suitable|most suitable|closest"},
    {Term::kFinal, "final"},
    {Term::kWrong,
     "wrong|incorrect|false|untrue|invalid|worst|ruled out|out of the "
     "question|excluded|eliminated|impossible"},
    {Term::kHolds, "fits|matches|fits best|matches best|works|holds"},
    {Term::kLink,
     "is|are|was|be|being|must be|has to be|have to be|should be|will be|seems|seems to be|appears|appears "
     "to be|looks like|remains|reads|equals"},
    {Term::kWould, "would be|would have been|should have been|would"},
    {Term::kIt,
     "it|it's|it is|that is|that's|this is|it must be|it has to be|that must be|that would be|it should "
     "be|it would be|that leaves|this leaves|leaving|which leaves|which is|make that|i mean"},
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
     "again|again|hmm|well|oh|ok|okay|ah|um|uh|sure"},
    {Term::kThat, "that"},
    {Term::kOf,
     "of|for|to|in|among|from|on|at|which|given by|with|as in|according to|based on|above|below|to the|to "
     "this|to that|to question|shown"},
    {Term::kNot,
     "not|no|never|neither|nor|cannot|except|except for|excluding|other than|anything but|all but|everything "
     "but|rule out|rules out|eliminate|exclude|reject|discard|doubt|hardly"},
    {Term::kBut, "but|but rather|but instead|yet|however|instead|nevertheless|though"},
    {Term::kIf,
     "if|unless|whether|suppose|supposing|assuming|assume|imagine|provided|in case|only if|even if|as long "
     "as|let us say|let's say|depends|depending"},
    {Term::kMaybe,
     "might|might be|may|may be|could|could be|can "
     "be|perhaps|maybe|possibly|possible|potential|potentially|plausible|could have been|might have been|not "
     "sure|unsure|not certain|unclear|uncertain|you'd think|tempted|tempting"},
    {Term::kSaid,
     "said|says|say "
     "that|claims|claimed|thought|thinks|guessed|guesses|wrongly|mistakenly|pretend|initially|at "
     "first|originally|previously|earlier|believed|believes|would think|would say|at first glance"},
    {Term::kOther,
     "first|second|initial|original|previous|earlier|common|popular|usual|another|other|opposite|his|her|"
     "their|your|student's|trap|distractor|old|next|last option"},
    {Term::kBack,
     "wait|hold on|scratch that|correction|on second thought|on second thoughts|on reflection|never "
     "mind|nevermind|oops|sorry|i was wrong|i was mistaken|i am wrong|i made a mistake|i made an error|i "
     "take it back|i take that back|i take this back|let me reconsider|let me rethink|let me correct|or "
     "rather|i changed my mind|i change my mind|i retract|my mistake|my bad|disregard that|ignore "
     "that|strike that|apologies|i apologize"},
    {Term::kAlso, "both|either|also|too|as well|all|all of|equally|likewise|each"},
    {Term::kAnd, "and|as well as|along with|plus"},
    {Term::kOr, "or"},
    {Term::kBecause,
     "because|since|as|due to|given|while|whereas|although|even though|rather than|instead "
     "of|where|who|considering|so that|thanks to|by|when|after|before|despite|and so"},
};

constexpr TermWords kGerman[] = {
    {Term::kAnswer, "antwort|lösung|ergebnis|lösungsbuchstabe"},
    {Term::kOption,
     "option|wahl|auswahl|buchstabe|buchstaben|möglichkeit|antwortmöglichkeit|antwortoption|aussage|variante|"
     "entscheidung"},
    {Term::kRight,
     "richtig|richtige|richtigen|richtiger|korrekt|korrekte|korrekten|beste|besten|passende|zutreffend|"
     "zutreffende|wahr|einzig richtige|einzige|wahrscheinlichste"},
    {Term::kFinal, "endgültige|finale|abschließende"},
    {Term::kWrong,
     "falsch|falsche|falschen|inkorrekt|inkorrekte|unrichtig|unzutreffend|unmöglich|ausgeschlossen"},
    {Term::kHolds, "stimmt|passt|trifft zu|passt am besten"},
    {Term::kLink, "ist|lautet|muss|sein|muss sein|war|wird|bleibt|sind"},
    {Term::kWould, "wäre|würde|wäre gewesen"},
    {Term::kIt, "es ist|das ist|dies ist|es handelt sich um|es bleibt|es muss"},
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
     "zweifel|nicht nur|ja|bitte|mich|nur|meiner meinung nach"},
    {Term::kThat, "dass|daß"},
    {Term::kOf, "auf|zu|zur|für|von|vom|im|unter|aus|bei|mit|laut|nach"},
    {Term::kNot,
     "nicht|nein|kein|keine|keinen|keiner|keines|keinesfalls|niemals|nie|weder|außer|ausgenommen|"
     "ausschließen|keineswegs|bezweifle"},
    {Term::kBut, "sondern|aber|jedoch|doch|stattdessen|allerdings"},
    {Term::kIf, "wenn|falls|ob|sofern|angenommen|außer wenn|nehmen wir an|vorausgesetzt"},
    {Term::kMaybe,
     "könnte|könnte sein|vielleicht|möglicherweise|eventuell|kann "
     "sein|mögliche|unklar|unsicher|möglich|dürfte"},
    {Term::kSaid,
     "sagt|sagte|behauptet|dachte|meinte|zuerst|anfangs|zunächst|ursprünglich|fälschlich|fälschlicherweise|"
     "glaubte"},
    {Term::kOther, "andere|vorige|frühere|erste|zweite|häufige|seine|ihre"},
    {Term::kThen, "dann"},
    {Term::kActually, "tatsächlich|in wirklichkeit"},
    {Term::kBack,
     "moment|warte|korrektur|halt|entschuldigung|ich habe mich geirrt|ich korrigiere|vielmehr|besser "
     "gesagt|doch nicht|ich nehme das zurück|quatsch|pardon"},
    {Term::kAlso, "beide|sowohl|entweder|auch|ebenfalls|ebenso|alle"},
    {Term::kAnd, "und|sowie|als auch"},
    {Term::kOr, "oder|bzw|beziehungsweise"},
    {Term::kBecause, "weil|da|denn|wegen|während|obwohl|anstatt|statt|und nicht"},
};

constexpr TermWords kFrench[] = {
    {Term::kAnswer, "réponse|réponses|rép|solution|reponse"},
    {Term::kOption, "option|choix|lettre|proposition|alternative|affirmation|possibilité"},
    {Term::kRight,
     "correcte|correct|bonne|bon|juste|exacte|exact|vraie|vrai|meilleure|meilleur|appropriée|la plus "
     "probable|valide|adéquate"},
    {Term::kFinal, "finale|définitive"},
    {Term::kWrong, "incorrecte|incorrect|fausse|faux|mauvaise|mauvais|erronée|inexacte|impossible|exclue"},
    {Term::kHolds, "convient|correspond"},
    {Term::kLink, "est|sont|était|être|doit être|semble être|reste|sera"},
    {Term::kWould, "serait|aurait été"},
    {Term::kIt, "ce|c'est|c'|il s'agit de|cela est|ça|ceci est|il reste|ce doit être|je veux dire"},
    {Term::kPick,
     "choisis|je choisis|sélectionne|prends|opte pour|retiens|choisirais|choisissons|vote pour|je réponds|ai "
     "choisi|on choisit"},
    {Term::kFirst, "je|j'|nous"},
    {Term::kThus,
     "donc|ainsi|par conséquent|finalement|en conclusion|d'où|en résumé|c'est pourquoi|pour conclure"},
    {Term::kFiller,
     "le|la|les|l'|mon|notre|cette|clairement|évidemment|certainement|probablement|sûrement|bien|sans "
     "doute|sans aucun doute|aucun doute|je pense|je crois|à mon avis|ici|oui|celle|simplement|non "
     "seulement|selon moi|il est clair"},
    {Term::kThat, "que|qu'"},
    {Term::kOf, "à|de|du|des|d'|pour|dans|parmi|sur|au|selon|avec"},
    {Term::kNot, "ne|n'|pas|non|jamais|ni|aucun|aucune|sauf|excepté|exclure|élimine|éliminer|écarte|doute"},
    {Term::kBut, "mais|cependant|toutefois|pourtant|plutôt"},
    {Term::kIf, "si|s'il|supposons|supposons que|en supposant|à moins|à condition|sauf si|imaginons"},
    {Term::kMaybe, "pourrait|pourrait être|peut être|peut-être|possible|éventuellement|possiblement"},
    {Term::kSaid, "dit|pensais|croyais|affirme|prétend|d'abord|initialement|à tort|au départ|avais"},
    {Term::kOther, "première|deuxième|autre|précédente|initiale|sa"},
    {Term::kThen, "alors"},
    {Term::kActually, "en fait|en réalité"},
    {Term::kBack,
     "attends|attendez|correction|pardon|je me suis trompé|je me suis trompée|je me trompe|ou plutôt|je "
     "corrige|désolé|non attends|je me reprends|erreur"},
    {Term::kAlso, "aussi|également|soit|les deux|tous|toutes|à la fois"},
    {Term::kAnd, "et|ainsi que"},
    {Term::kOr, "ou|ou bien"},
    {Term::kBecause,
     "car|parce que|parce qu'|puisque|puisqu'|comme|étant donné|bien que|tandis que|au lieu de|plutôt "
     "que|plutôt qu'|et non|et pas"},
};

constexpr TermWords kSpanish[] = {
    {Term::kAnswer, "respuesta|respuestas|resp|solución|solucion"},
    {Term::kOption, "opción|opcion|elección|alternativa|letra|inciso|selección|afirmación"},
    {Term::kRight,
     "correcta|correcto|acertada|adecuada|mejor|verdadera|verdadero|cierta|cierto|exacta|válida|más "
     "probable|apropiada"},
    {Term::kFinal, "final|definitiva"},
    {Term::kWrong, "incorrecta|incorrecto|falsa|falso|equivocada|errónea|mala|imposible|descartada"},
    {Term::kHolds, "corresponde|encaja"},
    {Term::kLink, "es|son|era|debe ser|tiene que ser|parece ser|será|ser|sería entonces"},
    {Term::kWould, "sería|habría sido"},
    {Term::kIt, "se trata de|eso es|esta es|esto es|queda|quiero decir"},
    {Term::kPick,
     "elijo|escojo|selecciono|elegiría|me quedo con|opto por|voto por|elegimos|escogemos|he "
     "elegido|elegí|respondo"},
    {Term::kFirst, "yo|nosotros"},
    {Term::kThus,
     "por lo tanto|por tanto|así que|luego|por consiguiente|en conclusión|en consecuencia|finalmente|por "
     "ende|así|en resumen|por eso"},
    {Term::kFiller,
     "el|los|las|mi|nuestra|esta|claramente|obviamente|seguramente|probablemente|sin duda|no hay "
     "duda|creo|pienso|aquí|sí|solo|sólo|simplemente|no solo|está claro|evidentemente|considero|se ve|se "
     "observa|se aprecia|se puede ver"},
    {Term::kOf, "de la|de|del|para|en|entre|según|con|al"},
    {Term::kNot, "nunca|jamás|tampoco|ninguna|ningún|excepto|salvo|descarto|descartar|dudo"},
    {Term::kBut, "sino|sino que|pero|sin embargo|más bien"},
    {Term::kIf, "si|supongamos|suponiendo|a menos que|siempre que|fuera|fuese|en caso de"},
    {Term::kMaybe, "podría|podría ser|puede ser|quizás|quizá|tal vez|posible|posiblemente|a lo mejor|acaso"},
    {Term::kSaid,
     "dijo|dice|dicen|pensé|pensaba|creía|afirma|primero|inicialmente|al principio|erróneamente"},
    {Term::kOther, "primera|segunda|otra|anterior|inicial|su"},
    {Term::kThen, "entonces"},
    {Term::kActually, "en realidad|de hecho"},
    {Term::kBack,
     "espera|espere|corrección|perdón|me equivoqué|me he equivocado|mejor dicho|o mejor "
     "dicho|corrijo|rectifico|un momento|disculpa|lo siento"},
    {Term::kAlso, "ambas|ambos|también|todas|tanto"},
    {Term::kAnd, "así como"},
    {Term::kOr, "o bien"},
    {Term::kBecause,
     "porque|ya que|pues|puesto que|dado que|debido a|aunque|mientras que|en lugar de|en vez de|y no"},
};

constexpr TermWords kItalian[] = {
    {Term::kAnswer, "risposta|risposte|soluzione"},
    {Term::kOption, "opzione|scelta|lettera|affermazione"},
    {Term::kRight, "corretta|corretto|giusta|giusto|esatta|esatto|migliore|vera|vero|più probabile|adatta"},
    {Term::kFinal, "finale|definitiva"},
    {Term::kWrong, "sbagliata|sbagliato|errata|errato|falsa|falso|scorretta|impossibile|esclusa"},
    {Term::kHolds, "corrisponde"},
    {Term::kLink, "è|sono|era|deve essere|sembra essere|sarà|dev'essere|essere|rimane|resta"},
    {Term::kWould, "sarebbe|sarebbe stata"},
    {Term::kIt, "si tratta di|questa è|questo è|quella è|voglio dire"},
    {Term::kPick, "scelgo|seleziono|sceglierei|opto per|voto per|scegliamo|rispondo|ho scelto"},
    {Term::kFirst, "io|noi"},
    {Term::kThus, "quindi|dunque|pertanto|perciò|di conseguenza|in conclusione|infine|insomma"},
    {Term::kFiller,
     "il|lo|gli|mia|nostra|questa|chiaramente|ovviamente|sicuramente|probabilmente|senza dubbio|non c'è "
     "dubbio|penso|credo|secondo me|qui|sì|solo|semplicemente|non solo|ritengo|si vede"},
    {Term::kThat, "che"},
    {Term::kOf, "di|della|del|alla|al|per|tra|fra|da|dell'|nella|all'|con"},
    {Term::kNot, "non|mai|né|neanche|nessuna|nessun|tranne|eccetto|escludo|escludere|dubito"},
    {Term::kBut, "ma|bensì|però|tuttavia|piuttosto|invece"},
    {Term::kIf, "se|supponiamo|supponendo|a meno che|purché|qualora|fosse"},
    {Term::kMaybe, "potrebbe|potrebbe essere|può essere|forse|possibile|eventualmente|magari"},
    {Term::kSaid, "disse|dice|pensavo|credevo|afferma|inizialmente|erroneamente|all'inizio|ho pensato"},
    {Term::kOther, "prima|seconda|altra|precedente|sua"},
    {Term::kThen, "allora"},
    {Term::kActually, "in realtà|in effetti"},
    {Term::kBack,
     "aspetta|aspetti|correzione|scusa|scusate|mi sono sbagliato|mi sono sbagliata|anzi|o meglio|correggo|un "
     "attimo"},
    {Term::kAlso, "entrambe|entrambi|anche|sia|tutte|tutti"},
    {Term::kAnd, "ed|nonché"},
    {Term::kOr, "oppure"},
    {Term::kBecause,
     "perché|poiché|siccome|dato che|visto che|in quanto|mentre|sebbene|anziché|invece di|e non"},
};

constexpr TermWords kPortuguese[] = {
    {Term::kAnswer, "resposta|respostas|solução|gabarito"},
    {Term::kOption, "opção|alternativa|escolha|letra|item|afirmação"},
    {Term::kRight, "correta|correto|certa|certo|melhor|verdadeira|verdadeiro|exata|mais provável|adequada"},
    {Term::kFinal, "final|definitiva"},
    {Term::kWrong, "incorreta|incorreto|errada|errado|falsa|falso|impossível|descartada"},
    {Term::kHolds, "corresponde"},
    {Term::kLink, "é|são|era|deve ser|tem que ser|parece ser|será"},
    {Term::kWould, "seria|teria sido"},
    {Term::kIt, "trata-se de|isso é|esta é|isto é|essa é|quero dizer"},
    {Term::kPick, "escolho|seleciono|escolheria|opto por|fico com|voto em|marco|escolhemos|escolhi|respondo"},
    {Term::kFirst, "eu|nós"},
    {Term::kThus,
     "portanto|logo|assim|por isso|em conclusão|consequentemente|finalmente|por fim|dessa forma|sendo assim"},
    {Term::kFiller,
     "os|as|minha|nossa|esta|essa|claramente|obviamente|certamente|provavelmente|sem dúvida|não há "
     "dúvida|acho|acredito|penso|aqui|sim|só|somente|apenas|não só|se vê|se pode ver"},
    {Term::kOf, "da|do|das|dos|na|no caso|em|entre|segundo|com|ao|à"},
    {Term::kNot, "não|nao|nem|nunca|jamais|nenhuma|exceto|salvo|descarto|duvido"},
    {Term::kBut, "mas|mas sim|porém|contudo|e sim|no entanto|entretanto"},
    {Term::kIf, "suponha|suponhamos|supondo|a menos que|caso seja|desde que|fosse|se"},
    {Term::kMaybe, "poderia|poderia ser|pode ser|talvez|possível|possivelmente"},
    {Term::kSaid,
     "disse|diz|pensei|pensava|achava|achei|afirma|primeiro|inicialmente|erroneamente|no início"},
    {Term::kOther, "primeira|segunda|outra|anterior|sua"},
    {Term::kThen, "então"},
    {Term::kActually, "na verdade|na realidade"},
    {Term::kBack,
     "espere|espera|correção|desculpe|desculpa|me enganei|enganei-me|errei|ou melhor|ou seja "
     "não|aliás|corrigindo|um momento|perdão"},
    {Term::kAlso, "ambas|ambos|também|todas|tanto"},
    {Term::kAnd, "bem como"},
    {Term::kOr, "ou"},
    {Term::kBecause,
     "porque|pois|já que|uma vez que|visto que|devido a|embora|enquanto|em vez de|ao invés de|e não"},
};

constexpr TermWords kRussian[] = {
    {Term::kAnswer, "ответ|ответа|ответом|ответы|отв|решение"},
    {Term::kOption, "вариант|варианта|вариантом|вариант ответа|выбор|буква|букву|утверждение|пункт|опция"},
    {Term::kRight,
     "правильный|правильным|правильная|правильное|правильно|верный|верным|верная|верное|верно|верен|верна|"
     "лучший|лучшим|наиболее вероятный|подходящий|единственный|прав"},
    {Term::kFinal, "окончательный|итоговый|финальный"},
    {Term::kWrong,
     "неправильный|неправильным|неправильно|неверный|неверно|неверен|неверна|неверным|ошибочный|ложно|ложный|"
     "исключён|исключен|исключается|невозможен"},
    {Term::kHolds, "подходит|соответствует|подходит лучше всего"},
    {Term::kLink, "есть|является|будет|был|остаётся|остается"},
    {Term::kWould, "был бы|была бы|было бы|бы"},
    {Term::kIt, "это|это будет|то есть"},
    {Term::kPick, "выбираю|выберу|выбираем|выбрал|выбрала|остановлюсь на|голосую за|отвечаю"},
    {Term::kFirst, "я|мы"},
    {Term::kThus, "следовательно|поэтому|значит|таким образом|итак|отсюда|в итоге|в заключение"},
    {Term::kFiller,
     "мой|наш|этот|здесь|конечно|очевидно|скорее всего|вероятно|точно|явно|думаю|я думаю|считаю|я "
     "считаю|по-моему|несомненно|без сомнения|нет сомнений|да|именно|только|просто|не только|безусловно"},
    {Term::kThat, "что"},
    {Term::kOf, "на|к|для|в|из|по|среди|под|с"},
    {Term::kNot, "не|нет|ни|никогда|кроме|исключить|исключаем|исключаю|никак|сомневаюсь"},
    {Term::kBut, "но|а|однако"},
    {Term::kIf, "если|если бы|ли|предположим|допустим|при условии|в случае"},
    {Term::kMaybe, "может быть|мог бы быть|возможно|возможный|пожалуй|вдруг"},
    {Term::kSaid, "сказал|сказала|говорит|думал|думала|утверждает|сначала|изначально|ошибочно|вначале"},
    {Term::kOther, "первый|второй|другой|предыдущий|его"},
    {Term::kThen, "тогда|то"},
    {Term::kActually, "на самом деле"},
    {Term::kBack,
     "подождите|подожди|стоп|поправка|исправление|я ошибся|я "
     "ошиблась|извините|точнее|вернее|погодите|минутку|беру свои слова назад"},
    {Term::kAlso, "оба|обе|также|тоже|все|либо то либо"},
    {Term::kAnd, "и"},
    {Term::kOr, "или|либо"},
    {Term::kBecause, "потому что|так как|поскольку|ведь|хотя|вместо|тогда как|ибо|а не|и не"},
};

constexpr TermWords kChinese[] = {
    {Term::kAnswer, "答案|正确答案|最终答案|正解|解答|结果|結果|回答|答"},
    {Term::kOption, "选项|選項|项|選择肢|选择项"},
    {Term::kRight,
     "正确|正確|对|對|对的|對的|正确的|正確的|最佳|最合适|最恰当|最合适的|成立|符合题意|合适|合适的|符合|"
     "不错"},
    {Term::kFinal, "最终|最終|最后的"},
    {Term::kWrong,
     "错误|错|错的|错误的|不对|不對|不正确|不正確|不成立|不符合|不符合题意|不符|錯|錯誤|有误|排除"},
    {Term::kLink, "是|为|為|应该是|应为|应是|應為|應該是|就是|乃|即|即为|即是"},
    {Term::kIt, "这是|那是|它是|這是"},
    {Term::kPick, "选|选择|選|選擇|选出|选取"},
    {Term::kFirst, "我|我们|我們|咱们"},
    {Term::kThus,
     "所以|因此|故|综上|综上所述|由此可知|由此可见|因而|从而|于是|可知|可得|总之|由此得出|因此可以得出"},
    {Term::kFiller,
     "这个|这道题|本题|该题|此题|这题|应该|应|當|当然|显然|显而易见|毫无疑问|无疑|我认为|我觉得|认为|觉得|的|"
     "了|呢|吧|啊|不仅|不难看出|不难发现|不难得出|不用说|字母|正是|一定|肯定|只有|唯一|题目|问题|最|很|这里|"
     "可以|的话|必须|需要|非常|只是|会|将|要|没错|绝对"},
    {Term::kNot,
     "不|不是|并非|並非|不选|不能|不会|不应该|不该|没有|没|沒有|非|别|不可能|不可能是|除了|不认为|不觉得|"
     "不為|不为|绝不|不可|不应|不选择|不能选|不要选|别选|怀疑"},
    {Term::kBut, "而是|但是|可是|但|而|不过|然而|却"},
    {Term::kIf, "如果|若|假如|假设|倘若|是否|是不是|要是|除非|若是|假使|假定"},
    {Term::kMaybe, "可能|可能是|也许|或许|大概可能|说不定|不确定|未必|不一定"},
    {Term::kSaid, "有人说|有人认为|起初|最初|原来|一开始|原本|本来|以为|我以为|他说|误以为|误选|先前"},
    {Term::kOther, "其他|另一个|另一|第一个|他的|她的|你的"},
    {Term::kThen, "那么|则|就|那"},
    {Term::kActually, "实际上|其实|事实上"},
    {Term::kBack,
     "等等|等一下|更正|纠正|抱歉|对不起|我错了|搞错了|重新考虑|慢着|我弄错了|说错了|不对不对|修正"},
    {Term::kAlso, "都|也|均|皆|同时|全都|两者"},
    {Term::kAnd, "和|与|及|以及|跟|與|并且"},
    {Term::kOr, "或|或者|还是|或是|還是"},
    {Term::kBecause, "因为|由于|因為|由於|虽然|尽管|而不是|而非|既然"},
    {Term::kWord,
     "不同|对于|对比|对应|对象|对面|为了|认为是否|选手|选民|而且|成为|作为|为什么|总是|分别|区别|特别|级别|"
     "识别|辨别|相对|反对|面对|人选|入选|解释|了解|理解|有没有"},
};

constexpr TermWords kJapanese[] = {
    {Term::kAnswer, "答え|答|解答|回答|正解|正答|最終回答"},
    {Term::kOption, "選択肢|選択|番|記号|オプション"},
    {Term::kRight,
     "正しい|正しいの|正しいもの|正解|最適|適切|最も適切|最も適切なの|適当|妥当|合っている|合っています|"
     "正しいです"},
    {Term::kFinal, "最終的な|最終的に"},
    {Term::kWrong,
     "間違い|誤り|不正解|間違っている|間違っています|違う|違います|正しくない|正しくありません|不適切|"
     "誤っている|不適|当てはまらない|適切ではない|正解ではない|正解ではありません|正解じゃない|答えではない|"
     "答えではありません"},
    {Term::kLink, "は|が|とは|のは|なのは|ものは"},
    {Term::kIt, "これは|それは|つまり"},
    {Term::kHolds,
     "を選びます|を選ぶ|を選択します|を選択する|を選びました|を選択しました|が当てはまる|が該当する|"
     "が当てはまります|を選んだ|に決めます|にします"},
    {Term::kPick, "選ぶのは|私の選択は|私の答えは"},
    {Term::kFirst, "私は|僕は|私|我々"},
    {Term::kThus,
     "したがって|従って|よって|ゆえに|故に|だから|そのため|結論として|以上より|以上から|すなわち|ですから|"
     "なので|結局|以上のことから"},
    {Term::kFiller,
     "明らかに|おそらく|恐らく|もちろん|間違いなく|疑いなく|私は思う|この問題|問題|はい|もっとも|最も|きっと|"
     "確かに|この|その|この場合|では|それでは|間違いない"},
    {Term::kOf, "の|に|で|から|における|を|によって"},
    {Term::kNot,
     "ではない|ではありません|じゃない|じゃありません|ではなかった|でない|でありません|とは思わない|"
     "とは思いません|だとは思わない|だとは思いません|ではないです|じゃないです|を選びません|を選ばない|ない|"
     "ません|いいえ|いや|違って|以外|を除く|を除いて|とは限らない|とは言えない|は含まない"},
    {Term::kNotBut,
     "と思ったが|と思いましたが|だと思ったが|だと思いましたが|かと思ったが|ではなく|ではなくて|じゃなく|"
     "じゃなくて|でなく|よりも"},
    {Term::kBut, "しかし|だが|ですが|けれど|けど|ただし|むしろ"},
    {Term::kIf, "もし|もしも|仮に|場合|なら|ならば|だったら|かどうか|であれば|だとすれば|とすると|であるか"},
    {Term::kMaybe, "かもしれない|かもしれません|かも|可能性がある|可能性があります|可能性|とも考えられる"},
    {Term::kSaid, "最初は|最初に|はじめは|初めは|当初|と言った|と言う人|と思っていた|と思った|という人"},
    {Term::kActually, "実際には|実は|実際は"},
    {Term::kBack,
     "待って|待ってください|訂正|訂正します|すみません|間違えました|間違えた|失礼|やはり|やっぱり"},
    {Term::kAlso, "も|両方|どちらも|すべて|全て|いずれも|ともに"},
    {Term::kAnd, "と|および|及び|かつ|並びに"},
    {Term::kOr, "または|もしくは|か|あるいは|又は|それとも"},
    {Term::kBecause, "なぜなら|理由は|というのも"},
    {Term::kEnd,
     "です|だ|である|であります|でした|だと思います|だと思う|と思います|と思う|でしょう|だろう|になります|"
     "となります|となる|になる|だと考えます|と考えます|と考えられる|と考えられます|だと考えられます|だった|"
     "であると考えます|ですね|だよ|を答えとします|で間違いない|で間違いありません|に違いない|"
     "に違いありません|のほう|が答えです"},
};

constexpr TermWords kKorean[] = {
    {Term::kAnswer, "정답|답|답변|최종 답|최종 답변|해답|최종답|결론"},
    {Term::kOption, "선택지|보기|번|선택|옵션|항목|항"},
    {Term::kRight,
     "맞다|맞습니다|맞는|맞아요|옳다|옳습니다|옳은|올바른|올바릅니다|정확한|적절한|알맞은|가장 적절한|가장 "
     "알맞은|적절하다|적절합니다|맞음|정확하다|정확합니다|옳음"},
    {Term::kFinal, "최종|최종적인"},
    {Term::kWrong,
     "틀리다|틀렸다|틀렸습니다|틀린|오답|틀립니다|틀림|옳지 않다|옳지 않습니다|맞지 않다|맞지 "
     "않습니다|적절하지 않다|적절하지 않습니다|잘못된|잘못되었습니다|올바르지 않다|올바르지 않습니다|정답이 "
     "아닙니다|정답이 아니다|답이 아닙니다|답이 아니다|정답은 아닙니다|정답은 아니다"},
    {Term::kLink, "은|는|이|가|란"},
    {Term::kIt, "이것은|그것은|즉"},
    {Term::kHolds,
     "를 선택합니다|을 선택합니다|를 선택한다|을 선택한다|를 고릅니다|을 고릅니다|를 선택했습니다|을 "
     "선택했습니다|를 고르겠습니다|을 고르겠습니다|를 선택하겠습니다|을 선택하겠습니다|를 골랐습니다|을 "
     "골랐습니다|번을 선택합니다|번을 고릅니다|를 선택해요|를 택합니다"},
    {Term::kFirst, "저는|나는|제|내|우리는|제가|내가"},
    {Term::kThus, "따라서|그러므로|그래서|결론적으로|그러니까|결국|이에 따라|고로|때문에"},
    {Term::kFiller,
     "분명히|아마|아마도|확실히|물론|당연히|틀림없이|의심할 여지 없이|네|예|이 "
     "문제|문제|가장|바로|생각에|정말|이 경우|것|뿐만 아니라"},
    {Term::kOf, "의|에|에서|에 대한|로|으로|를|을|중"},
    {Term::kNot,
     "가 아닙니다|이 아닙니다|가 아니다|이 아니다|는 아닙니다|은 아닙니다|는 아니다|은 아니다|가 아니에요|이 "
     "아니에요|가 아님|이 아님|가 아니고|아니요|아니오|아니|아닙니다|아니다|라고 생각하지 않습니다|이라고 "
     "생각하지 않습니다|라고 생각하지 않는다|를 선택하지 않습니다|을 선택하지 않습니다|를 선택하지 않는다|를 "
     "고르지 않습니다|않습니다|않다|않는다|않|못|제외|를 제외한|을 제외한|일 수 없습니다|일 리 없습니다"},
    {Term::kNotBut,
     "라고 생각했지만|이라고 생각했지만|인 줄 알았지만|가 아니라|이 아니라|가 아닌|이 아닌|는 아니고|은 "
     "아니고|보다는"},
    {Term::kBut, "하지만|그러나|그런데|오히려|지만"},
    {Term::kIf, "만약|만일|라면|이라면|경우|인지|가정하면|일 경우|인 경우"},
    {Term::kMaybe,
     "일 수도|일지도|수도 있다|수도 있습니다|수 있습니다|수 있다|가능성|일 수도 있습니다|일지도 "
     "모릅니다|일지도 모른다"},
    {Term::kSaid, "처음에는|처음에|처음엔|원래|라고 말했다|라고 생각했다|라고 한다|라고 생각했습니다|애초에"},
    {Term::kActually, "사실|실제로는|사실은"},
    {Term::kBack,
     "잠깐|잠깐만|잠시만|정정|정정합니다|죄송합니다|실수했습니다|틀렸네요|다시 생각해|다시 생각해보니|미안"},
    {Term::kAlso, "도|모두|둘 다|전부|역시"},
    {Term::kAnd, "와|과|및|하고|그리고|랑|이랑"},
    {Term::kOr, "또는|혹은|이나|나|아니면|거나|이거나"},
    {Term::kBecause, "왜냐하면|이유는"},
    {Term::kEnd,
     "입니다|이다|이에요|예요|임|다|이라고 생각합니다|라고 생각합니다|라고 생각해요|이라고 생각해요|인 것 "
     "같습니다|일 것입니다|로 하겠습니다|이 됩니다|가 됩니다|라고 본다|라고 봅니다|이야|야|이라고 "
     "본다|요|라고 할 수 있습니다|이라고 할 수 있습니다"},
};

}  // namespace

std::span<const std::span<const TermWords>> ChoiceWords() {
  static constexpr std::span<const TermWords> kLanguages[] = {
      kEnglish, kGerman, kFrench, kSpanish, kItalian, kPortuguese, kRussian, kChinese, kJapanese, kKorean};
  return kLanguages;
}

}  // namespace lvrpo
