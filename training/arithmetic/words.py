"""The words that say where a sum begins and ends, and what they make of the numbers beside them."""

from training.arithmetic.units import SCALES


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


SPOKEN = {("plus",): "+", ("minus",): "-", ("times",): "*", ("multiplied", "by"): "*", ("divided", "by"): "/"}
DETERMINERS = _set("the his her its their my our your those these all another an a")
ORDINALS = _set("st nd rd th rds ths")
PARTS = _set("half halves third thirds fourth fourths fifth fifths")
# A number with one of these behind it is not the number that it seems to be.
SPOILERS = PARTS | _set("squared cubed am pm than mod divided multiplied")
# One of these begins a new clause: what stands before it and what stands behind it are not one sum.
CLAUSES = _set("because since so then that which when if but or is are was were gives equals makes means leaves")
# What follows one of these may be part of something written without signs, or be a name:
# "5 more than 2 * 3", "half of 4 + 6", "day 1 * 2".
OPENERS = PARTS | frozenset(SCALES)
OPENERS |= _set("plus minus times than as twice thrice double triple quarter quarters squared divided")
OPENERS |= _set("multiplied percent day days week weeks month year step part number no")
# Only behind a number: "adds 10 apples to 2 * 3", but not "it comes to 2 * 3".
LINKS = _set("to from by")
