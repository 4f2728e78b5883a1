"""Gates that search the texts of rows for what should not be taught to a model: secrets and people's addresses."""

import re
from collections.abc import Iterable, Iterator, Sequence
from string import ascii_letters, digits
from typing import NamedTuple

from datasets_app.gates.gate import Finding, Gate, Row
from datasets_app.gates.texts import occurrences, runs

SHOWN = 4  # characters of a secret that a finding shows
LETTERS, DIGITS = ascii_letters.encode(), digits.encode()

# Formats as their makers publish them; all begin where no letter, digit, hyphen or underscore stands before.
TOKEN = re.compile(
    rb"(?<![A-Za-z0-9_-])(?:"
    rb"(?P<aws_access_key>(?:AKIA|ASIA)[A-Z2-7]{16}(?![A-Za-z0-9]))"
    rb"|(?P<github_token>gh[oprsu]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{36})"
    rb"|(?P<gitlab_token>gl(?:pat|dt|rt|ptt)-[A-Za-z0-9_-]{20})"
    rb"|(?P<slack_token>xox[abeoprs]-[0-9A-Za-z]{1,20}-[0-9A-Za-z-]{10})"
    rb"|(?P<google_api_key>AIza[A-Za-z0-9_-]{35})"
    rb"|(?P<openai_key>sk-(?:[A-Za-z0-9]{40}|(?:proj|svcacct|admin|ant)-[A-Za-z0-9_-]{40}))"
    rb"|(?P<huggingface_token>hf_[A-Za-z0-9]{34})"
    rb"|(?P<stripe_key>(?:sk|rk)_(?:live|test)_[A-Za-z0-9]{24}|whsec_[A-Za-z0-9]{32})"
    rb"|(?P<npm_token>npm_[A-Za-z0-9]{36})"
    rb"|(?P<tunixrt_token>trt_[A-Fa-f0-9]{40})"
    rb"|(?P<json_web_token>eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,})"
    rb")"
)
TOKEN_CHARACTERS = LETTERS + DIGITS + b"_-."
PRIVATE_KEY = re.compile(rb"-----BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----")
# A name for a secret, a sign, and a literal that ends where a literal ends: no call, no variable, no template.
SIGN = rb"""\\?["']?\s{0,3}[:=]\s{0,3}\\?["']?"""
PASSWORDS = (b"passw", b"pwd")
PASSWORD = re.compile(
    rb"(?:password|passwd|pwd)" + SIGN + rb"""([^\s"'\\`,;:=(){}<>\[\]$*&|]{6,128}+)(?=[\s"'\\`,;)\]}]|\Z)""",
    re.IGNORECASE,
)
KEY_BEFORE = re.compile(rb"(?:secret|api|access|auth)[_-]?(?:access_?)?(?:key|token)?" + SIGN + rb"\Z", re.IGNORECASE)
PLACEHOLDERS = (b"example", b"password", b"changeme", b"placeholder", b"xxxx", b"your", b"secret", b"1234")
ADDRESS_REACH = 320  # bytes around an @ that can belong to it

LOCAL_PART = LETTERS + DIGITS + b".!#$%&'*+/=?^_`{|}~-"
DOMAIN = re.compile(rb"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.){1,8}([A-Za-z]{2,24})(?![A-Za-z0-9_(-])")
# Of the long top-level domains those that people have addresses in; `x@y.shape` and `A@B.dot` are code.
TOP_LEVEL = frozenset(
    b"academy agency app biz blog cloud club com company coop design dev digital edu email energy finance gov health"
    b" info int international jobs live media mil mobi museum name net network news online org page pro school shop"
    b" site software solutions store studio support systems team tech technology today university website work world"
    b" xyz".split()
)
RESERVED = re.compile(rb"(?:\A|\.)(?:example(?:\.[a-z]{2,3}){0,2}|test|invalid|localhost|local)\Z")  # RFC 2606


class Hit(NamedTuple):
    """What was found in the texts of a chunk, and where."""

    position: int
    kind: str
    text: bytes


class Search(Gate):
    """Searches the texts of a whole chunk at once. A subclass yields hits; a row is named for its first."""

    says: str  # what a row holds

    def find(self, rows: Sequence[Row]) -> Iterable[Finding]:
        texts = self.taught.texts(rows)
        first: dict[int, Hit] = {}
        for hit in self.search(texts.whole):
            index = texts.row_at(hit.position)
            first[index] = min(hit, first.get(index, hit))
        for index in sorted(first):
            hit = first[index]
            excerpt = hit.text[:SHOWN].decode(errors="replace") + "…"
            kind = hit.kind.replace("_", " ")
            yield Finding(rows[index]["id"], f"{self.says} {kind}: {excerpt}", {"kind": hit.kind, "excerpt": excerpt})

    def search(self, text: bytes) -> Iterator[Hit]:
        raise NotImplementedError


class Secrets(Search):
    name = "secrets"
    rule = "no row holds a key, a token or a password"
    says = "holds what looks like a"

    def search(self, text: bytes) -> Iterator[Hit]:
        for start, end in runs(TOKEN_CHARACTERS, text):
            yield from _tokens(text, start, end)
        yield from _private_keys(text)
        yield from _passwords(text)
        yield from _passwords_in_addresses(text)


class Emails(Search):
    name = "emails"
    rule = "no row holds an e-mail address"
    says = "holds what looks like an"

    def search(self, text: bytes) -> Iterator[Hit]:
        for at in occurrences(b"@", text):
            before = text[max(0, at - 64) : at]
            local = before[len(before.rstrip(LOCAL_PART)) :].lstrip(b".")
            domain = DOMAIN.match(text, at + 1, at + 1 + 255)
            if local and not local.endswith(b".") and domain and _is_public(domain[0], domain[1]):
                yield Hit(at, "e-mail_address", local + b"@" + domain[0])


def _tokens(text: bytes, start: int, end: int) -> Iterator[Hit]:
    """What is a token by its form, or by the name that a long run of letters and digits is assigned to."""
    for match in TOKEN.finditer(text, start, end):
        if not match[0].endswith(b"EXAMPLE"):  # as in the makers' own documentation
            yield Hit(match.start(), str(match.lastgroup), match[0])
    value = text[start:end]
    if KEY_BEFORE.search(text, max(0, start - 32), start) and _is_literal(value):
        yield Hit(start, "key", value)


def _private_keys(text: bytes) -> Iterator[Hit]:
    for position in occurrences(b"PRIVATE KEY", text):
        if match := PRIVATE_KEY.search(text, max(0, position - 48), position + 24):
            yield Hit(match.start(), "private_key", match[0])


def _passwords(text: bytes) -> Iterator[Hit]:
    lowered = text.lower()
    for word in PASSWORDS:
        for position in occurrences(word, lowered):
            if (match := PASSWORD.match(text, position)) and _is_literal(match[1]):
                yield Hit(position, "password", match[0])


def _passwords_in_addresses(text: bytes) -> Iterator[Hit]:
    """`scheme://user:password@host`."""
    for at in occurrences(b"@", text):
        before = text[max(0, at - ADDRESS_REACH) : at]
        scheme = before.rfind(b"://")
        user, colon, password = before[scheme + 3 :].partition(b":")
        if scheme < 0 or not colon or not re.fullmatch(rb"[^\s/<>{}$\"'*]{3,}", password) or b"/" in user:
            continue
        if text[at + 1 : at + 2].isalnum() and not _is_placeholder(password):
            yield Hit(at - len(before) + scheme + 3, "password", before[scheme + 3 :])


def _is_literal(value: bytes) -> bool:
    """Whether somebody chose or drew it, and it is no example: it has a digit."""
    return any(byte in DIGITS for byte in value) and not _is_placeholder(value)


def _is_placeholder(value: bytes) -> bool:
    lowered = value.lower()
    return any(word in lowered for word in PLACEHOLDERS) or lowered in (b"pass", b"pw")


def _is_public(domain: bytes, top: bytes) -> bool:
    """A domain that mail can be sent to: a real top-level domain, in one case, and none reserved for examples."""
    lowered = domain.lower()
    if not (top.islower() or top.isupper()) or RESERVED.search(lowered):
        return False
    return len(top) == 2 or top.lower() in TOP_LEVEL
