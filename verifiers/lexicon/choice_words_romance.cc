#include "verifiers/lexicon/choice_words_tables.h"

namespace lvrpo {
namespace {

constexpr TermWords kFrench[] = {
    {Term::kAnswer,
     "réponse|réponses|rép|solution|reponse|résultat|verdict|prédiction|sortie|réponse finale"},
    {Term::kOption, "option|choix|lettre|proposition|alternative|affirmation|possibilité"},
    {Term::kRight,
     "correcte|correct|bonne|bon|juste|exacte|exact|vraie|vrai|meilleure|meilleur|appropriée|la plus "
     "probable|valide|adéquate"},
    {Term::kFinal, "finale|définitive"},
    {Term::kWrong,
     "incorrecte|incorrect|fausse|faux|mauvaise|mauvais|erronée|inexacte|impossible|exclue|improbable|peu "
     "probable|invraisemblable|douteux|une erreur|un mensonge|mensonger|pas le cas|pas vrai|pas "
     "juste|inexact|erroné|incorrects|pas du tout|a tort|ont tort|se trompe|se trompent|fait erreur"},
    {Term::kHolds, "convient|correspond"},
    {Term::kLink, "est|sont|était|être|doit être|semble être|reste|sera"},
    {Term::kWould, "serait|aurait été"},
    {Term::kIt,
     "ce|c'est|c'|il s'agit de|cela est|ça|ceci est|il reste|ce doit être|je veux dire|cela rend|ça rend|ce "
     "qui rend|ce qui donne"},
    {Term::kPick,
     "choisis|je choisis|sélectionne|prends|opte pour|retiens|choisirais|choisissons|vote pour|je réponds|ai "
     "choisi|on choisit"},
    {Term::kFirst, "je|j'|nous"},
    {Term::kThus,
     "donc|ainsi|par conséquent|finalement|en conclusion|d'où|en résumé|c'est pourquoi|pour conclure"},
    {Term::kFiller,
     "le|la|les|l'|mon|notre|cette|clairement|évidemment|certainement|probablement|sûrement|bien|sans "
     "doute|sans aucun doute|aucun doute|je pense|je crois|à mon avis|ici|oui|celle|simplement|non "
     "seulement|selon moi|il est clair|évident|certain|sûr|clair|vraiment|du tout|tout à "
     "fait|malheureusement|établi|confirmé|dans ce cas|sur cette image|sur l'image|dans l'image|pour cette "
     "question|manifeste|manifestement"},
    {Term::kThat, "que|qu'|qui|ce qui|de dire|d'affirmer|de penser|de croire|de prétendre|de conclure"},
    {Term::kOf, "à|de|du|des|d'|pour|dans|parmi|sur|au|avec"},
    {Term::kView, "selon|d'après|de l'avis de|aux dires de|à en croire"},
    {Term::kNot,
     "ne|n'|pas|non|jamais|ni|aucun|aucune|sauf|excepté|exclure|élimine|éliminer|écarte|doute|nie|conteste|"
     "réfute|refuse|personne|désapprouve|pas d'accord|rien"},
    {Term::kBut, "mais|cependant|toutefois|pourtant|plutôt"},
    {Term::kIf,
     "si|s'il|supposons|supposons que|en supposant|à moins|à condition|sauf si|imaginons|disons|disons "
     "que|seulement si|uniquement si|que si|au cas où|en cas de|selon que|mettons que|admettons "
     "que|admettons"},
    {Term::kMaybe,
     "pourrait|pourrait être|peut "
     "être|peut-être|possible|éventuellement|possiblement|éventuelle|possibles|pas sûr|pas "
     "certain|incertain"},
    {Term::kSaid, "dit|pensais|croyais|affirme|prétend|d'abord|initialement|à tort|au départ|avais"},
    {Term::kOther, "première|deuxième|autre|précédente|initiale|sa|autres"},
    {Term::kThen, "alors"},
    {Term::kActually, "en fait|en réalité"},
    {Term::kBack,
     "attends|attendez|correction|pardon|je me suis trompé|je me suis trompée|je me trompe|ou plutôt|je "
     "corrige|désolé|non attends|je me reprends|erreur|au contraire|bien au contraire|je plaisante|je "
     "rigole|je blague|c'est une blague|blague à part"},
    {Term::kAlso, "aussi|également|soit|les deux|tous|toutes|à la fois"},
    {Term::kAnd, "et|ainsi que|jusqu'à|jusqu'au"},
    {Term::kOr, "ou|ou bien|sinon|alternativement|autrement"},
    {Term::kBecause,
     "car|parce que|parce qu'|puisque|puisqu'|comme|étant donné|bien que|tandis que|au lieu de|plutôt "
     "que|plutôt qu'|et non|et pas|à cause de|grâce à"},
    {Term::kWhen,
     "quand|lorsque|lorsqu'|tant que|seulement quand|uniquement quand|seulement pour|uniquement pour|pourvu "
     "que"},
};

constexpr TermWords kSpanish[] = {
    {Term::kAnswer,
     "respuesta|respuestas|resp|solución|solucion|resultado|veredicto|predicción|salida|conclusión"},
    {Term::kOption, "opción|opcion|elección|alternativa|letra|inciso|selección|afirmación"},
    {Term::kRight,
     "correcta|correcto|acertada|adecuada|mejor|verdadera|verdadero|cierta|cierto|exacta|válida|más "
     "probable|apropiada"},
    {Term::kFinal, "final|definitiva"},
    {Term::kWrong,
     "incorrecta|incorrecto|falsa|falso|equivocada|errónea|mala|imposible|descartada|improbable|poco "
     "probable|dudoso|mentira|un error|erróneo|equivocado|incorrectas|incorrectos|no es así|no es "
     "verdad|inverosímil|nada de eso|se equivoca|se equivocan|no tiene razón"},
    {Term::kHolds, "corresponde|encaja"},
    {Term::kLink, "es|son|era|debe ser|tiene que ser|parece ser|será|ser|sería entonces|está|estaría|están"},
    {Term::kWould, "sería|habría sido"},
    {Term::kIt,
     "se trata de|eso es|esta es|esto es|queda|quiero decir|eso hace|esto hace|lo que hace|eso deja"},
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
     "observa|se aprecia|se puede ver|evidente|obvio|claro|seguro|realmente|del todo|en "
     "absoluto|lamentablemente|confirmado|en este caso|en la imagen|en esta imagen|para esta "
     "pregunta|sabido"},
    {Term::kOf, "de la|de|del|para|en|entre|con|al"},
    {Term::kView, "según|de acuerdo con|en opinión de|a juicio de|en palabras de"},
    {Term::kNot,
     "nunca|jamás|tampoco|ninguna|ningún|excepto|salvo|descarto|descartar|dudo|niego|rechazo|nadie|nada|"
     "discrepo|no estoy de acuerdo"},
    {Term::kBut, "sino|sino que|pero|sin embargo|más bien"},
    {Term::kIf,
     "si|supongamos|suponiendo|a menos que|siempre que|fuera|fuese|en caso de|digamos|digamos que|solo "
     "si|sólo si|únicamente si|en caso de que|en el caso de que|depende|dependiendo|pongamos que|imaginemos"},
    {Term::kMaybe,
     "podría|podría ser|puede ser|quizás|quizá|tal vez|posible|posiblemente|a lo mejor|acaso|no estoy "
     "seguro|no estoy segura|incierto"},
    {Term::kSaid,
     "dijo|dice|dicen|pensé|pensaba|creía|afirma|primero|inicialmente|al principio|erróneamente"},
    {Term::kOther, "primera|segunda|otra|anterior|inicial|su|otras|otros|demás"},
    {Term::kThen, "entonces"},
    {Term::kActually, "en realidad|de hecho"},
    {Term::kBack,
     "espera|espere|corrección|perdón|me equivoqué|me he equivocado|mejor dicho|o mejor "
     "dicho|corrijo|rectifico|un momento|disculpa|lo siento|al contrario|todo lo contrario|es "
     "broma|bromeo|broma|estoy bromeando|era broma"},
    {Term::kAlso, "ambas|ambos|también|todas|tanto"},
    {Term::kAnd, "así como|hasta|hasta la"},
    {Term::kOr, "o bien|alternativamente|de lo contrario"},
    {Term::kBecause,
     "porque|ya que|pues|puesto que|dado que|debido a|aunque|mientras que|en lugar de|en vez de|y no|a causa "
     "de|gracias a"},
    {Term::kThat, "decir que|afirmar que|pensar que|creer que|lo que|lo cual|decir|afirmar"},
    {Term::kWhen,
     "cuando|solo cuando|sólo cuando|únicamente cuando|mientras|siempre y cuando|solo para|únicamente para"},
};

constexpr TermWords kItalian[] = {
    {Term::kAnswer, "risposta|risposte|soluzione|risultato|verdetto|previsione|conclusione"},
    {Term::kOption, "opzione|scelta|lettera|affermazione"},
    {Term::kRight, "corretta|corretto|giusta|giusto|esatta|esatto|migliore|vera|vero|più probabile|adatta"},
    {Term::kFinal, "finale|definitiva"},
    {Term::kWrong,
     "sbagliata|sbagliato|errata|errato|falsa|falso|scorretta|impossibile|esclusa|improbabile|poco "
     "probabile|dubbio|un errore|una bugia|inesatta|inesatto|non è vero|non è "
     "così|inverosimile|sbagliate|errate|sbaglia|si sbaglia|si sbagliano|ha torto"},
    {Term::kHolds, "corrisponde"},
    {Term::kLink, "è|sono|era|deve essere|sembra essere|sarà|dev'essere|essere|rimane|resta"},
    {Term::kWould, "sarebbe|sarebbe stata"},
    {Term::kIt, "si tratta di|questa è|questo è|quella è|voglio dire|questo rende|ciò rende|il che rende"},
    {Term::kPick, "scelgo|seleziono|sceglierei|opto per|voto per|scegliamo|rispondo|ho scelto"},
    {Term::kFirst, "io|noi"},
    {Term::kThus, "quindi|dunque|pertanto|perciò|di conseguenza|in conclusione|infine|insomma"},
    {Term::kFiller,
     "il|lo|gli|mia|nostra|questa|chiaramente|ovviamente|sicuramente|probabilmente|senza dubbio|non c'è "
     "dubbio|penso|credo|secondo me|qui|sì|solo|semplicemente|non solo|ritengo|si "
     "vede|evidente|ovvio|chiaro|certo|sicuro|davvero|proprio|purtroppo|confermato|in questo "
     "caso|nell'immagine|in questa immagine|per questa domanda|noto"},
    {Term::kThat, "che|dire che|affermare che|pensare che|credere che|il che|dire|affermare"},
    {Term::kOf, "di|della|del|alla|al|per|tra|fra|da|dell'|nella|all'|con"},
    {Term::kView, "secondo|stando a|a detta di|a giudizio di|a parere di"},
    {Term::kNot,
     "non|mai|né|neanche|nessuna|nessun|tranne|eccetto|escludo|escludere|dubito|nego|rifiuto|nessuno|niente|"
     "per niente|per nulla|affatto|contesto|non sono d'accordo"},
    {Term::kBut, "ma|bensì|però|tuttavia|piuttosto|invece"},
    {Term::kIf,
     "se|supponiamo|supponendo|a meno che|purché|qualora|fosse|diciamo|diciamo che|solo se|soltanto se|nel "
     "caso|nel caso in cui|dipende|poniamo|poniamo che|mettiamo che|a condizione che|a patto "
     "che|immaginiamo"},
    {Term::kMaybe,
     "potrebbe|potrebbe essere|può essere|forse|possibile|eventualmente|magari|non sono sicuro|non sono "
     "sicura|incerto|può darsi"},
    {Term::kSaid, "disse|dice|pensavo|credevo|afferma|inizialmente|erroneamente|all'inizio|ho pensato"},
    {Term::kOther, "prima|seconda|altra|precedente|sua|altre|altri"},
    {Term::kThen, "allora"},
    {Term::kActually, "in realtà|in effetti"},
    {Term::kBack,
     "aspetta|aspetti|correzione|scusa|scusate|mi sono sbagliato|mi sono sbagliata|anzi|o meglio|correggo|un "
     "attimo|al contrario|tutt'altro|scherzo|sto scherzando|scherzavo|era uno scherzo"},
    {Term::kAlso, "entrambe|entrambi|anche|sia|tutte|tutti"},
    {Term::kAnd, "ed|nonché|fino a|fino alla"},
    {Term::kOr, "oppure|altrimenti|in alternativa"},
    {Term::kBecause,
     "perché|poiché|siccome|dato che|visto che|in quanto|mentre|sebbene|anziché|invece di|e non|a causa "
     "di|grazie a"},
    {Term::kWhen, "quando|solo quando|soltanto quando|finché|fintanto che|soltanto per|solo per"},
};

constexpr TermWords kPortuguese[] = {
    {Term::kAnswer, "resposta|respostas|solução|gabarito|resultado|veredito|previsão|conclusão|saída"},
    {Term::kOption, "opção|alternativa|escolha|letra|item|afirmação"},
    {Term::kRight, "correta|correto|certa|certo|melhor|verdadeira|verdadeiro|exata|mais provável|adequada"},
    {Term::kFinal, "final|definitiva"},
    {Term::kWrong,
     "incorreta|incorreto|errada|errado|falsa|falso|impossível|descartada|improvável|pouco "
     "provável|duvidoso|mentira|um erro|errôneo|erradas|incorretas|não é verdade|não é assim|inverossímil|se "
     "engana|engana-se|enganado|enganada|não tem razão"},
    {Term::kHolds, "corresponde"},
    {Term::kLink, "é|são|era|deve ser|tem que ser|parece ser|será|está|estão|estaria|fica"},
    {Term::kWould, "seria|teria sido"},
    {Term::kIt,
     "trata-se de|isso é|esta é|isto é|essa é|quero dizer|isso torna|isto torna|o que torna|isso faz da|isso "
     "deixa"},
    {Term::kPick, "escolho|seleciono|escolheria|opto por|fico com|voto em|marco|escolhemos|escolhi|respondo"},
    {Term::kFirst, "eu|nós"},
    {Term::kThus,
     "portanto|logo|assim|por isso|em conclusão|consequentemente|finalmente|por fim|dessa forma|sendo assim"},
    {Term::kFiller,
     "os|as|minha|nossa|esta|essa|claramente|obviamente|certamente|provavelmente|sem dúvida|não há "
     "dúvida|acho|acredito|penso|aqui|sim|só|somente|apenas|não só|se vê|se pode "
     "ver|evidente|óbvio|claro|única|seguro|realmente|de jeito|infelizmente|confirmado|neste caso|nesse "
     "caso|na imagem|nesta imagem|para esta pergunta|sabido"},
    {Term::kOf, "da|do|das|dos|na|no caso|em|entre|com|ao|à"},
    {Term::kView, "segundo|de acordo com|conforme|na opinião de|na opinião do|na opinião da"},
    {Term::kNot,
     "não|nao|nem|nunca|jamais|nenhuma|exceto|salvo|descarto|duvido|nego|rejeito|ninguém|nada|discordo|não "
     "concordo"},
    {Term::kBut, "mas|mas sim|porém|contudo|e sim|no entanto|entretanto"},
    {Term::kIf,
     "suponha|suponhamos|supondo|a menos que|caso seja|desde que|fosse|se|digamos|digamos que|só se|somente "
     "se|apenas se|no caso de|caso|depende|dependendo|vamos supor|imagine|imaginemos|caso em que"},
    {Term::kMaybe,
     "poderia|poderia ser|pode ser|talvez|possível|possivelmente|não tenho certeza|incerto|pode ser que"},
    {Term::kSaid,
     "disse|diz|pensei|pensava|achava|achei|afirma|primeiro|inicialmente|erroneamente|no início"},
    {Term::kOther, "primeira|segunda|outra|anterior|sua|outras|outros|demais"},
    {Term::kThen, "então"},
    {Term::kActually, "na verdade|na realidade"},
    {Term::kBack,
     "espere|espera|correção|desculpe|desculpa|me enganei|enganei-me|errei|ou melhor|ou seja "
     "não|aliás|corrigindo|um momento|perdão|ao contrário|pelo contrário|brincadeira|estou brincando|é "
     "brincadeira|tô brincando"},
    {Term::kAlso, "ambas|ambos|também|todas|tanto"},
    {Term::kAnd, "bem como|até|até a"},
    {Term::kOr, "ou|senão|alternativamente|caso contrário"},
    {Term::kBecause,
     "porque|pois|já que|uma vez que|visto que|devido a|embora|enquanto|em vez de|ao invés de|e não|por "
     "causa de|graças a"},
    {Term::kThat, "dizer que|afirmar que|pensar que|o que|dizer|afirmar"},
    {Term::kWhen,
     "quando|só quando|somente quando|apenas quando|enquanto|contanto que|só para|somente para|apenas para"},
};

}  // namespace

std::span<const TermWords> FrenchWords() { return kFrench; }
std::span<const TermWords> SpanishWords() { return kSpanish; }
std::span<const TermWords> ItalianWords() { return kItalian; }
std::span<const TermWords> PortugueseWords() { return kPortuguese; }

}  // namespace lvrpo
