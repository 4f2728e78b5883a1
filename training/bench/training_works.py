"""Training beside others: whole sequences, realistic lengths, a GPU, and that all compute the same function."""

from dataclasses import replace

from training.bench import material
from training.bench.setting import Setting
from training.bench.turns import OURS, Row, Turns, curve, gibibytes, row, rows, take_turns
from training.bench.wire import Absent, Contestant
from training.lifeline import BAD_CONFIG, Failure
from training.shapes import ModelShape, model_shape, parameter_count

PER_MILLION = {"tiny": "1m", "small": "5m", "medium": "20m"}  # sizes by how works are called
UPDATES = {"tiny": 4, "small": 2, "medium": 1}  # a round of training: some seconds
PACKED_LENGTH, PACKED_ROWS = 512, 64
GPU_VOCABULARY, GPU_BATCH, GPU_LENGTH = 262_144, 8, 1024
SHARED_GPU = {"XLA_PYTHON_CLIENT_PREALLOCATE": "false"}  # by the processes that wait for their turn
CURVE, CURVE_BATCH, CLOSE, CLOSE_UPDATES, NEAR = 300, 2, 1e-4, 20, 0.01


def train(setting: Setting, size: str) -> list[Row]:
    """Full sequences beside everybody, and beside the peak of the matrix product; memory from the same rounds."""
    shape, name = model_shape(size, setting.vocab_size), called(size)
    lengths, updates = [setting.length] * setting.batch, UPDATES.get(size, 1)
    arrays = material.batches(shape, lengths, setting.length, packing=False, updates=updates) | material.weights(shape)
    job = setting.job(shape)
    job["config"]["model"]["size"] = size
    turns = setting.compete(
        {
            OURS: Contestant("ours:training", job, arrays),
            "tunix": Contestant("with_tunix:training", job, arrays),
            "transformers": Contestant("with_torch:training", job, arrays),
            "trl": Contestant("with_torch:trl", job, arrays),
            "torch_compile": Contestant("with_torch:training", job | {"compile": True}, arrays),
            "torch_compile_bf16": Contestant("with_torch:training", job | {"compile": True, "bfloat16": True}, arrays),
            "peak": Contestant("ours:matrix_product", job | {"dtype": "float32", "products": 10}, {}),
        }
    )
    peers = [peer for peer in (*turns.rounds, *turns.absent) if peer not in (OURS, "peak")]
    speed = rows(f"train_{name}", "tokens/s", turns, peers=peers)
    return [
        *speed,
        share_of_peak(f"train_{name}", turns, shape),
        *(replace(made, same=None) for made in rows(f"memory_{name}", "GiB", turns, gibibytes, peers=peers)),
    ]


def share_of_peak(work: str, turns: Turns, shape: ModelShape) -> Row:
    """Training needs 6 operations a parameter and token; the peak's rate is in GFLOP/s."""
    made = rows(work, "GFLOP/s", turns, peers=["peak"])[0]
    ours = made.ours * 6e-9 * parameter_count(shape) if made.ours else None
    return row(work, "peak", "GFLOP/s", ours, made.theirs, reason=made.reason)


def train_on_gpu(setting: Setting, size: str) -> list[Row]:
    """A published size with its vocabulary and random weights, in bfloat16, beside the bfloat16 product's peak.

    Raises Failure when this machine has no GPU.
    """
    shape, name = model_shape(size, GPU_VOCABULARY), f"gpu_{size}"
    require_gpu(setting)
    lengths, job = [GPU_LENGTH] * GPU_BATCH, setting.job(shape, bfloat16=True)
    job["config"] = {
        "model": {"size": size},
        "data": {"max_length": GPU_LENGTH},
        "training": job["config"]["training"] | {"dtype": "bfloat16", "batch_size": GPU_BATCH},
    }
    arrays = material.batches(shape, lengths, GPU_LENGTH, packing=False, updates=4) | material.weights(shape)
    torch_job = job | {"device": "cuda", "rows_at_once": GPU_BATCH}
    product = job | {"dtype": "bfloat16", "products": 20, "side": 8192}
    turns = setting.compete(
        {
            OURS: Contestant("ours:training", job, arrays, environment=SHARED_GPU),
            "tunix": Contestant("with_tunix:training", torch_job | {"device": "gpu"}, arrays, environment=SHARED_GPU),
            "transformers": Contestant("with_torch:training", torch_job, arrays),
            "torch_compile": Contestant("with_torch:training", torch_job | {"compile": True}, arrays),
            "peak": Contestant("ours:matrix_product", product, {}, environment=SHARED_GPU),
        }
    )
    peers = [peer for peer in (*turns.rounds, *turns.absent) if peer not in (OURS, "peak")]
    return [*rows(name, "tokens/s", turns, peers=peers), share_of_peak(name, turns, shape)]


def require_gpu(setting: Setting) -> None:
    """Raises Failure with the reason why jax finds none."""
    product = setting.job(setting.shape, dtype="float32", products=1, side=8)
    try:
        with Contestant("ours:matrix_product", product, {}, environment=SHARED_GPU):
            pass
    except Absent as absent:
        raise Failure(BAD_CONFIG, "device_unavailable", f"nothing to measure on: {absent}")


def train_packed(setting: Setting) -> list[Row]:
    """Rows of realistic lengths: ours packed, ours padded to the full length, theirs padded."""
    shape, lengths = setting.shape, material.realistic_lengths(PACKED_ROWS, PACKED_LENGTH)
    weights = material.weights(shape)
    packed, padded = (
        weights | material.batches(shape, lengths, PACKED_LENGTH, packing=packing, updates=1)
        for packing in (True, False)
    )
    job = setting.job(shape)
    job["config"]["data"]["max_length"] = PACKED_LENGTH
    turns = setting.compete(
        {
            OURS: Contestant("ours:training", job, packed),
            "padded": Contestant("ours:training", job, padded),
            "tunix": Contestant("with_tunix:training", job, padded),
            "transformers": Contestant("with_torch:training", job, padded),
        }
    )
    fill = material.useful_tokens(packed) / packed["segments"].size
    return [
        *rows("train_packed", "useful tokens/s", turns),
        row("train_packed", "full", "share of places that hold a row", fill, 1.0),
    ]


def same_function(setting: Setting) -> list[Row]:
    """Loss curves of 300 updates, untimed: apart at most 1e-4 over the first 20, at most 1 % over all."""
    shape, lengths = setting.shape, [setting.length] * CURVE_BATCH
    arrays = material.weights(shape) | material.batches(shape, lengths, setting.length, packing=False, updates=CURVE)
    job = setting.job(shape)
    starters = {
        OURS: Contestant("ours:training", job, arrays),
        "tunix": Contestant("with_tunix:training", job, arrays),
        "transformers": Contestant("with_torch:training", job, arrays),
        "trl": Contestant("with_torch:trl", job, arrays),
        "torch_compile": Contestant("with_torch:training", job | {"compile": True}, arrays),
    }
    turns = take_turns(starters, 1, warm_up=False)
    made = []
    for peer in [*turns.rounds, *turns.absent]:
        if peer != OURS:
            made += _closeness(peer, turns)
    return made


def _closeness(peer: str, turns: Turns) -> list[Row]:
    """How far apart two curves are, beside how far they may be."""
    reason = turns.absent.get(peer) or turns.absent.get(OURS)
    early = whole = None
    if reason is None:
        pairs = list(zip(curve(turns.rounds[OURS]), curve(turns.rounds[peer]), strict=True))
        early = max(abs(a - b) for a, b in pairs[:CLOSE_UPDATES])
        whole = max(abs(a - b) / b for a, b in pairs)
    unit = "largest difference of losses"
    return [
        row(f"same_{CLOSE_UPDATES}", peer, unit, early, CLOSE, reason=reason),
        row(f"same_{CURVE}", peer, f"{unit}, relative", whole, NEAR, reason=reason),
    ]


def called(size: str) -> str:
    return PER_MILLION.get(size, size)
