"""One way of writing for the many in which people, keyboards and LaTeX write the same answer."""

import re
import unicodedata

MAX_LENGTH = 400  # characters; a longer answer is compared as text alone
MAX_NESTING = 5  # LaTeX within LaTeX that is taken off

SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻", "0123456789+-")
SUPERSCRIPT = re.compile("[⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻]+")
SIGNS = str.maketrans({"−": "-", "–": "-", "⁄": "/", "×": "*", "·": "*", "∙": "*", "⋅": "*", "’": "'"})
PAIRS = (("$$", "$$"), ("$", "$"), ("\\(", "\\)"), ("\\[", "\\]"))
BOXED = "\\boxed{"
FRACTION = re.compile(r"\\[dt]?frac\s*(?:\{([^{}]*)\}|([0-9a-z]))\s*(?:\{([^{}]*)\}|([0-9a-z]))")
WORDS = re.compile(r"\\(?:text|mathrm|textbf|mathbf|operatorname)\s*\{([^{}]*)\}")
SUBSCRIPT = re.compile(r"(?<=[A-Za-z])_\{?([0-9]+)\}?")
TIE = re.compile(r"(?<=\w)~(?=\w)")  # LaTeX's space that does not break; ~12 is only about 12
POWER = re.compile(r"\^\{([^{}]*)\}")
SIMPLE = re.compile(r"[0-9]+")
COMMANDS = (  # longest first where one begins another
    *(("\\left", ""), ("\\right", ""), ("\\times", "*"), ("\\cdot", "*"), ("\\pi", "π"), ("\\{", "{"), ("\\}", "}")),
    *(("\\emptyset", "∅"), ("\\varnothing", "∅"), ("{,}", ","), ("\\,", " "), ("\\;", " "), ("\\!", ""), ("\\ ", " ")),
    *(("^\\circ", "°"), ("^{\\circ}", "°"), ("\\degree", "°"), ("\\%", "%"), ("\\$", "$")),
)


def unwrapped(text: str) -> str:
    """`text` without emphasis, LaTeX's dollar signs and box around it, in plain Unicode; LaTeX within stays."""
    text = _unicode(text).strip()
    for _ in range(MAX_NESTING):
        text, before = _without_frame(_without_box(text)), text
        if text == before:
            break
    return text


def plain(text: str) -> str:
    """`text` unwrapped, its LaTeX written as people write on a keyboard: `\\frac{1}{2}` is 1/2, `^\\circ` is °."""
    text = unwrapped(text)
    for command, sign in COMMANDS:
        text = text.replace(command, sign)
    text = SUBSCRIPT.sub(r"\1", TIE.sub(" ", text))
    for _ in range(MAX_NESTING):
        text, before = POWER.sub(r"^\1", WORDS.sub(r" \1 ", FRACTION.sub(_fraction, text))), text
        if text == before:
            break
    return re.sub(r" ?\^ ?", "^", " ".join(text.split()))


def squeezed(text: str) -> str:
    """`text` without the spaces around signs and within brackets: the same sum, however airily it is written."""
    return re.sub(r" *([-+*/^=,;<>]) *|(?<=[({\[]) | (?=[)}\]%])", r"\1", " ".join(text.split()))


def _unicode(text: str) -> str:
    """NFKC, but ² is ^2 and ½ is 1/2, which NFKC alone would run into the digits beside them."""
    text = SUPERSCRIPT.sub(lambda match: f"^{match[0].translate(SUPERSCRIPTS)}", text)
    text = "".join(f" {unicodedata.normalize('NFKC', char)}" if _is_part(char) else char for char in text)
    return unicodedata.normalize("NFKC", text).translate(SIGNS)


def _is_part(char: str) -> bool:
    return unicodedata.category(char) == "No" and "⁄" in unicodedata.normalize("NFKC", char)


def _without_frame(text: str) -> str:
    for opening, closing in (*PAIRS, ("**", "**"), ("`", "`")):
        inner = text[len(opening) : -len(closing)]
        if text.startswith(opening) and text.endswith(closing) and inner.strip() and opening not in inner:
            return inner.strip()
    return text


def _without_box(text: str) -> str:
    """What the only box holds; several boxes are several answers, and stay."""
    if text.count(BOXED) != 1:
        return text
    start = text.index(BOXED) + len(BOXED)
    depth = 1
    for at in range(start, len(text)):
        depth += (text[at] == "{") - (text[at] == "}")
        if depth == 0:
            return text[start:at].strip()
    return text


def _fraction(match: re.Match[str]) -> str:
    """`1\\frac{1}{2}` becomes `1 1/2`; of more than numbers, `(a + 1)/(b)`."""
    above, below = match[1] or match[2] or "", match[3] or match[4] or ""
    both = SIMPLE.fullmatch(above.removeprefix("-")) and SIMPLE.fullmatch(below)
    mixed = match.string[: match.start()].rstrip()[-1:].isdigit()
    return f"{' ' if mixed else ''}{above}/{below}" if both else f"({above})/({below})"
