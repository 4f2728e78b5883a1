"""Units by their names: `kilometres per hour` is `km/h`. One unit is never turned into another.

Whoever asks for 5 km in metres wants 5000, so 5 km is not the answer, however true it is that they are the same.
"""

import re

NAMES = """
mm millimeter millimeters millimetre millimetres | cm centimeter centimeters centimetre centimetres
dm decimeter decimeters decimetre decimetres | m meter meters metre metres
km kilometer kilometers kilometre kilometres | inch inches in. | ft foot feet | yd yard yards | mile miles mi
mg milligram milligrams | g gram grams | kg kilogram kilograms kilo kilos | t tonne tonnes | ton tons
oz ounce ounces | lb lbs | pound pounds | ml milliliter milliliters millilitre millilitres
l liter liters litre litres | teaspoon teaspoons tsp | tablespoon tablespoons tbsp | cup cups | pint pints
quart quarts | gallon gallons | ms millisecond milliseconds | s sec secs second seconds | min mins minute minutes
h hr hrs hour hours | day days | week weeks | month months | year years yr yrs
° degree degrees deg | °c celsius | °f fahrenheit | k kelvin kelvins | rad radian radians
$ dollar dollars usd buck bucks | € euro euros eur | £ gbp | ¥ yen jpy | ¢ cent cents | penny pennies pence
hz hertz | n newton newtons | j joule joules | w watt watts | kw kilowatt kilowatts | v volt volts | pa pascal pascals
mol mole moles | byte bytes | bit bits | kb kilobyte kilobytes | mb megabyte megabytes | gb gigabyte gigabytes
"""
UNITS = {
    name: names.split()[0] for names in NAMES.replace("\n", "|").split("|") if names.strip() for name in names.split()
}
CAPITALS = {"K": "k", "N": "n", "J": "j", "W": "w", "V": "v", "L": "l"}  # of one letter, those that are written so
MEANINGS = {"pound": ("lb", "£"), "penny": ("¢", "£")}
POWERS = {"square": "^2", "sq": "^2", "sq.": "^2", "cubic": "^3"}
PER = re.compile(r"\s*/\s*|\s+(?:per|an?)\s+", re.IGNORECASE)
PART = re.compile(r"(?:(square|sq\.?|cubic)\s+)?([^\W\d_]+\.?|°(?:\s?[CF])?|[$€£¥¢])(\^?[23])?", re.IGNORECASE)
DEGREES = re.compile(r"(?:degrees?|deg|°) (celsius|fahrenheit|[cf])\b", re.IGNORECASE)
ASKED = re.compile(r"\b(?:how many|in) ([^.?!,;]+)", re.IGNORECASE)
TIMES = re.compile(r"\b(?:an?|per) (\w+)")
PERCENT = "%"
PERCENTS = re.compile(r"%|per ?cent\b", re.IGNORECASE)
MAX_WORDS = 6


def read_unit(text: str) -> str | None:
    """The unit that `text` names, in one way of writing; None when it names none."""
    if len(text.split()) > MAX_WORDS:
        return None
    text = DEGREES.sub(lambda match: f"°{match[1][0]}", text.strip())
    parts = [_part(part) for part in PER.split(text)]
    return "/".join(part for part in parts if part) if all(parts) else None


def split_unit(text: str) -> tuple[str, str]:
    """The unit that a text begins with, "" where it is none, and what follows."""
    if match := PERCENTS.match(text):
        return PERCENT, text[match.end() :]
    words = text.split()
    for length in range(min(len(words), MAX_WORDS), 0, -1):
        if unit := read_unit(" ".join(words[:length]).rstrip(",")):
            return unit, " ".join(words[length:])
    return "", text


def asked_units(question: str) -> set[str]:
    """The units that a question asks for: "How many (more) metres are 3.2 km?", "What is 77 °F in degrees Celsius?".

    Who asks how many metres he runs a week is answered in metres, and in metres a week.
    """
    found = (split_unit(match[1])[0] or split_unit(match[1].partition(" ")[2])[0] for match in ASKED.finditer(question))
    asked = {unit for unit in found if unit and unit != PERCENT}
    return asked | {f"{unit}/{UNITS[time]}" for unit in asked for time in TIMES.findall(question) if time in UNITS}


def same_unit(unit: str, other: str) -> bool:
    return unit == other or other in MEANINGS.get(unit, ()) or unit in MEANINGS.get(other, ())


def _part(text: str) -> str | None:
    match = PART.fullmatch(text)
    if match is None:
        return None
    name = match[2].replace(" ", "")
    # Of one letter: m is metre, M is not.
    unit = UNITS.get(name, CAPITALS.get(name)) if len(name) == 1 else UNITS.get(name.casefold())
    power = POWERS.get((match[1] or "").casefold(), f"^{match[3][-1]}" if match[3] else "")
    return f"{unit}{power}" if unit else None
