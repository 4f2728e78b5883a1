"""Run in the peer environment: transformers' logits for the shape, parameters and tokens of an .npz file.

`python tests/peers/gemma3_logits.py JOB.npz LOGITS.npy`, with the repository's root in PYTHONPATH.
"""

import json
import sys

import numpy as np
import torch

from training.bench.with_torch import transformers_model
from training.shapes import ModelShape

with np.load(sys.argv[1]) as stored:
    arrays = dict(stored)
model = transformers_model(ModelShape(**json.loads(str(arrays["shape"]))), arrays).eval()
with torch.inference_mode():
    np.save(sys.argv[2], model(torch.tensor(arrays["tokens"]).long()).logits.numpy())
