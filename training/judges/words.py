"""The words that stand around an answer: those that are the number, those that leave it what it is, and those that do
not."""

import re


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _counted(words: str, numbers: range) -> dict[str, int]:
    return dict(zip(words.split(), numbers, strict=True))


ONES = _counted("one two three four five six seven eight nine", range(1, 10))
TEENS = "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen"
TENS = _counted("twenty thirty forty fifty sixty seventy eighty ninety", range(20, 100, 10))
NAMED = {"zero": 0} | ONES | _counted(TEENS, range(10, 20)) | TENS
PARTS = {
    "half": 2,
    "halves": 2,
    "third": 3,
    "quarter": 4,
    "fourth": 4,
    "fifth": 5,
    "sixth": 6,
    "eighth": 8,
    "tenth": 10,
}
PARTS |= {f"{part}s": below for part, below in PARTS.items() if part not in ("half", "halves")}
SCALES = {"hundred": 100, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
# One of these makes of the number beside it another one, or none that is sure.
DOUBTS = _words(
    "not no never isn't neither nor or and but about around approximately approx roughly nearly almost circa some less "
    "more fewer than least most over under above below up between minus plus times by squared cubed factorial "
    "hundredth hundredths dozen dozens pair pairs double twice triple negative maybe perhaps either other except "
    "without point"
) | {*NAMED, *PARTS, *SCALES, *(f"{scale}s" for scale in SCALES)}
# What a sentence around an answer may consist of, beside the words of the question.
SAYING = _words(
    "the a an so thus therefore hence then answer result total sum value final correct is are was were has have had it "
    "there he she they we you i that this makes gives leaves equals costs will be in all altogether left now exactly "
    "of them option choice take takes took last lasts weigh weighs cost need needs"
)
POINTING = _words("is are was were be equals = : option choice")  # the answer stands behind one of these
PLACING = _words("in for from with on at per after")  # a number of the question may stand behind one of these
WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")


def words_of(text: str) -> frozenset[str]:
    """The words and whole numbers of a question, which an answer may repeat around its own."""
    return frozenset(word.casefold() for word in [*WORD.findall(text), *re.findall(r"[0-9]+", text)]) - DOUBTS


def leaves_as_it_is(words: str, question: frozenset[str]) -> bool:
    """Whether the words around an answer only say that it is one.

    A number among them is one of the question, at its place: "84 eggs in 7 boxes".
    """
    found = [word.strip("().").casefold() for word in re.split(r"[\s,:=]+", words)]
    return all(_is_harmless(word, before, question) for before, word in zip(["", *found], found, strict=False) if word)


def _is_harmless(word: str, before: str, question: frozenset[str]) -> bool:
    if word.isdecimal():
        return word in question and before in PLACING
    return word not in DOUBTS and (word in SAYING or word in question) and WORD.fullmatch(word) is not None
