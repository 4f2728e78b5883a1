"""Episodes of UNGAR's High Card Duel as traces.

UNGAR (m-cahill/ungar) is optional: nothing here imports it before it is used. Cards are read from the planes of the
states' tensors, as a learner sees them; what cannot be read is an error, never a gap in a trace.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from training.problems import high_card_duel
from training.problems.high_card_duel import DECK, RANKS
from training.schema import TRACE_VERSION
from tunixrt.lib.errors import NotInstalled, Unavailable

COMMIT = "0e29e104aa1b13542b193515e3895ee87122c1cb"
# Without its dependencies: it declares numpy < 2 and torch, and this part of it runs with numpy 2 and no torch.
INSTALL = f'pip install --no-deps "ungar @ git+https://github.com/m-cahill/ungar@{COMMIT}"'
GAME, SOURCE = "high_card_duel", "ungar"
REVEAL, ODDS = "reveal", "odds"
RANK_NAMES = ("TWO", "THREE", "FOUR", "FIVE", "SIX", "SEVEN", "EIGHT", "NINE", "TEN", "JACK", "QUEEN", "KING", "ACE")
RANK_LETTERS = dict(zip(RANK_NAMES, RANKS, strict=True))
SUIT_LETTERS = {"SPADES": "S", "HEARTS": "H", "DIAMONDS": "D", "CLUBS": "C"}
RESULTS = {1.0: "win", -1.0: "loss", 0.0: "tie"}


class Episode(NamedTuple):
    """One played game as player 0 saw it; cards are rank and suit, `TS`."""

    seed: int
    my_card: str
    opponent_card: str
    result: str
    legal_moves: list[str]
    move: str


def traces_of(*, task: str, count: int, seed: int) -> Iterator[dict]:
    """`count` traces of a task; row i is the episode of seed `seed` + i.

    Raises NotInstalled before the first row, and Unavailable at an episode that cannot be read.
    """
    play = player()
    return (TASKS[task](read_episode(play, seed + index), index) for index in range(count))


def player() -> Callable[[int], Any]:
    """What plays UNGAR's episode of a seed; raises NotInstalled when UNGAR is not there."""
    try:
        from ungar.games.high_card_duel import make_high_card_duel_spec
        from ungar.runner import play_random_episode
    except ImportError as error:
        raise NotInstalled(f"UNGAR cannot be used ({error}). Install it with: {INSTALL}")
    return lambda seed: play_random_episode(make_high_card_duel_spec(), seed=seed)


def version() -> str | None:
    """UNGAR's own version, None when it cannot be used."""
    try:
        player()
        from ungar import __version__
    except (NotInstalled, ImportError):
        return None
    return __version__


def read_episode(play: Callable[[int], Any], seed: int) -> Episode:
    """The episode of a seed. Raises Unavailable when anything of it is not as this bridge knows it."""
    try:
        return _read(play(seed), seed)
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        message = f"UNGAR's episode of seed {seed} cannot be read: {error or type(error).__name__}. "
        raise Unavailable(f"{message}The version that fits: {INSTALL}", code="unreadable_episode") from error


def _read(played: Any, seed: int) -> Episode:
    first, last = played.states[0], played.states[-1]
    mine, theirs = _card(first, "my_hand"), _card(last, "opponent_hand")
    result = RESULTS[played.rewards[0]]
    if result != _result(mine, theirs):
        raise ValueError(f"{mine} against {theirs} is no {result}")
    legal = [move.name for move in first.legal_moves()]
    return Episode(seed, mine, theirs, result, legal, played.moves[0].name)


def _card(state: Any, plane: str) -> str:
    """The one card in a plane of player 0's tensor."""
    cards = state.to_tensor(0).cards_in_plane(plane)
    if len(cards) != 1:
        raise ValueError(f"its plane {plane} holds {len(cards)} cards instead of one")
    return RANK_LETTERS[cards[0].rank.name] + SUIT_LETTERS[cards[0].suit.name]


def _result(mine: str, theirs: str) -> str:
    """By the rules of the game: ace high, equal ranks tie."""
    ours, others = RANKS.index(mine[0]), RANKS.index(theirs[0])
    return "tie" if ours == others else "win" if ours > others else "loss"


def _reveal(episode: Episode, index: int) -> dict:
    """What the player sees and does. UNGAR's unseen plane counts the jokers too, which no deck here holds."""
    steps = {
        "legal_moves": f"Legal moves: [{', '.join(episode.legal_moves)}]",
        "observation": f"My hand: {episode.my_card}",
        "unseen": f"Unseen cards: {len(DECK) - 1}",
        "decision": f"Action chosen: {episode.move}",
    }
    prompt = f"High Card Duel: You have 1 hidden card. Action: {episode.move}."
    return _trace(prompt, list(steps.items()), episode.move, _facts(episode, index))


def _odds(episode: Episode, index: int) -> dict:
    """The chance that the held card wins, reasoned as the problem `high_card_duel` does, so that it can be checked."""
    worked = high_card_duel.worked(episode.my_card)
    told = {"task": ODDS, "problem": high_card_duel.PROBLEM.name, "difficulty": 0}
    steps = [("compute", step) for step in worked.steps]
    return _trace(worked.prompt, steps, worked.final_answer, _facts(episode, index) | told)


TASKS: dict[str, Callable[[Episode, int], dict]] = {REVEAL: _reveal, ODDS: _odds}


def _facts(episode: Episode, index: int) -> dict[str, Any]:
    facts = ("my_card", "opponent_card", "result", "seed")
    told = {name: getattr(episode, name) for name in facts}
    return {"source": SOURCE, "game": GAME, "episode_index": index, **told}


def _trace(prompt: str, steps: Sequence[tuple[str, str]], answer: str, meta: dict) -> dict:
    return {
        "trace_version": TRACE_VERSION,
        "prompt": prompt,
        "steps": [{"i": i, "type": kind, "content": content} for i, (kind, content) in enumerate(steps)],
        "final_answer": answer,
        "meta": meta,
    }
