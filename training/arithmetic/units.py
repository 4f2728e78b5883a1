"""Units of known sizes: `30 minutes * 4 = 2 hours` is right although 120 is not 2."""

from collections.abc import Iterator
from fractions import Fraction

DAY = 86_400
KINDS: dict[str, dict[str, tuple[int | str, ...]]] = {
    "time": {
        "second seconds sec secs": (1,),
        "minute minutes min mins": (60,),
        "hour hours hr hrs": (3600,),
        "day days": (DAY,),
        "week weeks": (7 * DAY,),
        "month months": (30 * DAY, 31 * DAY, 28 * DAY),  # 4 weeks
        "year years": (360 * DAY, 365 * DAY, 364 * DAY),  # 12 months, 365 days, 52 weeks
    },
    "length": {
        "millimeter millimeters millimetre millimetres mm": (1,),
        "centimeter centimeters centimetre centimetres cm": (10,),
        "meter meters metre metres": (1000,),
        "kilometer kilometers kilometre kilometres km": (1_000_000,),
        "inch inches": ("25.4",),
        "foot feet ft": ("304.8",),
        "yard yards yd": ("914.4",),
        "mile miles mi": ("1609344",),
    },
    "weight": {
        "milligram milligrams mg": ("0.001",),
        "gram grams": (1,),
        "kilogram kilograms kilo kilos kg": (1000,),
        "ounce ounces oz": ("28.349523125",),
        "pound pounds lb lbs": ("453.59237",),
        "ton tons": (1_000_000, "907184.74"),  # metric, American
    },
    "volume": {
        "milliliter milliliters millilitre millilitres ml": (1,),
        "liter liters litre litres": (1000,),
        "teaspoon teaspoons": ("4.92892159375",),
        "tablespoon tablespoons": ("14.78676478125",),
        "ounce ounces oz": ("29.5735295625",),
        "cup cups": ("236.5882365",),
        "pint pints": ("473.176473",),
        "quart quarts": ("946.352946",),
        "gallon gallons": ("3785.411784",),
    },
    "money": {
        "cent cents ¢ penny pennies": (1,),
        "nickel nickels": (5,),
        "dime dimes": (10,),
        "quarter quarters": (25,),
        "dollar dollars $ € £ buck bucks": (100,),
    },
}
SCALES = {
    name: Fraction(size)
    for names, size in (
        ("dozen dozens", 12),
        ("hundred hundreds", 100),
        ("thousand thousands", 1000),
        ("million millions", 10**6),
        ("billion billions", 10**9),
        ("trillion trillions", 10**12),
    )
    for name in names.split()
}
SIZES: dict[str, dict[str, tuple[Fraction, ...]]] = {
    kind: {name: tuple(map(Fraction, sizes)) for names, sizes in units.items() for name in names.split()}
    for kind, units in KINDS.items()
}
UNITS = frozenset(name for sizes in SIZES.values() for name in sizes)


def factors(unit: str, other: str) -> Iterator[Fraction]:
    """How many of `other` one `unit` has; several where usage differs, none when they measure different things."""
    for sizes in SIZES.values():
        for size in sizes.get(unit, ()):
            for part in sizes.get(other, ()):
                if size != part:
                    yield size / part
