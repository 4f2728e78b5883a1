"""What each figure has to reach, and what would be better still."""

from typing import NamedTuple


class Bar(NamedTuple):
    """A limit of the ratio ours / theirs: of rates at least, of times at most."""

    limit: float | None
    beyond: float | None = None
    at_most: bool = False

    def judged(self, ratio: float | None) -> str:
        """The bar and whether it was met, for people."""
        sign = "≤" if self.at_most else "≥"
        words = []
        for name, limit in (("", self.limit), ("beyond ", self.beyond)):
            if limit is not None:
                verdict = "not measured" if ratio is None else "met" if self.met(ratio, limit) else "missed"
                words.append(f"{name}{sign} {limit:g}: {verdict}")
        return ", ".join(words)

    def met(self, ratio: float, limit: float) -> bool:
        return ratio <= limit if self.at_most else ratio >= limit


_TRAINING = {  # by work: against Tunix, share of the matrix product's peak
    "train_1m": (Bar(3.0, 4.0), Bar(0.30, 0.45)),
    "train_5m": (Bar(2.6, 4.0), Bar(0.42, 0.55)),
    "train_20m": (Bar(2.0, 3.0), Bar(0.58, 0.65)),
}
BARS: dict[tuple[str, str], Bar] = {  # by work and peer
    **{(work, "tunix"): tunix for work, (tunix, _) in _TRAINING.items()},
    **{(work, "peak"): peak for work, (_, peak) in _TRAINING.items()},
    **{(work, "torch_compile"): Bar(1.3) for work in _TRAINING},
    **{(work, "torch_compile_bf16"): Bar(None, 1.0) for work in _TRAINING},
    ("train_packed", "padded"): Bar(2.6),
    ("train_packed", "tunix"): Bar(7.0),
    ("train_packed", "full"): Bar(None, 0.97),
    **{(f"generate_{kind}", peer): Bar(2.5, 4.0) for kind in ("equal", "varied") for peer in ("tunix", "transformers")},
    **{(f"generate_{kind}", "static"): Bar(2.0) for kind in ("equal", "varied")},
    ("start_warm", "tunix_cold"): Bar(0.4, 0.25, at_most=True),
    ("start_run", "bare"): Bar(1.3, 1.1, at_most=True),
    ("supervision", "bare"): Bar(1.02, 1.005, at_most=True),
    ("checkpoint_stall", "training"): Bar(0.02, 0.005, at_most=True),
    ("gpu_270m", "peak"): Bar(0.40),
    ("gpu_1b", "peak"): Bar(0.40),
}
