"""Text for the small tokenizers and the cases: written for this project, plus seeded mixtures of it."""

from .case import Random

CORPUS = [
    "a red square beside a small blue circle",
    "three green triangles in the top row",
    "two yellow stars to the left of a large purple square",
    "a photo of a wooden boat on a quiet lake",
    "a bowl of oranges on a striped cloth, seen from above",
    "make the left circle larger and remove the star",
    "turn the background white and keep the cat",
    "how many triangles are there?",
    "what colour is the shape in the middle?",
    "is there a circle above the square? answer yes or no.",
    "which shape lies in the lower right corner?",
    "The picture shows four circles: one red, two blue and one green.",
    "First decide where each object goes, then choose its colour, then draw it.",
    "The larger one should stand behind the smaller one; nothing else is visible.",
    "It's not the same as before, I'm sure they've moved it, and we'll see why it doesn't fit.",
    "In 2026 the price was 1,249.50 dollars, 18 % more than in 2019.",
    "for (int i = 0; i < 10; ++i) { total += values[i] * 0.5; }",
    "def area(r):\n    return 3.14159 * r ** 2  # circle\n",
    "rows:\n\n  - first\n  - second\n\n\n\tand a tab",
    "Caf\u00e9 cr\u00e8me, na\u00efve fa\u00e7ade, \u00fcber stra\u00dfe, \u0141\u00f3d\u017a",
    "\u041a\u0440\u0430\u0441\u043d\u044b\u0439 "
    "\u043a\u0432\u0430\u0434\u0440\u0430\u0442 \u043d\u0430 \u0441\u0442\u043e\u043b\u0435",
    "\u7ea2\u8272\u7684\u65b9\u5757\u5728\u84dd\u8272\u7684\u5706\u65c1\u8fb9\u3002",
    "\u8d64\u3044\u56db\u89d2\u3068\u9752\u3044\u4e38\u304c\u4e8c\u3064",
]

# What tokenizers get wrong: spaces, contractions, scripts, composition, special tokens in odd places.
HARD = [
    "", " ", "   ", "\n", "\r\n", "\n\n\n", "\t\tx", " \n ", "a", " a", "a ", "  two  spaces  ",
    "no\u00a0break", "\u2003em\u3000wide\u2009thin", "zero\u200bwidth\u200djoin\ufeff", "\u180e\u0085\u2028",
    "I'll you'Re IT'S we'VE don\u2019t 'tis '\u017ft", "12345", "3.14 1,000 \u0664\u0662 \u00bd \u2166 \u4e09",
    "x=y**2;//z", "!?!?\u2026", "\u20ac5 \u00a37", "snake_case camelCase", "http://a.example/b?c=d#e",
    "\u212b \u00c5 A\u030a", "e\u0301 \u00e9 q\u0323\u0307 q\u0307\u0323", "\u0958 \u0915\u093c \u0344",
    "\u1112\u1161\u11ab \ud55c", "\ufb01 \u2460 \u00df \u1e9e", "\u0130I\u0131i \u03a3\u03a3 \u01c5",
    "\u05e9\u05dc\u05d5\u05dd \u0645\u0631\u062d\u0628\u0627", "\u0928\u092e\u0938\u094d\u0924\u0947",
    "\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35",
    "\U0001f600", "\U0001f469\u200d\U0001f680\U0001f3fd \u2764\ufe0f \U0001f1eb\U0001f1f7", "\U00010400\U00010428",
    "\u0301alone", "\x00\x01\x7f", "\ufffd\ufffe\U0010ffff", "\u2581\u2581x", "<0x41>", "\u0120x",
    "<|im_start|>red<|im_end|>", "<|im_end|>", "a<|im_start|>b", " <|vision_start|> ", "<|IM_END|>", "<|im_end",
    "e<|im_end|>\u0301", "<pad><eos>", "a<eos> b", "<EOS>", "<bos>x<unk>", "<mask> <MASK>",
    "\u6f22" * 30, "ab" * 40, " " * 33, "\n" * 17, "1" * 25, "=" * 40,
]


def mixtures(name: str, count: int) -> list[str]:
    """Seeded strings made of pieces of CORPUS, HARD and odd separators."""
    random = Random(f"texts {name}")
    pieces = [piece for line in CORPUS for piece in line.split(" ")] + [piece for piece in HARD if 0 < len(piece) < 12]
    separators = [" ", " ", " ", "", "  ", "\n", "\t", "\u00a0", "\r\n", "'s ", ".", ", "]
    made = []
    for _ in range(count):
        chosen = [pieces[i] for i in random.ids(len(pieces), 1 + random.ids(7, 1)[0])]
        between = [separators[i] for i in random.ids(len(separators), len(chosen))]
        made.append("".join(part for pair in zip(chosen, between) for part in pair))
    return made
